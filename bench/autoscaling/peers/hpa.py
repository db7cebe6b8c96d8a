"""Kubernetes HPA v2 (autoscaling/v2, Kubernetes 1.33 documentation) on external metrics, as vLLM guides set it up.

desired = ceil(total / target) for AverageValue, ceil(replicas * total / target) for Value; the largest of several
metrics; within a tolerance of 0.1 nothing changes. Sync every 15 s. Up: at most max(100 %, 4 pods) per 15 s; down:
to the highest recommendation of 300 s. Metrics that cannot be read: no change. llm-d's pair (documentation v0.8,
hpa-epp): queue of the endpoint picker as Value, running requests as AverageValue. Knob: the target.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.autoscaling.peers.base import Peer, View, Window

TOLERANCE = 0.1


@dataclass(frozen=True)
class Metric:
    """total: of the pool."""

    total: Callable[[View], float]
    target: float
    kind: Literal["Value", "AverageValue"] = "AverageValue"

    def wanted(self, view: View) -> int:
        current = max(view.replicas, 1)
        total = self.total(view)
        ratio = total / self.target / (1 if self.kind == "Value" else current)
        return current if abs(ratio - 1) <= TOLERANCE else math.ceil(ratio * current)


def queue(view: View) -> float:
    return float(sum(view.waiting) + view.held)


def running(view: View) -> float:
    return float(view.in_flight)


def kv(view: View) -> float:
    return sum(view.kv)


class Hpa(Peer):
    def __init__(self, least: int, most: int, metrics: Sequence[Metric], stabilisation: float = 300.0) -> None:
        super().__init__(least, most)
        self.metrics = metrics
        self._down = Window(stabilisation)

    def decide(self, view: View) -> int:
        current = view.replicas
        if not view.readable:
            return current
        wanted = max(metric.wanted(view) for metric in self.metrics)
        wanted = min(self.most, max(self.least, wanted))
        self._down.say(view.now, wanted)
        if wanted > current:
            return min(wanted, max(2 * current, current + 4))
        return min(current, self._down.highest())


def on_queue(least: int, most: int, target: float) -> Hpa:
    return Hpa(least, most, [Metric(queue, target)])


def on_kv(least: int, most: int, target: float) -> Hpa:
    return Hpa(least, most, [Metric(kv, target)])


def on_running(least: int, most: int, target: float) -> Hpa:
    return Hpa(least, most, [Metric(running, target)])


def epp_pair(least: int, most: int, target: float) -> Hpa:
    """Queue 10 as in the guide; the running target is the knob (the guide: 32)."""
    return Hpa(least, most, [Metric(queue, 10.0, "Value"), Metric(running, target)])
