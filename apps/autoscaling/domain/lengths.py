"""Lengths of prompts and outputs: the buckets they are remembered in, and what is taken for them before any is seen."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.memory import OUTPUT_EDGES, PROMPT_EDGES
from apps.autoscaling.domain.types import Distribution, Observed
from apps.telemetry.domain.histogram import Bucket

__all__ = ["BUCKETS", "CENTERS", "MIDDLES", "ByLength", "prior_shares", "table"]

Floats = NDArray[np.float64]

# log2 of the shortest bucket of prompts and of outputs
_FIRST = (4, 0)
BUCKETS = PROMPT_EDGES
assert PROMPT_EDGES == OUTPUT_EDGES
_PRIOR_SIGMA = 0.8
_EDGES: Floats = (np.array(_FIRST)[:, None] + np.arange(float(BUCKETS)))[:, None, :]
# tokens in the middle of each bucket (kinds, 1, buckets), and their logarithms
CENTERS: Floats = np.exp2(_EDGES)
_LOG_CENTERS: Floats = _EDGES * math.log(2.0)


def _middle(low: float, high: float) -> float:
    if math.isinf(high):
        return 1.5 * max(low, 0.0)
    low = max(low, 0.0)
    return (low + high) / 2


class _Middles(dict[Bucket, float]):
    """The middle of each of a histogram's buckets, by its edges. Engines have few different ones."""

    def __missing__(self, edges: Bucket) -> float:
        if len(self) >= 4096:
            self.clear()
        found = self[edges] = _middle(*edges)
        return found


MIDDLES = _Middles()


class _Places(dict[Bucket, int]):
    """The bucket of lengths that a histogram's bucket falls into, by its edges."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self.first = first

    def __missing__(self, edges: Bucket) -> int:
        if len(self) >= 4096:
            self.clear()
        tokens = max(_middle(*edges), 1.0)
        found = self[edges] = min(max(round(math.log2(tokens)) - self.first, 0), BUCKETS - 1)
        return found


_PLACES = tuple(_Places(first) for first in _FIRST)


class ByLength:
    """Requests by length of many pools, prompts (kind 0) or outputs (kind 1): their counts, the buckets that these are
    in, and the pool of each."""

    def __init__(self, kind: int) -> None:
        self.place = _PLACES[kind].__getitem__
        self.places: list[int] = []
        self.counts: list[float] = []
        self.pools: list[int] = []
        self.sizes: list[int] = []

    def add(self, pool: int, observed: Observed) -> tuple[float, float]:
        """Takes in lengths of a pool; their tokens and number, 0 where the tokens are not known."""
        if type(observed) is not Distribution:
            return 0.0, 0.0
        found = observed.histogram.counts
        self.places += map(self.place, found)
        self.counts += found.values()
        self.pools.append(pool)
        self.sizes.append(len(found))
        return (0.0, 0.0) if observed.sum is None else (observed.sum, sum(found.values()))


def table(kinds: tuple[ByLength, ByLength], pools: int) -> Floats:
    """Counts of both (2, pools, buckets)."""
    first, second = kinds
    places = np.array(first.places + second.places, dtype=np.int64)
    owners = np.array(first.pools + [pool + pools for pool in second.pools], dtype=np.int64)
    places += owners.repeat(first.sizes + second.sizes) * BUCKETS
    counted = np.bincount(places, first.counts + second.counts, 2 * pools * BUCKETS)
    return np.asarray(counted.reshape(2, pools, BUCKETS), dtype=np.float64)


def prior_shares(means: Floats) -> Floats:
    """Shares (kinds, pools, buckets) of log-normal lengths of prompts and outputs with these means (kinds, pools),
    where none have been seen."""
    if means.shape[1] == 1:
        return _prior_shares(*means[:, 0].tolist())
    return _log_normal(means)


@lru_cache(maxsize=4096)
def _prior_shares(prompt: float, output: float) -> Floats:
    return _log_normal(np.array([[prompt], [output]]))


def _log_normal(means: Floats) -> Floats:
    center = np.log(np.maximum(means, 1.0)) - _PRIOR_SIGMA**2 / 2
    weight = np.exp(-0.5 * ((_LOG_CENTERS - center[:, :, None]) / _PRIOR_SIGMA) ** 2) + 1e-12
    return np.asarray(weight / weight.sum(axis=2, keepdims=True), dtype=np.float64)
