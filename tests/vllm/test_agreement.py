"""An engine, asked what clients and scrapers ask: it must say what is recorded of a real vLLM.

The simulator is asked in every run, a real vLLM where VLLM_PYTHON names one; the record is its word.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from apps.embedded.engine.domain.settings import engine_version
from tests.support.adapters import write_adapter
from tests.support.engines import run_engine
from tests.support.kv_events import Subscriber, subscribe
from tests.support.ports import free_port
from tests.support.shared import ROOT
from tests.support.wait import wait_until
from tests.vllm import scenario
from tests.vllm.conftest import ENGINES
from tests.vllm.real import run_real, run_refused
from tests.vllm.recorded import VERSION, hold, recorded

pytestmark = pytest.mark.timeout(900)
ARGUMENTS = (
    "--served-model-name=tiny", "--enforce-eager", "--dtype=bfloat16", "--max-model-len=2048", "--max-num-seqs=16",
    "--block-size=32", "--num-gpu-blocks-override=96", "--enable-prompt-tokens-details", "--enable-lora",
    "--max-loras=2", "--max-lora-rank=8", "--shutdown-timeout=60",
)  # fmt: skip
DEVELOPMENT = {"VLLM_SERVER_DEV_MODE": "1", "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"}
SIMULATED = {"LAMPLIGHT_ACCELERATOR": "cpu", "LAMPLIGHT_ENGINE_VERSION": f"{VERSION}.0"}


@dataclass
class Engine:
    kind: str
    url: str
    events: str
    terminate: Callable[[], None]

    def hold(self, topic: str, said: dict[str, Any]) -> None:
        hold(self.kind, topic, said)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, tiny: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    directory, port = tmp_path_factory.mktemp("engine"), free_port()
    config = {"enable_kv_cache_events": True, "publisher": "zmq", "endpoint": f"tcp://*:{port}", "topic": "kv@a@tiny"}
    arguments, events = [*ARGUMENTS, f"--kv-events-config={json.dumps(config)}"], f"tcp://127.0.0.1:{port}"
    if request.param == "real":
        with run_real(directory, tiny, arguments, DEVELOPMENT) as (url, process):
            yield Engine("real", url, events, process.terminate)
        return
    with run_engine(directory, *arguments, model=tiny, environment={**SIMULATED, **DEVELOPMENT}) as running:
        yield Engine("simulated", running.url, events, running.process.terminate)


def test_the_record_is_of_the_engine_that_is_simulated_by_default_or_older() -> None:
    assert engine_version({}) >= VERSION


def test_wrong_requests_are_refused_in_the_same_words(engine: Engine) -> None:
    engine.hold("refusals", scenario.refusals(engine.url))


def test_answers_have_the_same_structure(engine: Engine) -> None:
    engine.hold("answers", scenario.answers(engine.url))


def test_prefixes_are_counted_alike(engine: Engine) -> None:
    names = (
        "vllm:prefix_cache_queries_total", "vllm:prefix_cache_hits_total", "vllm:prompt_tokens_total",
        "vllm:prompt_tokens_by_source_total", "vllm:prompt_tokens_cached_by_source_total",
        "vllm:generation_tokens_total", "vllm:request_success_total",
    )  # fmt: skip
    before = scenario.counted(engine.url, names)
    for start, tokens in ((300, 64), (300, 70), (300, 200), (500, 33)):
        body = {"model": "tiny", "prompt": list(range(start, start + tokens)), "max_tokens": 3, "ignore_eos": True}
        assert scenario.ask(engine.url, "POST", "/v1/completions", body).status_code == 200
    generated = "vllm:generation_tokens_total[]"
    wait_until(
        lambda: scenario.counted(engine.url, names)[generated] - before[generated] == 12, message="all is counted"
    )
    after = scenario.counted(engine.url, names)
    engine.hold("prefixes", {name: after[name] - before.get(name, 0.0) for name in after})


def test_events_are_alike(engine: Engine) -> None:
    with subscribe(engine.events, "kv@") as heard:
        for tokens in (70, 100):
            body = {"model": "tiny", "prompt": list(range(600, 600 + tokens)), "max_tokens": 1, "cache_salt": "a"}
            assert scenario.ask(engine.url, "POST", "/v1/completions", body).status_code == 200
        scenario.ask(engine.url, "POST", "/reset_prefix_cache", None)
        scenario.ask(engine.url, "POST", "/v1/completions", {"model": "tiny", "prompt": [7] * 40, "max_tokens": 1})
        heard.wait_for(lambda events: sum(e["type"] == "BlockStored" for e in events) >= 3, "blocks are told")
        topics = sorted({topic for topic, _, _ in heard.batches})
        engine.hold("events", {"topics": topics, "events": without_hashes(heard)})


def without_hashes(heard: Subscriber) -> list[Any]:
    """Events by their contents; hashes by the order in which they came first, for engines hash in their own ways."""
    numbers: dict[int, int] = {}
    found = []
    for event in heard.events:
        plain = dict(event)
        for name in ("block_hashes",):
            plain[name] = [numbers.setdefault(one, len(numbers)) for one in event.get(name, [])]
        if plain.get("parent_block_hash") is not None:
            plain["parent_block_hash"] = numbers[event["parent_block_hash"]]
        found.append(plain)
    return found


def test_adapters_come_and_go_alike(engine: Engine, tiny: str, tmp_path: Path) -> None:
    write_adapter(tmp_path / "rank16", rank=16)
    write_adapter(tmp_path / "broken")
    (tmp_path / "broken" / "adapter_config.json").write_text("{\n")
    engine.hold("adapters", scenario.adapters(engine.url, Path(tiny) / "adapters", tmp_path))


def test_sleep_has_the_same_steps(engine: Engine) -> None:
    engine.hold("sleeping", scenario.sleeping(engine.url))


def test_pages_have_the_same_families_labels_and_series(engine: Engine) -> None:
    engine.hold("page", scenario.page(engine.url))


def test_routes_are_served_or_said_not_to_be(engine: Engine) -> None:
    if engine.kind == "real":
        engine.hold("routes", dict.fromkeys(scenario.routes(engine.url), "served"))
        return
    # a path that is served refuses a method that it does not have; one that is not is not found
    served = [path for path in recorded("routes") if scenario.reply(engine.url, "OPTIONS", path)[0] == 405]
    engine.hold("routes", dict.fromkeys(served, "served"))


def test_the_engine_ends_alike(engine: Engine) -> None:
    """The last of this file: the engine is gone after it."""
    engine.hold("draining", scenario.draining(engine.url, engine.terminate))


@pytest.mark.parametrize("kind", ENGINES)
def test_what_a_cpu_has_not_is_refused_in_the_same_words(kind: str, tiny: str, tmp_path: Path) -> None:
    transfer = {"kv_connector": "OffloadingConnector", "kv_role": "kv_both"}
    extra = {"kv_connector_extra_config": {"cpu_bytes_to_use": 2**20}}
    for more, sentence in (
        ("--enable-sleep-mode", "Sleep mode is not supported on current platform."),
        (
            f"--kv-transfer-config={json.dumps({**transfer, **extra})}",
            "CPU Offloading is currently only supported on CUDA-alike and XPU GPUs",
        ),
    ):
        refused = run_refused if kind == "real" else simulator_refused
        assert sentence in refused(tmp_path, tiny, [*ARGUMENTS[:7], more]), more


def simulator_refused(directory: Path, model: str, arguments: list[str]) -> str:
    ended = subprocess.run(
        [sys.executable, "-m", "apps.embedded.engine", "serve", model, *arguments],
        capture_output=True, text=True, timeout=60, cwd=ROOT, env={**os.environ, **SIMULATED},
    )  # fmt: skip
    assert ended.returncode == 1
    return ended.stderr
