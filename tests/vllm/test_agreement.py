"""The simulator and a real vLLM, asked the same: names, labels, states, structures and error codes must be equal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.engines import free_port, run_engine
from tests.support.kv_events import Subscriber, subscribe
from tests.support.wait import wait_until
from tests.vllm import scenario
from tests.vllm.conftest import version
from tests.vllm.real import run_real

pytestmark = pytest.mark.timeout(900)
ARGUMENTS = (
    "--served-model-name=tiny", "--enforce-eager", "--dtype=bfloat16", "--max-model-len=2048", "--max-num-seqs=16",
    "--block-size=32", "--num-gpu-blocks-override=96", "--enable-prompt-tokens-details", "--enable-lora",
    "--max-loras=2", "--max-lora-rank=8",
)  # fmt: skip
DEVELOPMENT = {"VLLM_SERVER_DEV_MODE": "1", "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"}


@dataclass
class Engine:
    url: str
    events: str


@pytest.fixture(scope="session")
def engines(tiny: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Engine]]:
    directory = tmp_path_factory.mktemp("engines")
    events = {name: free_port() for name in ("real", "simulated")}
    simulator = {"LAMPLIGHT_ACCELERATOR": "cpu", "LAMPLIGHT_ENGINE_VERSION": version(), **DEVELOPMENT}
    with (
        run_real(directory, tiny, arguments(events["real"]), DEVELOPMENT) as url,
        run_engine(directory, *arguments(events["simulated"]), model=tiny, environment=simulator) as engine,
    ):
        yield {
            "real": Engine(url, f"tcp://127.0.0.1:{events['real']}"),
            "simulated": Engine(engine.url, f"tcp://127.0.0.1:{events['simulated']}"),
        }


def arguments(events: int) -> list[str]:
    config = {"enable_kv_cache_events": True, "publisher": "zmq", "endpoint": f"tcp://*:{events}", "topic": "kv@a@tiny"}
    return [*ARGUMENTS, f"--kv-events-config={json.dumps(config)}"]


def both(engines: dict[str, Engine], question: Any) -> tuple[Any, Any]:
    return question(engines["simulated"].url), question(engines["real"].url)


def test_wrong_requests_are_refused_alike(engines: dict[str, Engine]) -> None:
    simulated, real = both(engines, scenario.refusals)
    assert simulated == real


def test_answers_have_the_same_structure(engines: dict[str, Engine]) -> None:
    simulated, real = both(engines, scenario.answers)
    for name, expected in real.items():
        assert simulated[name] == expected, name


def test_prefixes_are_counted_alike(engines: dict[str, Engine]) -> None:
    names = (
        "vllm:prefix_cache_queries_total", "vllm:prefix_cache_hits_total", "vllm:prompt_tokens_total",
        "vllm:prompt_tokens_by_source_total", "vllm:prompt_tokens_cached_by_source_total",
        "vllm:generation_tokens_total", "vllm:request_success_total",
    )  # fmt: skip

    def gained(url: str) -> dict[str, float]:
        before = scenario.counted(url, names)
        for start, tokens in ((300, 64), (300, 70), (300, 200), (500, 33)):
            body = {"model": "tiny", "prompt": list(range(start, start + tokens)), "max_tokens": 3, "ignore_eos": True}
            assert scenario.ask(url, "POST", "/v1/completions", body).status_code == 200
        wait_until(
            lambda: scenario.counted(url, names)["vllm:generation_tokens_total[]"]
            - before["vllm:generation_tokens_total[]"] == 12,
            message="all is counted",
        )  # fmt: skip
        after = scenario.counted(url, names)
        return {name: after[name] - before.get(name, 0.0) for name in after}

    simulated, real = both(engines, gained)
    assert simulated == real


def test_events_are_alike(engines: dict[str, Engine]) -> None:
    def told(engine: Engine) -> Any:
        with subscribe(engine.events, "kv@") as heard:
            for tokens in (70, 100):
                body = {"model": "tiny", "prompt": list(range(600, 600 + tokens)), "max_tokens": 1, "cache_salt": "a"}
                assert scenario.ask(engine.url, "POST", "/v1/completions", body).status_code == 200
            scenario.ask(engine.url, "POST", "/reset_prefix_cache", None)
            scenario.ask(engine.url, "POST", "/v1/completions", {"model": "tiny", "prompt": [7] * 40, "max_tokens": 1})
            heard.wait_for(lambda events: sum(e["type"] == "BlockStored" for e in events) >= 3, "blocks are told")
            return without_hashes(heard)

    assert told(engines["simulated"]) == told(engines["real"])


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


def test_sleeping_has_the_same_states(engines: dict[str, Engine]) -> None:
    simulated, real = both(engines, scenario.sleeping)
    assert simulated == real


def test_pages_have_the_same_series(engines: dict[str, Engine]) -> None:
    simulated, real = both(engines, scenario.page)
    assert simulated["families"] == real["families"]
    assert simulated["series"] == real["series"]
