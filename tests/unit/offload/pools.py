"""A pool whose conversations come back after the device has forgotten them, for tests of decisions."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Any

from apps.offload.domain.reuse import ALL, Reuse
from apps.offload.domain.types import Bandwidth, Configuration, Policy, Signals, TierPolicy, Window
from tests.unit.offload.devices import Device

GIB = 2**30
SIZE = 512
HOST = Bandwidth(41.6e9, 53.6e9)
SLOW = Bandwidth(2e9, 1.1e9, 0.02, "probe")

# the H200 of the calibration: 128 KiB of KV a token, 2,048 tokens in 55 ms, 32,768 in 1.24 s
POLICY = Policy(
    mode="auto",
    kv_bytes=131_072.0,
    token=24e-6,
    pair=0.83e-9,
    price=3.2,
    tiers=(TierPolicy("host", 256 * GIB), TierPolicy("filesystem", 1024 * GIB, claim="kv")),
    variant="h200",
    evidence=900.0,
)


@functools.cache
def watched(
    conversations: int = 150, rounds: int = 8, tokens: int = 8192, device: int = 320_000
) -> tuple[Reuse, Device]:
    """150 conversations of 8,192 tokens, each asked for eight times in turn over half an hour."""
    conversations, rounds, device = 150, 8, 320_000
    blocks = 8192 // SIZE
    reuse, kept = Reuse(), Device(device // SIZE, SIZE)
    at = 0.0
    for _ in range(rounds):
        for number in range(conversations):
            prompt = [number * 1000 + index + 1 for index in range(blocks)]
            reuse.apply("a", kept.request(prompt), at)
            at += 1800.0 / (rounds * conversations)
    reuse.settle(at, 1.0)
    return reuse, kept


def signals(bandwidths: dict[str, Bandwidth] | None = None, **changes: Any) -> Signals:
    reuse, device = watched()
    found = Signals(
        window=1800.0,
        replica=reuse.replica[ALL].to_json(),
        pool=reuse.pool[ALL].to_json(),
        device_hits=float(device.hits * SIZE),
        wanted=float(device.wanted * SIZE),
        requests=1200.0,
        replicas=1.0,
        bandwidths={"host": HOST, "filesystem": SLOW} if bandwidths is None else bandwidths,
        standing=Configuration(),
    )
    return replace(found, **changes)


def window(hit: float, *, prompt: float = 1e6, bandwidth: float = 41.6e9, **changes: Any) -> Window:
    """What replicas did that found this share of their prompt tokens in a tier."""
    loaded = prompt * hit
    seconds = loaded * 131_072 / bandwidth
    found = Window(600.0, prompt, prompt - loaded, 0.0, loaded, seconds, prompt / 8192, prompt / 8192 * 0.25)
    return replace(found, **changes)
