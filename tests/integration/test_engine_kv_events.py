"""KV events of the engine simulator, read off the wire."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.engines import EngineProcess, run_engine
from tests.support.kv_events import Subscriber, replay, subscribe
from tests.support.ports import free_port
from tests.support.shared import ROOT

HOST = "127.0.0.1"
BLOCK = 16
# 95 usable blocks, so that a few prompts push out what came before
SMALL = (f"--block-size={BLOCK}", "--num-gpu-blocks-override=96", "--max-model-len=1024")
DEVELOPMENT = {"VLLM_SERVER_DEV_MODE": "1", "LAMPLIGHT_TIME_SCALE": "100"}


@dataclass
class Published:
    engine: EngineProcess
    endpoint: str
    replay_endpoint: str


def events_config(**more: Any) -> tuple[dict[str, Any], str, str]:
    live, back = free_port(), free_port()
    config = {
        "enable_kv_cache_events": True,
        "publisher": "zmq",
        "endpoint": f"tcp://*:{live}",
        "replay_endpoint": f"tcp://*:{back}",
        "topic": "kv@pod@tiny",
        **more,
    }
    return config, f"tcp://{HOST}:{live}", f"tcp://{HOST}:{back}"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Published]:
    config, endpoint, back = events_config(buffer_steps=40)
    directory = tmp_path_factory.mktemp("events")
    arguments = (*SMALL, "--kv-events-config", json.dumps(config))
    with run_engine(directory, *arguments, environment=DEVELOPMENT) as engine:
        yield Published(engine, endpoint, back)


@pytest.fixture
def heard(published: Published) -> Iterator[Subscriber]:
    published.engine.post("/reset_prefix_cache", {})
    with subscribe(published.endpoint, "kv@") as subscriber:
        yield subscriber


def ask(engine: EngineProcess, prompt: list[int], tokens: int = 1, **more: Any) -> dict[str, Any]:
    answer = engine.post("/v1/completions", {"prompt": prompt, "max_tokens": tokens, "ignore_eos": True, **more})
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def kinds(events: list[Any]) -> Counter[str]:
    return Counter(event["type"] for event in events)


def test_stored_blocks_are_told_with_tokens_parents_and_keys(published: Published, heard: Subscriber) -> None:
    prompt = list(range(100, 100 + 3 * BLOCK + 5))
    ask(published.engine, prompt, cache_salt="tenantA")
    stored = heard.wait_for(lambda events: kinds(events)["BlockStored"] >= 1, "the blocks are told")
    event = next(one for one in stored if one["type"] == "BlockStored")
    assert len(event["block_hashes"]) == 3
    assert event["parent_block_hash"] is None
    assert event["token_ids"] == prompt[: 3 * BLOCK]
    assert (event["block_size"], event["medium"], event["group_idx"]) == (BLOCK, "GPU", 0)
    assert event["extra_keys"] == [["tenantA"], None, None]
    assert event["kv_cache_spec_kind"] == "full_attention"
    assert {event[name] for name in ("lora_id", "lora_name")} == {None}

    ask(published.engine, [*prompt[: 3 * BLOCK], *range(5000, 5000 + BLOCK + 1)], cache_salt="tenantA")
    later = heard.wait_for(lambda events: kinds(events)["BlockStored"] >= 2, "the longer prompt is told")[-1]
    assert later["parent_block_hash"] == event["block_hashes"][-1]
    assert later["token_ids"] == list(range(5000, 5000 + BLOCK))
    topic, number, (at, _events, rank) = heard.batches[-1]
    assert (topic, rank) == ("kv@pod@tiny", 0)
    assert abs(at - time.time()) < 60
    assert [seen for _, seen, _ in heard.batches] == list(range(number - len(heard.batches) + 1, number + 1))


def test_a_follower_of_the_events_knows_what_the_cache_holds(published: Published, heard: Subscriber) -> None:
    for start in range(20):
        ask(published.engine, list(range(1000 * start, 1000 * start + 10 * BLOCK + 1)))
    events = heard.wait_for(lambda events: kinds(events)["BlockStored"] >= 20, "all prompts are told")
    held: Counter[int] = Counter()
    for event in events:
        if event["type"] == "BlockRemoved":
            assert len(event["block_hashes"]) == 1
            held.subtract(event["block_hashes"])
            assert min(held.values()) >= 0
        elif event["type"] == "BlockStored":
            held.update(event["block_hashes"])
    assert 80 <= sum(held.values()) <= 95
    queries = published.engine.metric("vllm:prefix_cache_hits_total")
    # the youngest prompt is still there, the oldest is not, as the events say
    last = [event["block_hashes"] for event in events if event["type"] == "BlockStored"]
    assert all(held[block] == 1 for block in last[-1])
    assert not any(held[block] for block in last[0])
    ask(published.engine, list(range(19_000, 19_000 + 10 * BLOCK + 1)))
    assert published.engine.metric("vllm:prefix_cache_hits_total") - queries == 10 * BLOCK
    ask(published.engine, list(range(10 * BLOCK + 1)))
    assert published.engine.metric("vllm:prefix_cache_hits_total") - queries == 10 * BLOCK


def test_a_cleared_cache_is_told_with_the_next_step(published: Published, heard: Subscriber) -> None:
    ask(published.engine, list(range(7000, 7000 + BLOCK + 1)))
    assert published.engine.post("/reset_prefix_cache", {}).json() == {"success": True}
    assert kinds(heard.wait_for(lambda events: bool(events), "the prompt is told"))["AllBlocksCleared"] <= 1
    heard.batches.clear()
    ask(published.engine, list(range(7000, 7000 + BLOCK + 1)))
    told = heard.wait_for(lambda events: kinds(events)["BlockStored"] == 1, "the prompt is told again")
    assert [event["type"] for event in told] == ["AllBlocksCleared", "BlockStored"]


def test_missed_batches_are_replayed_as_far_as_the_buffer_goes(published: Published, heard: Subscriber) -> None:
    for start in range(45):
        ask(published.engine, list(range(60_000 + 50 * start, 60_000 + 50 * start + BLOCK + 1)))
    heard.wait_for(lambda events: kinds(events)["BlockStored"] >= 45, "all prompts are told")
    newest = heard.batches[-1][1]
    whole = replay(published.replay_endpoint, 0)
    assert [number for number, _ in whole] == list(range(newest - 39, newest + 1))
    assert replay(published.replay_endpoint, newest) == [(newest, heard.batches[-1][2])]
    assert replay(published.replay_endpoint, newest + 1) == []


def test_sources_tell_the_resolved_configuration(published: Published) -> None:
    source = published.engine.get("/kv_event_sources").json()["0"]
    assert source["topic"] == "kv@pod@tiny"
    assert (source["publisher"], source["buffer_steps"], source["hwm"]) == ("zmq", 40, 100_000)


def test_older_engines_publish_arrays_and_end_when_told_to(tmp_path: Path) -> None:
    config, endpoint, _ = events_config()
    arguments = (*SMALL, "--kv-events-config", json.dumps(config))
    environment = {"LAMPLIGHT_KV_EVENTS_ENCODING": "array"}
    with run_engine(tmp_path, *arguments, environment=environment) as engine, subscribe(endpoint) as subscriber:
        prompt = list(range(2 * BLOCK + 1))
        ask(engine, prompt)
        [event] = subscriber.wait_for(lambda events: len(events) == 1, "the prompt is told")
        assert event[0] == "BlockStored"
        assert event[2:] == [None, prompt[: 2 * BLOCK], BLOCK, None, "GPU", None]
        # with a socket for replays as well
        engine.process.terminate()
        assert engine.process.wait(timeout=60) == 0


def test_a_taken_endpoint_ends_the_engine_with_a_sentence(published: Published) -> None:
    config = {"enable_kv_cache_events": True, "endpoint": f"tcp://*:{published.endpoint.rpartition(':')[2]}"}
    command = [sys.executable, "-m", "apps.embedded.engine", "serve", "tiny", "--port", str(free_port())]
    ended = subprocess.run(
        [*command, *SMALL, "--kv-events-config", json.dumps(config)],
        env={"LAMPLIGHT_BIND_HOST": HOST, "LAMPLIGHT_ENGINE_STARTUP": "0"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert ended.returncode == 1
    assert "KV events: cannot open tcp://*" in ended.stderr
