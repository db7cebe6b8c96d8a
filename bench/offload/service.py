"""How long an engine computes, loads and stores: measured on an H200, or the physics that was fitted to it.

Nothing here is the policy's: it rates configurations by a line and a parabola over sketches, this by roofline steps of
at most 8,192 tokens, by the measured link to host memory behind every volume, and by the measured price of storing.
"""

from __future__ import annotations

import numpy as np

from apps.physics.catalogue import ModelSize, step_time_for
from apps.physics.data import read
from bench.offload.fleet import Floats

# of vLLM's API server on such accelerators
STEP_TOKENS = 8192
STAGING_BYTES = 8 * 2**30
# prompts with a host tier that never hits took so much longer, alone on an H200 (bench/engine_fidelity/data, second
# sitting: 24.38 - 19.5, 60.65 - 55.3 and 235.59 - 221 ms; the first had 2.55 and 8.15 for the longer two), the shortest
# taken for what a prompt costs of which nothing is stored; at 32,768 tokens the difference was below the noise
_STORING_TOKENS, _STORING_SECONDS = (512.0, 2048.0, 8192.0), (0.0049, 0.0054, 0.0146)

STEP = step_time_for(ModelSize(8.03e9, 32, 16.06e9, 131_072), "nvidia-h200").step_time
_DATA = read("tiers.json")
HOST_LOAD, HOST_STORE, HOST_LATENCY = (float(_DATA["host"][name]) for name in ("load", "store", "latency"))
VOLUME_LATENCY = float(_DATA["filesystem"]["latency"])


def prefill_seconds(start: Floats, end: Floats) -> Floats:
    """Seconds to compute the tokens from `start` to `end` of each prompt, step by step."""
    total = np.zeros(len(start))
    rows = np.flatnonzero(end > start)
    done, until = start[rows], end[rows]
    while len(rows):
        count = np.minimum(until - done, STEP_TOKENS)
        linear = np.maximum(STEP.read + STEP.read_token * count, STEP.compute + STEP.compute_token * count)
        total[rows] += linear + STEP.prefill_request + STEP.attention_pair * count * (done + count / 2)
        done = done + count
        left = until > done
        rows, done, until = rows[left], done[left], until[left]
    return total


def storing_seconds(tokens: Floats) -> Floats:
    """By how much a tier slows a prompt of which so many tokens are computed and stored."""
    return np.interp(tokens, _STORING_TOKENS, _STORING_SECONDS)


def accepted_share(at: Floats, replica: Floats, written: Floats, bandwidth: float, room: float) -> float:
    """Of the bytes that replicas write, what finds room while earlier ones are still on their way: a prompt's bytes are
    taken whole or not at all."""
    free_at: dict[int, float] = {}
    taken = 0.0
    for now, which, size in zip(at.tolist(), replica.tolist(), written.tolist(), strict=True):
        begin = max(free_at.get(which, 0.0), now)
        if (begin - now) * bandwidth + size <= room:
            free_at[which] = begin + size / bandwidth
            taken += size
    whole = float(written.sum())
    return taken / whole if whole > 0 else 1.0
