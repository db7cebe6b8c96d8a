"""no-hit-lru-scorer: spreads cold prefills.

A warm request (some candidate holds a block of it) scores 0.5 everywhere. A cold one scores candidates that never had
a cold request first, then by how long ago they had one: from 1 down to 0.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from apps.physics.routing.parameters import Parameter
from apps.physics.routing.plugin import PluginType
from apps.physics.routing.types import Candidate, Cycle, Endpoint

NEUTRAL = 0.5


class NoHitLru:
    def __init__(self, producer: str, size: int) -> None:
        self._producer, self._size = producer, size
        self._used: OrderedDict[str, None] = OrderedDict()

    def score(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[float]:
        if self._warm(cycle):
            return [NEUTRAL] * len(candidates)
        if len(candidates) == 1:
            return [1.0]
        age = {key: position for position, key in enumerate(self._used)}
        # never used comes before the longest unused; among equals the order of the candidates
        ranked = sorted(range(len(candidates)), key=lambda index: age.get(candidates[index].key, -1))
        scores = [0.0] * len(candidates)
        for rank, index in enumerate(ranked):
            scores[index] = 1 - rank / (len(candidates) - 1)
        return scores

    def routed(self, cycle: Cycle, profile: str, chosen: Endpoint) -> None:
        if self._warm(cycle):
            return
        self._used[chosen.key] = None
        self._used.move_to_end(chosen.key)
        while len(self._used) > self._size:
            self._used.popitem(last=False)

    def forget(self, key: str) -> None:
        self._used.pop(key, None)

    def _warm(self, cycle: Cycle) -> bool:
        return any(match.blocks for match in cycle.matches.get(self._producer, {}).values())


PLUGINS = (
    PluginType(
        "no-hit-lru-scorer",
        "scorer",
        "Cold requests go where the last cold one was longest ago",
        lambda parameters, wiring: NoHitLru(
            parameters["prefixMatchInfoProducerName"] or parameters["prefixPluginName"] or wiring.prefix_producer,
            parameters["lruSize"],
        ),
        (
            Parameter("prefixPluginType", "string", ""),
            Parameter("prefixPluginName", "string", ""),
            Parameter("prefixMatchInfoProducerName", "string", ""),
            Parameter("lruSize", "integer", 1024, least=1),
        ),
    ),
)
