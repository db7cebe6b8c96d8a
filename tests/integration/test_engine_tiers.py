"""KV tiers of the engine simulator over HTTP: metrics, events, and what replicas share through a folder."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.engines import EngineProcess, run_engine
from tests.support.kv_events import subscribe
from tests.support.ports import free_port
from tests.support.shared import shared_file
from tests.support.wait import wait_until

BLOCK = 16
CHUNK = 4
TOKEN_BYTES = 128 * 2**10
CHUNK_BYTES = CHUNK * BLOCK * TOKEN_BYTES
PROMPT = 16 * BLOCK + 1
SMALL = (f"--block-size={BLOCK}", "--num-gpu-blocks-override=65", "--max-model-len=1024", "--served-model-name=tiny")
FAST = {"LAMPLIGHT_TIME_SCALE": "20", "VLLM_SERVER_DEV_MODE": "1"}


def connector(root: Path | None, *, chunks: int = 64, tier: dict[str, Any] | None = None, **extra: Any) -> str:
    more: dict[str, Any] = {"cpu_bytes_to_use": chunks * CHUNK_BYTES, "blocks_per_chunk": CHUNK, **extra}
    if root is not None:
        more |= {
            "spec_name": "TieringOffloadingSpec",
            "secondary_tiers": [{"type": "fs", "root_dir": str(root), **(tier or {})}],
        }
    return "--kv-transfer-config=" + json.dumps(
        {
            "kv_connector": "OffloadingConnector",
            "kv_role": "kv_both",
            "kv_load_failure_policy": "recompute",
            "kv_connector_extra_config": more,
        }
    )


def prompt(family: int, tokens: int = PROMPT) -> list[int]:
    return list(range(1000 * family, 1000 * family + tokens))


def ask(engine: EngineProcess, *families: int, tokens: int = PROMPT) -> None:
    for family in families:
        body = {"prompt": prompt(family, tokens), "max_tokens": 1, "ignore_eos": True}
        assert engine.post("/v1/completions", body).status_code == 200


def cached(engine: EngineProcess, source: str) -> float:
    return engine.metric("vllm:prompt_tokens_cached_by_source_total", source=source)


def files(root: Path) -> list[Path]:
    return sorted(root.glob("*_r0/*/*_g0/*.bin"))


@contextmanager
def tiered(tmp_path: Path, *arguments: str, **environment: str) -> Iterator[EngineProcess]:
    with run_engine(tmp_path, *SMALL, *arguments, environment={**FAST, **environment}) as engine:
        yield engine


def test_host_memory_brings_back_what_the_device_lost(tmp_path: Path) -> None:
    with tiered(tmp_path, "--kv-offloading-size=8") as engine:
        ask(engine, *range(8), 0)
        assert cached(engine, "host") == PROMPT - 1
        assert engine.metric("vllm:prompt_tokens_by_source_total", source="external_kv_transfer") == PROMPT - 1
        assert engine.metric("vllm:external_prefix_cache_hits_total") == PROMPT - 1
        loaded = engine.metric("vllm:kv_offload_load_bytes_total")
        assert loaded == (PROMPT - 1) * TOKEN_BYTES
        assert engine.metric("vllm:kv_offload_total_bytes_total", transfer_type="CPU_to_GPU") == loaded
        assert engine.metric("vllm:kv_offload_load_size_count") == 1
        # measured: 41.6 GB/s; metrics are in seconds of the machine
        assert loaded / engine.metric("vllm:kv_offload_load_time_total") / 20 == pytest.approx(41.6e9, rel=1e-6)
        assert "TieringOffloading" not in engine.log.read_text()
        assert "vllm:kv_offload_tiering" not in engine.get("/metrics").text


def test_replicas_share_a_folder(tmp_path: Path) -> None:
    root = tmp_path / "kv"
    with tiered(tmp_path, connector(root)) as one, tiered(tmp_path, connector(root)) as other:
        ask(one, 0)
        wait_until(lambda: len(files(root)) == 4, message="the prompt's chunks are in the folder")
        assert {file.stat().st_size for file in files(root)} == {CHUNK_BYTES}
        assert all(re.fullmatch(r"[0-9a-f]{64}\.bin", file.name) for file in files(root))
        ask(other, 0)
        assert cached(other, "disk") == PROMPT - 1
        assert other.metric("vllm:kv_offload_tiering_read_bytes_total", tier="1:fs") == 4 * CHUNK_BYTES
        assert other.metric("vllm:kv_offload_tiering_chunk_hits_total", tier="1:fs") == 4
        # measured: 2.26 GB/s after 16 ms
        seconds = other.metric("vllm:kv_offload_tiering_read_time_total", tier="1:fs") * 20
        assert seconds == pytest.approx(0.016 + 4 * CHUNK_BYTES / 2.264e9, rel=1e-6)
        assert one.metric("vllm:kv_offload_tiering_write_bytes_total", tier="1:fs") == 4 * CHUNK_BYTES


def test_engines_whose_chunks_do_not_fit_each_other_share_nothing(tmp_path: Path) -> None:
    root = tmp_path / "kv"
    with tiered(tmp_path, connector(root)) as one, tiered(tmp_path, connector(root, blocks_per_chunk=8)) as other:
        ask(one, 0)
        wait_until(lambda: len(files(root)) == 4, message="the prompt's chunks are in the folder")
        ask(other, 0)
        assert cached(other, "disk") == 0
        wait_until(lambda: len({file.parents[2] for file in files(root)}) == 2, message="each has its own folder")


def test_a_file_that_ends_too_early_is_computed_again(tmp_path: Path) -> None:
    root = tmp_path / "kv"
    with tiered(tmp_path, connector(root)) as one, tiered(tmp_path, connector(root)) as other:
        ask(one, 0)
        wait_until(lambda: len(files(root)) == 4, message="the prompt's chunks are in the folder")
        for file in files(root):
            os.truncate(file, 100)
        ask(other, 0)
        assert cached(other, "disk") == 0
        assert other.metric("vllm:kv_offload_tiering_promotion_job_failures_total", tier="1:fs") == 1


def test_a_folder_that_cannot_be_written_loses_chunks_and_serves(tmp_path: Path) -> None:
    root = tmp_path / "kv"
    with tiered(tmp_path, connector(root)) as engine:
        [base] = root.glob("*")
        # no place for folders any more, whoever asks
        Path(f"{base}_r0").write_text("in the way")
        ask(engine, 0)
        failures = "vllm:kv_offload_tiering_cascade_job_failures_total"
        wait_until(lambda: failures + "{" in engine.get("/metrics").text, message="the failure is counted")
        assert engine.metric(failures, tier="1:fs") == 1
        ask(engine, *range(1, 8), 0)
        assert cached(engine, "host") == PROMPT - 1


def test_a_volume_that_vanishes_costs_computing_and_no_request(tmp_path: Path) -> None:
    root = tmp_path / "mount" / "kv"
    with tiered(tmp_path, connector(root, chunks=4)) as engine:
        ask(engine, *range(6))
        wait_until(lambda: len(files(root)) == 24, message="six prompts are in the folder")
        before = cached(engine, "disk")
        root.parent.rename(tmp_path / "away")
        ask(engine, 0, 6)
        assert cached(engine, "disk") == before
        # as vLLM does, it makes the folder anew in what lies below the mount
        wait_until(lambda: len(files(root)) == 8, message="what was computed is stored where the mount was")
        assert engine.get("/health").status_code == 200
        # it comes back as it was: what lies there is read again
        shutil.rmtree(root.parent, ignore_errors=True)
        (tmp_path / "away").rename(root.parent)
        ask(engine, 1)
        assert cached(engine, "disk") == before + PROMPT - 1


def test_slower_tiers_are_told_as_events(tmp_path: Path) -> None:
    root, port = tmp_path / "kv", free_port()
    config = {"enable_kv_cache_events": True, "endpoint": f"tcp://*:{port}"}
    arguments = (
        connector(root, chunks=6, tier={"enable_kv_events": True, "locality": "REMOTE"}),
        f"--kv-events-config={json.dumps(config)}",
    )
    with tiered(tmp_path, *arguments) as engine, subscribe(f"tcp://127.0.0.1:{port}") as heard:
        ask(engine, 0)
        told = heard.wait_for(lambda events: media(events)["BlockStored", "STORAGE"] == 4, "the chunks are stored")
        assert media(told) == {("BlockStored", "GPU"): 1, ("BlockStored", "CPU"): 4, ("BlockStored", "STORAGE"): 4}
        on_device = next(event for event in told if event["medium"] == "GPU")
        slow = [event for event in told if event["medium"] != "GPU"]
        assert {event["block_hashes"][0] for event in slow} == set(on_device["block_hashes"][CHUNK - 1 :: CHUNK])
        assert [(event["token_ids"], event["block_size"]) for event in slow] == [([], 0)] * 8
        assert {event.get("locality") for event in slow if event["medium"] == "STORAGE"} == {"REMOTE"}
        assert {int(file.stem[-16:], 16) for file in files(root)} == {event["block_hashes"][0] for event in slow}
        ask(engine, 1)
        told = heard.wait_for(lambda events: media(events)["BlockStored", "CPU"] == 8, "the next prompt is stored")
        gone = [event for event in told if event["type"] == "BlockRemoved" and event["medium"] == "CPU"]
        assert sum(len(event["block_hashes"]) for event in gone) == 2


def test_self_describing_events_name_blocks_tokens_and_parents(tmp_path: Path) -> None:
    port = free_port()
    config = {"enable_kv_cache_events": True, "endpoint": f"tcp://*:{port}"}
    arguments = (connector(None, chunks=4, self_describing_kv_events=True), f"--kv-events-config={json.dumps(config)}")
    with tiered(tmp_path, *arguments) as engine, subscribe(f"tcp://127.0.0.1:{port}") as heard:
        ask(engine, 0)
        told = heard.wait_for(lambda events: media(events)["BlockStored", "CPU"] == 4, "the chunks are stored")
        whole = next(event for event in told if event["medium"] == "GPU")
        second = sorted((e for e in told if e["medium"] == "CPU"), key=lambda event: event["token_ids"])[1]
        assert second["block_hashes"] == whole["block_hashes"][CHUNK : 2 * CHUNK]
        assert second["parent_block_hash"] == whole["block_hashes"][CHUNK - 1]
        assert second["token_ids"] == prompt(0)[CHUNK * BLOCK : 2 * CHUNK * BLOCK]
        ask(engine, 1)
        told = heard.wait_for(lambda events: media(events)["BlockRemoved", "CPU"] >= 1, "the first prompt makes room")
        gone = [block for event in told if event["type"] == "BlockRemoved" for block in event["block_hashes"]]
        assert set(whole["block_hashes"]) <= set(gone)


def media(events: Sequence[Any]) -> Counter[tuple[str, str]]:
    return Counter((event["type"], event.get("medium", "")) for event in events)


def test_a_reset_forgets_host_memory_only_when_it_is_asked_to(tmp_path: Path) -> None:
    with tiered(tmp_path, "--kv-offloading-size=8") as engine:
        ask(engine, 0)
        assert engine.post("/reset_prefix_cache", {}).json() == {"success": True}
        ask(engine, 0)
        assert cached(engine, "host") == PROMPT - 1
        engine.post("/reset_prefix_cache?reset_external=true", {})
        ask(engine, 0)
        assert cached(engine, "host") == PROMPT - 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (['--kv-transfer-config={"kv_connector":"OffloadingConnector"}'], "Please specify kv_role"),
        (
            ['--kv-transfer-config={"kv_connector":"SharedStorageConnector","kv_role":"kv_both"}'],
            "Unsupported connector type: SharedStorageConnector",
        ),
        (
            ['--kv-transfer-config={"kv_connector":"OffloadingConnector","kv_role":"kv_both"}'],
            "cpu_bytes_to_use must be specified in kv_connector_extra_config",
        ),
        ([connector(Path("/x"), tier={"type": "tape"})], "Unknown secondary tier type: 'tape'"),
        ([connector(None, blocks_per_chunk=None, block_size=100)], "Use 112 instead"),
    ],
)
def test_what_vllm_refuses_is_refused(arguments: list[str], sentence: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="the engine ended with 1"):
        with run_engine(tmp_path, *SMALL, *arguments):
            pass
    [log] = tmp_path.glob("engine-*.log")
    assert sentence in log.read_text()


@pytest.mark.parametrize(
    ("version", "name"), [("0.33.0", "vllm-metrics-0.33.txt"), ("0.32.0", "vllm-metrics-0.32-tiering.txt")]
)
def test_the_page_has_a_real_engines_series(version: str, name: str, tmp_path: Path) -> None:
    recorded = shared_file(f"reference/{name}").read_text()
    root = tmp_path / "kv"
    arguments = (connector(root, chunks=6),)
    environment = {"LAMPLIGHT_IMAGE": f"vllm/vllm-openai:v{version}"}
    with tiered(tmp_path, *arguments, **environment) as engine:
        ask(engine, *range(8), 0)
        wait_until(lambda: len(files(root)) == 32, message="all chunks are in the folder")
        engine.post("/reset_prefix_cache", {})
        ask(engine, 0)
        page = engine.get("/metrics").text
    assert offloading(recorded) - offloading(page) == set()
    assert offloading(page) - offloading(recorded) <= SEEN_WHEN_IT_HAPPENS


# the recorded engines were idle before their pages were taken, or nothing failed there
SEEN_WHEN_IT_HAPPENS = {
    'vllm:kv_offload_allocation_failure_total{engine="0",model_name="tiny"}',
    'vllm:kv_offload_allocation_failure_created{engine="0",model_name="tiny"}',
    'vllm:kv_offload_tiering_chunk_hits_total{engine="0",model_name="tiny",tier="0:primary"}',
    'vllm:kv_offload_tiering_chunk_hits_created{engine="0",model_name="tiny",tier="0:primary"}',
    'vllm:kv_offload_tiering_promotion_allocation_failures_total{engine="0",model_name="tiny"}',
    'vllm:kv_offload_tiering_promotion_allocation_failures_created{engine="0",model_name="tiny"}',
}


def offloading(page: str) -> set[str]:
    lines = [line.rsplit(" ", 1)[0] for line in page.splitlines() if line.startswith(("vllm:kv_offload", "vllm:num_"))]
    return {line for line in lines if "config_info" not in line and not re.search(r"by_reason|num_preempt", line)}
