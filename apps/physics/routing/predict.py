"""Latency foretold per replica, learned from what was seen: the part of llm-d's training and prediction servers.

llm-d fits gradient-boosted trees to the 90th percentile each second. Here a line is fitted online (recursive least
squares with forgetting) to the same features, and the 90th percentile of what was seen over what was foretold is
followed step by step. It needs no server beside the picker; it bends less than trees do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.physics.routing.types import Predicted

LEAST_SAMPLES = 100
"""Observations before anything is foretold (`LATENCY_MIN_SAMPLES_FOR_RETRAIN`)."""
QUANTILE = 0.9
FORGET = 0.999
_STEP = 0.02
_FLOOR = 1e-4


@dataclass(frozen=True, slots=True)
class Features:
    """What a request met on a replica when it was sent. uncached: prompt tokens to compute; inflight: prompt tokens of
    others still to compute; kv: share of the cache in use."""

    prompt: int
    uncached: int
    inflight: int
    waiting: int
    running: int
    kv: float


class Line:
    """An online fit of a positive quantity (seconds) with its 90th percentile."""

    def __init__(self, width: int) -> None:
        self._weights: NDArray[np.float64] = np.zeros(width)
        self._spread: NDArray[np.float64] = np.eye(width) * 100.0
        self._margin = 1.0
        self.samples = 0

    def learn(self, x: NDArray[np.float64], seen: float) -> None:
        mean = float(self._weights @ x)
        if self.samples >= LEAST_SAMPLES // 2:
            above = seen > self._margin * max(mean, _FLOOR)
            self._margin *= 1 + _STEP * (QUANTILE if above else QUANTILE - 1)
            self._margin = min(max(self._margin, 0.5), 20.0)
        gain = self._spread @ x
        gain /= FORGET + float(x @ gain)
        self._weights += gain * (seen - mean)
        self._spread = (self._spread - np.outer(gain, x @ self._spread)) / FORGET
        # without news in a direction forgetting would let its spread grow without end
        if self._spread.trace() > 1e6:
            self._spread *= 1e3 / self._spread.trace()
        self.samples += 1

    def foretell(self, x: NDArray[np.float64]) -> float:
        return max(float(self._weights @ x), _FLOOR) * self._margin


class Predictor:
    """Learns from `learn`, foretells with `foretell`; None until it has seen enough."""

    def __init__(self) -> None:
        self._first, self._between = Line(6), Line(4)

    @property
    def samples(self) -> int:
        return self._first.samples

    def learn(self, met: Features, ttft: float, tpot: float | None) -> None:
        """A request that met this had these latencies (seconds); tpot None: a single token."""
        self._first.learn(_first(met), ttft)
        if tpot is not None:
            self._between.learn(_between(met), tpot)

    def foretell(self, met: Features) -> Predicted | None:
        if self._first.samples < LEAST_SAMPLES:
            return None
        return Predicted(self._first.foretell(_first(met)), self._between.foretell(_between(met)))


def _first(met: Features) -> NDArray[np.float64]:
    return np.array(
        [1.0, met.uncached / 1e3, met.inflight / 1e3, met.waiting / 10, met.running / 100, met.waiting * met.kv / 10]
    )


def _between(met: Features) -> NDArray[np.float64]:
    return np.array([1.0, met.running / 100, met.kv, (met.uncached + met.inflight) / 1e4])
