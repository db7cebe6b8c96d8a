"""Sleeping and waking over HTTP: what vLLM's development endpoints do, and what requests see of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.engines import EngineProcess, run_engine
from tests.support.wait import wait_until

# 0.07 s to fall asleep and 0.009 s to wake in machine time; one token takes 50 us
SCALE = "100"
DEVELOPMENT = {"VLLM_SERVER_DEV_MODE": "1", "LAMPLIGHT_TIME_SCALE": SCALE}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    directory = tmp_path_factory.mktemp("sleeper")
    with run_engine(directory, "--enable-sleep-mode", "--max-model-len=65536", environment=DEVELOPMENT) as running:
        yield running


@pytest.fixture(autouse=True)
def awake(engine: EngineProcess) -> Iterator[None]:
    yield
    engine.post("/wake_up", {})


def states(engine: EngineProcess) -> dict[str, float]:
    names = ("awake", "weights_offloaded", "discard_all")
    return {name: engine.metric("vllm:engine_sleep_state", sleep_state=name) for name in names}


def ask(engine: EngineProcess, tokens: int = 4, prompt: object = "a b c") -> dict[str, object]:
    body = {"prompt": prompt, "max_tokens": tokens, "ignore_eos": True}
    answer: dict[str, object] = engine.post("/v1/completions", body).json()
    return answer


def finish_reason(answer: dict[str, object]) -> str:
    choices = answer["choices"]
    assert isinstance(choices, list)
    return str(choices[0]["finish_reason"])


@pytest.mark.parametrize(("level", "state"), [(1, "weights_offloaded"), (2, "discard_all")])
def test_the_state_is_told_and_health_stays(engine: EngineProcess, level: int, state: str) -> None:
    assert engine.get("/is_sleeping").json() == {"is_sleeping": False}
    assert states(engine) == {"awake": 1, "weights_offloaded": 0, "discard_all": 0}
    assert engine.post(f"/sleep?level={level}", {}).status_code == 200
    assert engine.get("/is_sleeping").json() == {"is_sleeping": True}
    assert states(engine) == {"awake": 0, "weights_offloaded": 0, "discard_all": 0} | {state: 1}
    assert engine.get("/health").status_code == 200
    assert engine.post("/wake_up", {}).status_code == 200
    assert engine.get("/is_sleeping").json() == {"is_sleeping": False}
    assert states(engine)["awake"] == 1


def test_a_request_to_a_sleeper_waits_until_it_wakes(engine: EngineProcess) -> None:
    engine.post("/sleep?level=1", {})
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, engine)
        wait_until(lambda: engine.metric("vllm:num_requests_waiting") == 1, message="the request waits in the engine")
        assert not answer.done()
        engine.post("/wake_up", {})
        assert finish_reason(answer.result(timeout=60)) == "length"


def test_sleeping_aborts_what_runs(engine: EngineProcess) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, engine, 60_000)
        wait_until(lambda: engine.metric("vllm:num_requests_running") == 1, message="the request runs")
        engine.post("/sleep", {})
        assert finish_reason(answer.result(timeout=60)) == "abort"


@pytest.mark.parametrize("mode", ["wait", "keep"])
def test_other_modes_lose_nothing(engine: EngineProcess, mode: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask, engine, 40_000)
        wait_until(lambda: engine.metric("vllm:num_requests_running") == 1, message="the request runs")
        engine.post(f"/sleep?mode={mode}", {})
        if mode == "wait":
            answer.result(timeout=60)
        else:
            assert not answer.done()
        assert engine.metric("vllm:kv_cache_usage_perc") == 0
        engine.post("/wake_up", {})
        finished = answer.result(timeout=60)
        assert finish_reason(finished) == "length"
        assert finished["usage"]["completion_tokens"] == 40_000  # type: ignore[index]


def test_cached_prefixes_are_gone_after_sleep_but_not_after_a_pause(engine: EngineProcess) -> None:
    prompt = list(range(5000, 6000))
    hits = lambda: engine.metric("vllm:prefix_cache_hits_total")  # noqa: E731
    ask(engine, prompt=prompt)
    before = hits()
    engine.post("/sleep?level=0", {})
    assert states(engine) == {"awake": 0, "weights_offloaded": 0, "discard_all": 0}
    engine.post("/wake_up", {})
    ask(engine, prompt=prompt)
    assert hits() - before == 992
    engine.post("/sleep?level=1", {})
    engine.post("/wake_up", {})
    ask(engine, prompt=prompt)
    assert hits() - before == 992


def test_bad_levels_and_modes_are_refused(engine: EngineProcess) -> None:
    for query in ("level=3", "level=deep", "mode=hard"):
        assert engine.post(f"/sleep?{query}", {}).status_code == 400
    assert engine.get("/is_sleeping").json() == {"is_sleeping": False}


def test_the_key_does_not_guard_sleep(tmp_path: Path) -> None:
    with run_engine(tmp_path, "--api-key=secret", "--enable-sleep-mode", environment=DEVELOPMENT) as engine:
        assert engine.get("/v1/models").status_code == 401
        assert engine.post("/sleep", {}).status_code == 200
        assert engine.get("/is_sleeping").json() == {"is_sleeping": True}


def test_how_long_it_takes_and_what_is_served_without_development_mode(tmp_path: Path) -> None:
    with run_engine(tmp_path, "--enable-sleep-mode", environment={"LAMPLIGHT_TIME_SCALE": SCALE}) as engine:
        for path in ("/sleep", "/wake_up"):
            assert engine.post(path, {}).status_code == 404
        assert engine.get("/is_sleeping").status_code == 404
    with run_engine(tmp_path, "--enable-sleep-mode",
                    environment={"VLLM_SERVER_DEV_MODE": "1", "LAMPLIGHT_TIME_SCALE": "10"}) as engine:  # fmt: skip
        begun = time.monotonic()
        engine.post("/sleep", {})
        slept = time.monotonic()
        engine.post("/wake_up", {})
        assert slept - begun >= 0.7
        assert time.monotonic() - slept >= 0.09


def test_without_sleep_mode_it_only_pauses(tmp_path: Path) -> None:
    """As measured: 0.03 s, because no memory moves. To sleep would take 70 s here."""
    with run_engine(tmp_path, environment={"VLLM_SERVER_DEV_MODE": "1", "LAMPLIGHT_TIME_SCALE": "0.1"}) as engine:
        begun = time.monotonic()
        engine.post("/sleep", {})
        assert time.monotonic() - begun < 20
        assert states(engine)["weights_offloaded"] == 1


def test_of_engines_on_the_same_accelerators_one_is_awake(tmp_path: Path) -> None:
    shared = {**DEVELOPMENT, "LAMPLIGHT_DEVICE": str(tmp_path / "accelerator")}
    flags = ("--enable-sleep-mode", "--max-model-len=65536")
    with run_engine(tmp_path, *flags, environment=shared) as one:
        with pytest.raises(AssertionError), run_engine(tmp_path, *flags, environment=shared):
            pass
        assert one.post("/sleep?level=1", {}).status_code == 200
        with run_engine(tmp_path, *flags, environment=shared) as three:
            refused = one.post("/wake_up", {})
            assert refused.status_code == 500
            assert "out of memory" in refused.text
            assert one.metric("vllm:engine_sleep_state", sleep_state="awake") == 0
            three.post("/sleep?level=1", {})
            assert one.post("/wake_up", {}).status_code == 200
