"""KV tiers of a real vLLM: its counters, events and files, a second replica on the same folder, our evictor beside it.

The CPU build refuses to offload: what the kubelet puts in place of the copy between device and host is put here too,
and all else is vLLM's: host tier, `fs` tier, eviction, metrics, events. The simulator is asked the same.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from apps.embedded.kubelet.real_engine import for_the_cpu_build
from apps.evictor.chunks import scan
from tests.support.engines import run_engine
from tests.support.evictors import run_evictor
from tests.support.kv_events import subscribe
from tests.support.ports import free_port
from tests.support.wait import wait_until
from tests.vllm import scenario
from tests.vllm.conftest import version
from tests.vllm.real import run_real

pytestmark = pytest.mark.timeout(1200)
# 512 bytes of KV a token: a chunk of two blocks is 32 KiB, the host keeps 24 of them, the device 48
CHUNK_TOKENS, CHUNK_BYTES, HOST_CHUNKS = 64, 64 * 512, 24
PROMPT_TOKENS, PROMPT_CHUNKS, PROMPTS = 513, 8, 8
SOURCES = "vllm:prompt_tokens_cached_by_source_total"
COUNTED = (
    SOURCES, "vllm:prompt_tokens_by_source_total", "vllm:external_prefix_cache_hits_total",
    "vllm:kv_offload_tiering_chunk_hits_total", "vllm:kv_offload_tiering_read_bytes_total",
)  # fmt: skip


@contextmanager
def engine(kind: str, directory: Path, tiny: str, root: Path, events: int) -> Iterator[str]:
    publisher = {"enable_kv_cache_events": True, "publisher": "zmq", "endpoint": f"tcp://*:{events}", "topic": "kv@a"}
    real = kind == "real"
    extra: dict[str, Any] = {
        "spec_name": "TieringOffloadingSpec",
        "cpu_bytes_to_use": HOST_CHUNKS * CHUNK_BYTES,
        "block_size": CHUNK_TOKENS,
        "secondary_tiers": [{"type": "fs", "root_dir": str(root), "enable_kv_events": True}],
    }
    transfer = {"kv_connector": "OffloadingConnector", "kv_role": "kv_both", "kv_connector_extra_config": extra}
    arguments = [
        "--served-model-name=tiny", "--enforce-eager", "--dtype=bfloat16", "--max-model-len=2048",
        "--max-num-seqs=16", "--block-size=32", "--num-gpu-blocks-override=96", "--enable-prompt-tokens-details",
        f"--kv-transfer-config={json.dumps(transfer)}", f"--kv-events-config={json.dumps(publisher)}",
    ]  # fmt: skip
    if real:
        with run_real(directory, tiny, for_the_cpu_build(arguments), {"PYTHONHASHSEED": "0"}) as (url, _):
            yield url
        return
    # the simulator refuses to offload on a CPU, as vLLM does
    environment = {"LAMPLIGHT_ACCELERATOR": "nvidia-h200", "LAMPLIGHT_ENGINE_VERSION": version()}
    with run_engine(directory, *arguments, model=tiny, environment=environment) as process:
        yield process.url


def ask(url: str, number: int) -> str:
    """The answer to one of the prompts."""
    start = 100 + number * 7
    prompt = [10 + (start + place * (number + 3)) % 900 for place in range(PROMPT_TOKENS)]
    body = {"model": "tiny", "prompt": prompt, "max_tokens": 4, "ignore_eos": True, "temperature": 0}
    answer = scenario.ask(url, "POST", "/v1/completions", body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["choices"][0]["text"])


def cached(url: str) -> Counter[str]:
    return Counter({labels["source"]: int(value) for labels, value in scenario.series(url, SOURCES)})


def files(root: Path) -> list[Path]:
    return sorted(root.rglob("*.bin"))


def used(root: Path) -> set[Path]:
    """Chunks that were used or written lately."""
    return {path for path in files(root) if path.stat().st_mtime > time.time() - 1800}


def play(kind: str, directory: Path, tiny: str) -> dict[str, Any]:
    """What one engine, then a second one on the same folder, and the evictor say; what is equal by name is compared."""
    store = directory / f"{kind}-store"
    root, events = store / "now", free_port()
    root.mkdir(parents=True)
    with engine(kind, directory, tiny, root, events) as url, subscribe(f"tcp://127.0.0.1:{events}", "kv@") as heard:
        first = [ask(url, number) for number in range(PROMPTS)]
        wait_until(
            lambda: len(files(root)) == PROMPTS * PROMPT_CHUNKS, timeout=60, message="every chunk is in the folder"
        )
        before = cached(url)
        again = ask(url, 0)
        assert again == first[0]
        wait_until(lambda: cached(url) != before, message="the hit is counted")
        found: dict[str, Any] = {"again": cached(url) - before}
        media = Counter(
            event["medium"] for event in heard.events if event["type"] == "BlockStored" for _ in event["block_hashes"]
        )
        stored = {
            block
            for event in heard.events
            if event["type"] == "BlockStored" and event["medium"] == "STORAGE"
            for block in event["block_hashes"]
        }
        # the evictor knows a file by the end of its name: it must be what the events call it
        found["named alike"] = stored == set(scan(str(store)).keys)
        found["stored on the volume"] = media["STORAGE"]
        found["counters"] = set(scenario.counted(url, COUNTED))
        hour_ago = time.time() - 3600
        for path in files(root):
            os.utime(path, (hour_ago, hour_ago))
        with run_evictor(directory, store, "1Gi", "--engines", f"127.0.0.1:{events}") as evictor:
            wait_until(lambda: evictor.metric("engines") == 1, message="the evictor follows the engine")
            # prompts that the device has lost: they are loaded, and stored there again
            for number in (1, 2):
                ask(url, number)
            wait_until(lambda: len(used(root)) == 2 * PROMPT_CHUNKS, message="their chunks are marked as used")
            found["heard"] = (evictor.metric("blind"), evictor.metric("events_lost_total"), evictor.metric("canary_ok"))
        in_use = used(root)
        with run_evictor(directory, store, f"{40 * CHUNK_BYTES // 1024}Ki", "--rate", "100000") as evictor:
            wait_until(lambda: len(files(root)) <= 40, message="the folder is within its quota")
        found["used stay"] = in_use <= set(files(root))
        # what went is computed again, and says the same
        found["same"] = [ask(url, number) for number in range(PROMPTS)] == first
    with engine(kind, directory, tiny, root, free_port()) as other:
        answers, before = [], cached(other)
        answers.append(ask(other, 1))
        wait_until(lambda: cached(other) != before, timeout=30, message="the cold replica's hit is counted")
        found["cold"] = cached(other) - before
        found["same from disk"] = answers == [first[1]]
    return found


def test_events_counters_replicas_and_the_evictor_agree(tiny: str, tmp_path: Path) -> None:
    simulated = play("simulated", tmp_path, tiny)
    real = play("real", tmp_path, tiny)
    assert real["named alike"]
    assert real["used stay"]
    assert real["same"]
    assert real["same from disk"]
    assert real["cold"]["disk"] == PROMPT_TOKENS - 1
    assert simulated == real
