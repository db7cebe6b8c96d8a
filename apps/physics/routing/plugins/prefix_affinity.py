"""prefix-cache-affinity-filter: sticky until saturated.

Keeps the replicas whose prefix score is at least `affinityThreshold`, unless the best of them would be more than
`maxTTFTPenaltyMs` slower to a first token than the best of the others. TTFT in ms = tokens in flight /
peakPrefillThroughput * 1000, or as foretold by the latency predictor. No sticky replica: all are kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from apps.physics.routing.parameters import Parameter
from apps.physics.routing.plugin import PluginType
from apps.physics.routing.types import Candidate, Cycle


class PrefixAffinity:
    def __init__(
        self, producer: str, threshold: float, exploration: float, penalty_ms: float, source: str, throughput: float
    ) -> None:
        self._producer, self._threshold, self._exploration = producer, threshold, exploration
        self._penalty_ms, self._source, self._throughput = penalty_ms, source, throughput

    def keep(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[Candidate]:
        sticky = [each for each in candidates if cycle.match(self._producer, each.key).share >= self._threshold]
        if not sticky or len(sticky) == len(candidates):
            return list(candidates)
        if self._exploration and cycle.chance.random() < self._exploration:
            return list(candidates)
        if self._penalty_ms:
            held = {each.key for each in sticky}
            one = self._best(cycle, sticky)
            other = self._best(cycle, [each for each in candidates if each.key not in held])
            if one is None or other is None or one - other > self._penalty_ms:
                return list(candidates)
        return sticky

    def _best(self, cycle: Cycle, candidates: Sequence[Candidate]) -> float | None:
        if self._source == "latencyPredictor":
            known = [cycle.predicted[each.key].ttft * 1e3 for each in candidates if each.key in cycle.predicted]
            return min(known, default=None)
        return min(each.inflight_tokens / self._throughput * 1e3 for each in candidates)


PLUGINS = (
    PluginType(
        "prefix-cache-affinity-filter",
        "filter",
        "Only replicas that hold the prompt's beginning, until they are saturated",
        lambda parameters, wiring: PrefixAffinity(
            parameters["prefixMatchInfoProducerName"] or wiring.prefix_producer,
            parameters["affinityThreshold"],
            parameters["explorationProbability"],
            parameters["maxTTFTPenaltyMs"],
            parameters["ttftSource"],
            parameters["peakPrefillThroughput"],
        ),
        (
            Parameter("prefixMatchInfoProducerName", "string", ""),
            Parameter("affinityThreshold", "number", 0.8, least=0, most=1),
            Parameter("explorationProbability", "number", 0.0, least=0, most=1),
            Parameter("maxTTFTPenaltyMs", "number", 18_000.0, least=0),
            Parameter("ttftSource", "string", "prefillThroughput", choices=("prefillThroughput", "latencyPredictor")),
            Parameter("peakPrefillThroughput", "number", 15_928.0, least=1),
        ),
        releases=("current",),
        instead="prefix-cache-scorer",
    ),
)
