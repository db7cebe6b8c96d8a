"""Kubernetes HPA v2 on external metrics, as vLLM guides set it up: the algorithm is apps.whatif.domain.hpa (formula and
version there). Metrics that cannot be read: no change. llm-d's pair (documentation v0.8, hpa-epp): queue of the
endpoint picker as Value, running requests as AverageValue. Knob: the target.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from apps.whatif.domain.hpa import STABILISATION
from apps.whatif.domain.hpa import Hpa as Algorithm
from bench.autoscaling.peers.base import Peer, View


@dataclass(frozen=True)
class Metric:
    """total: of the pool."""

    total: Callable[[View], float]
    target: float
    kind: Literal["Value", "AverageValue"] = "AverageValue"

    def ratio(self, view: View) -> float:
        """Of the metric to its target."""
        return self.total(view) / self.target / (1 if self.kind == "Value" else max(view.replicas, 1))


def queue(view: View) -> float:
    return float(sum(view.waiting) + view.held)


def running(view: View) -> float:
    return float(view.in_flight)


def kv(view: View) -> float:
    return sum(view.kv)


class Hpa(Peer):
    def __init__(self, least: int, most: int, metrics: Sequence[Metric], stabilisation: float = STABILISATION) -> None:
        super().__init__(least, most)
        self.metrics = metrics
        self._algorithm = Algorithm(least, most, stabilisation)

    def decide(self, view: View) -> int:
        if not view.readable:
            return view.replicas
        return self._algorithm.decide(view.now, view.replicas, [metric.ratio(view) for metric in self.metrics])


def on_queue(least: int, most: int, target: float) -> Hpa:
    return Hpa(least, most, [Metric(queue, target)])


def on_kv(least: int, most: int, target: float) -> Hpa:
    return Hpa(least, most, [Metric(kv, target)])


def on_running(least: int, most: int, target: float) -> Hpa:
    return Hpa(least, most, [Metric(running, target)])


def epp_pair(least: int, most: int, target: float) -> Hpa:
    """Queue 10 as in the guide; the running target is the knob (the guide: 32)."""
    return Hpa(least, most, [Metric(queue, 10.0, "Value"), Metric(running, target)])
