"""The same question to the engine simulator: a trace event by event, with host memory below the device and without."""

from __future__ import annotations

from collections.abc import Sequence

from apps.physics.engine import Engine
from apps.physics.tiers import OffloadConfig, Tiers
from apps.physics.types import EngineConfig, Request
from bench.offload.service import HOST_LATENCY, HOST_LOAD, HOST_STORE, STEP
from bench.offload.truth import KV_BYTES
from bench.offload.workloads import BLOCK
from bench.offload.workloads import Request as Asked


def saved_by_simulator(
    requests: Sequence[Asked], device_tokens: int, host_bytes: int, chunk: int
) -> tuple[float, float]:
    """Seconds that one engine computes less with host memory, its loads taken off; and what it computes without."""
    without, _ = _busy(requests, device_tokens, None)
    size = int(KV_BYTES * BLOCK)
    blocks = chunk // BLOCK
    config = OffloadConfig(
        chunk_blocks=blocks,
        host_chunks=host_bytes // (size * blocks),
        block_bytes=size,
        load_bandwidth=HOST_LOAD,
        store_bandwidth=HOST_STORE,
        latency=HOST_LATENCY,
    )
    with_, loading = _busy(requests, device_tokens, Tiers(config))
    return without - with_ - loading, without


def _busy(requests: Sequence[Asked], device_tokens: int, tiers: Tiers | None) -> tuple[float, float]:
    """Seconds in steps, and seconds of loading."""
    config = EngineConfig(
        num_blocks=device_tokens // BLOCK + 1,
        block_size=BLOCK,
        max_model_len=device_tokens // 2,
        async_scheduling=False,
    )
    engine = Engine(config, STEP, tiers)
    busy = now = 0.0
    waiting = list(reversed(requests))
    while waiting or not engine.idle:
        while waiting and waiting[-1].at <= now:
            asked = waiting.pop()
            engine.submit(Request(f"r{len(waiting)}", asked.at, len(asked.blocks) * BLOCK + 1, asked.blocks, 1), now)
        plan = engine.next_step(now)
        if plan is None:
            now = max(now, min(waiting[-1].at if waiting else float("inf"), engine.wake_at))
            engine.settle(now)
            continue
        busy += plan.duration
        now += plan.duration
        engine.finish_step(now)
    loads = [t for t in tiers.activity.transfers if t.direction == "load"] if tiers is not None else []
    return busy, sum(load.seconds + HOST_LATENCY for load in loads)
