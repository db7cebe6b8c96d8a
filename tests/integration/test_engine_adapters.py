"""LoRA adapters and speculative decoding of the engine simulator over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.adapters import write_adapter
from tests.support.engines import EngineProcess, run_engine
from tests.support.kv_events import subscribe
from tests.support.ports import free_port
from tests.support.wait import wait_until

RUN_TIME = {"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1", "LAMPLIGHT_TIME_SCALE": "10"}


@pytest.fixture(scope="module")
def events_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adapters")
    for name in ("sql", "law", "tax"):
        write_adapter(folder / name)
    return folder


@pytest.fixture(scope="module")
def engine(folder: Path, events_port: int) -> Iterator[EngineProcess]:
    events = {"enable_kv_cache_events": True, "endpoint": f"tcp://*:{events_port}"}
    arguments = (
        "--served-model-name=base", "--enable-lora", "--max-loras=1", "--max-model-len=65536",
        "--lora-modules", json.dumps({"name": "sql", "path": str(folder / "sql"), "base_model_name": "base"}),
        f"--kv-events-config={json.dumps(events)}",
    )  # fmt: skip
    with run_engine(folder, *arguments, environment=RUN_TIME) as running:
        yield running


def models(engine: EngineProcess) -> dict[str, str | None]:
    return {model["id"]: model["parent"] for model in engine.get("/v1/models").json()["data"]}


def test_adapters_come_and_go_at_run_time(engine: EngineProcess, folder: Path) -> None:
    assert models(engine) == {"base": None, "sql": "base"}
    law = {"lora_name": "law", "lora_path": str(folder / "law")}
    answer = engine.post("/v1/load_lora_adapter", law)
    assert (answer.status_code, answer.text) == (200, "Success: LoRA adapter 'law' added successfully.")
    assert models(engine) == {"base": None, "sql": "base", "law": "base"}
    again = engine.post("/v1/load_lora_adapter", law)
    assert (again.status_code, again.json()["error"]["type"]) == (400, "InvalidUserInput")
    assert engine.post("/v1/load_lora_adapter", {**law, "load_inplace": True}).status_code == 200
    missing = engine.post("/v1/load_lora_adapter", {"lora_name": "x", "lora_path": str(folder / "nowhere")})
    assert (missing.status_code, missing.json()["error"]["type"]) == (404, "NotFoundError")
    assert engine.post("/v1/completions", {"model": "law", "prompt": "a"}).json()["model"] == "law"
    assert engine.post("/v1/unload_lora_adapter", {"lora_name": "law"}).status_code == 200
    assert engine.post("/v1/unload_lora_adapter", {"lora_name": "law"}).status_code == 404
    assert engine.post("/v1/completions", {"model": "law", "prompt": "a"}).status_code == 404


def test_adapters_share_no_prefix_and_events_name_them(engine: EngineProcess, events_port: int) -> None:
    prompt = list(range(40_000, 40_033))
    hits = "vllm:prefix_cache_hits_total"
    with subscribe(f"tcp://127.0.0.1:{events_port}") as heard:
        before = engine.metric(hits)
        for model in ("base", "sql", "sql"):
            engine.post("/v1/completions", {"model": model, "prompt": prompt, "max_tokens": 1})
        assert engine.metric(hits) - before == 32
        told = heard.wait_for(lambda events: len(events) == 2, "both are told")
    assert [event["lora_name"] for event in told] == [None, "sql"]
    assert [event["extra_keys"] for event in told] == [[None, None], [["sql"], ["sql"]]]
    assert told[0]["block_hashes"] != told[1]["block_hashes"]


def newest_lora_info(engine: EngineProcess) -> dict[str, str]:
    families = text_string_to_metric_families(engine.get("/metrics").text)
    [family] = [one for one in families if one.name == "vllm:lora_requests_info"]
    return max(family.samples, key=lambda sample: sample.value).labels


def test_no_more_adapters_run_at_once_than_fit(engine: EngineProcess, folder: Path) -> None:
    engine.post("/v1/load_lora_adapter", {"lora_name": "tax", "lora_path": str(folder / "tax")})
    body = {"prompt": "a", "max_tokens": 60_000, "ignore_eos": True}
    with ThreadPoolExecutor(1) as pool:
        # until this client leaves, sql runs
        first = engine.post("/v1/completions", {**body, "model": "sql", "stream": True}, stream=True)
        wait_until(lambda: newest_lora_info(engine)["running_lora_adapters"] == "sql", message="sql runs")
        second = pool.submit(engine.post, "/v1/completions", {**body, "model": "tax", "max_tokens": 5})
        wait_until(lambda: newest_lora_info(engine)["waiting_lora_adapters"] == "tax", message="tax waits")
        assert newest_lora_info(engine)["max_lora"] == "1"
        assert not second.done()
        assert engine.post("/v1/completions", {"model": "base", "prompt": "b", "max_tokens": 2}).status_code == 200
        first.close()
        assert second.result(timeout=60).status_code == 200


def test_speculation_is_counted_and_takes_fewer_steps(tmp_path: Path) -> None:
    config = json.dumps({"method": "ngram", "num_speculative_tokens": 3})
    body = {"prompt": "a b c", "max_tokens": 400, "ignore_eos": True}
    steps = {}
    for name, arguments in (("plain", ()), ("speculative", ("--speculative-config", config))):
        with run_engine(tmp_path, *arguments, environment={"LAMPLIGHT_SPEC_ACCEPTANCE": "0.7"}) as engine:
            answer = engine.post("/v1/completions", body).json()
            steps[name] = engine.metric("vllm:iteration_tokens_total_count")
            assert answer["usage"]["completion_tokens"] == 400
            assert engine.metric("vllm:generation_tokens_total") == 400
            if name == "plain":
                assert "spec_decode" not in engine.get("/metrics").text
                continue
            drafts = engine.metric("vllm:spec_decode_num_drafts_total")
            accepted = engine.metric("vllm:spec_decode_num_accepted_tokens_total")
            assert engine.metric("vllm:spec_decode_num_draft_tokens_total") == 3 * drafts
            assert drafts + accepted == 399
            by_position = [
                engine.metric("vllm:spec_decode_num_accepted_tokens_per_pos_total", position=str(n)) for n in range(3)
            ]
            assert sum(by_position) == accepted
            assert by_position == sorted(by_position, reverse=True)
            assert by_position[0] / drafts == pytest.approx(0.7, abs=0.1)
    assert steps["plain"] == 400
    assert steps["speculative"] < 0.5 * steps["plain"]
