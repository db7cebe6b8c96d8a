"""Which of many simulated windows could have been the measured one.

A measured Poisson window is one draw of a random process whose arrivals nobody wrote down. Near saturation its TTFT
follows from when the arrivals bunched: two windows of the same rate differ by a factor of two. What is known of each
window beside its latencies is how it left the engine: the gauges at the end of arrivals and the time until the last
answer was there. Those of many simulated windows that left the simulator most alike tell what such a window looks like
(approximate Bayesian computation by rejection; the tolerance is the distance that keeps `SHARE` of them). The latencies
that are judged have no part in the choice. A window that ended with fewer than `CROWDED` requests in the engine is not
conditioned: the gauge of a handful of requests is chance, and choosing by it only makes the median noisier.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.engine_fidelity.simulated import Simulator

DRAWS = 160
CROWDED = 20
SHARE = 0.1
# how the engine was left, and what a measured value stands for at best (gauges are read once, drain_s has one digit)
LEFT = {"running": 1.0, "waiting": 1.0, "kv_usage": 0.002, "drain_s": 0.05}
_GAUGES = {
    "running": "vllm:num_requests_running{}",
    "waiting": "vllm:num_requests_waiting{}",
    "kv_usage": "vllm:kv_cache_usage_perc{}",
}


@dataclass(frozen=True)
class Windows:
    """Draws of one measured window (`all`), those that left the engine most alike (`alike`), and how far the last of
    these was from it: root mean square over what is compared, in standard deviations of the draws."""

    all: list[dict[str, float]]
    alike: list[dict[str, float]]
    tolerance: float


def left(row: Mapping[str, Any]) -> dict[str, float]:
    """How the measured window left the engine."""
    return {name: row["end"][gauge] for name, gauge in _GAUGES.items()} | {"drain_s": row["drain_s"]}


def choose(draws: Sequence[dict[str, float]], measured: Mapping[str, float]) -> Windows:
    """The share of `draws` nearest to `measured` in what LEFT names; all when the engine was left near empty."""
    if measured["running"] + measured["waiting"] < CROWDED:
        return Windows(list(draws), list(draws), math.inf)
    values = np.array([[draw[name] for name in LEFT] for draw in draws])
    scale = np.hypot(values.std(axis=0), list(LEFT.values()))
    distance = np.sqrt(np.mean(((values - [measured[name] for name in LEFT]) / scale) ** 2, axis=1))
    nearest = np.argsort(distance, kind="stable")[: max(1, round(SHARE * len(draws)))]
    return Windows(list(draws), [draws[index] for index in nearest], float(distance[nearest[-1]]))


def draw_windows(simulator: Simulator, rows: Sequence[dict[str, Any]]) -> list[Windows]:
    """The windows of each row, drawn on all cores."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = [[pool.submit(simulator.poisson, row, seed) for seed in range(DRAWS)] for row in rows]
        return [choose([job.result() for job in drawn], left(row)) for row, drawn in zip(rows, jobs, strict=True)]
