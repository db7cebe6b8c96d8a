"""utilization-detector and concurrency-detector: how full the pool is, and as filters which replicas take no more.

Saturation of the pool: mean over the replicas of max(queue / 5, KV usage / 0.8); or requests in flight / capacity. What
is not known counts as full: a scrape outage halts what waits. As a filter: queue <= 5 (1 + headroom) and KV usage
<= min(1, 0.8 (1 + headroom)); if nobody passes, all do.
"""

from __future__ import annotations

from collections.abc import Sequence

from apps.physics.routing.parameters import Parameter
from apps.physics.routing.plugin import PluginType
from apps.physics.routing.types import Candidate, Cycle


class Utilization:
    def __init__(self, queue: int, kv: float, headroom: float) -> None:
        self._queue, self._kv, self._headroom = queue, kv, headroom

    def saturation(self, candidates: Sequence[Candidate]) -> float:
        """0 is idle, 1 is full."""
        if not candidates:
            return 1.0
        scores = [
            max(each.load.waiting / self._queue, each.load.kv_usage / self._kv) if each.load else 1.0
            for each in candidates
        ]
        return sum(scores) / len(scores)

    def room(self, candidates: Sequence[Candidate]) -> float:
        """Requests that may be let go before the pool counts as full."""
        return float("inf") if self.saturation(candidates) < 1 else 0.0

    def keep(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[Candidate]:
        queue, kv = self._queue * (1 + self._headroom), min(1.0, self._kv * (1 + self._headroom))
        passing = [each for each in candidates if each.load and each.load.waiting <= queue and each.load.kv_usage <= kv]
        return passing or list(candidates)


class Concurrency:
    def __init__(self, most: int, headroom: float) -> None:
        self.most, self._headroom = most, headroom

    def saturation(self, candidates: Sequence[Candidate]) -> float:
        """0 is idle, 1 is full."""
        if not candidates:
            return 1.0
        return sum(each.inflight_requests for each in candidates) / (self.most * len(candidates))

    def room(self, candidates: Sequence[Candidate]) -> float:
        """Requests that may be let go before each replica has as many as it may."""
        return float(sum(max(0, self.most - each.inflight_requests) for each in candidates))

    def keep(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[Candidate]:
        most = self.most * (1 + self._headroom)
        return [each for each in candidates if each.inflight_requests < most] or list(candidates)


PLUGINS = (
    PluginType(
        "utilization-detector",
        "detector",
        "Full by queue and KV cache",
        lambda parameters, _wiring: Utilization(
            parameters["queueDepthThreshold"], parameters["kvCacheUtilThreshold"], parameters["headroom"]
        ),
        (
            Parameter("queueDepthThreshold", "integer", 5, least=1),
            Parameter("kvCacheUtilThreshold", "number", 0.8, least=0.01, most=1),
            Parameter("metricsStalenessThreshold", "duration", 0.2),
            Parameter("headroom", "number", 0.0, least=0),
        ),
    ),
    PluginType(
        "concurrency-detector",
        "detector",
        "Full by requests in flight",
        lambda parameters, _wiring: Concurrency(parameters["maxConcurrency"], parameters["headroom"]),
        (
            Parameter("maxConcurrency", "integer", 100, least=1),
            Parameter("headroom", "number", 0.0, least=0),
        ),
    ),
)
