"""token-load-scorer: 1 - min(1, tokens / threshold).

tokens: prompt tokens in flight there that no cache holds, and those of this request that it would have to compute: so
a warm replica costs less in the unit that it is compared in.
"""

from __future__ import annotations

from collections.abc import Sequence

from apps.physics.routing.parameters import Parameter
from apps.physics.routing.plugin import PluginType
from apps.physics.routing.types import Candidate, Cycle


class TokenLoad:
    def __init__(self, threshold: float, producer: str) -> None:
        self._threshold, self._producer = threshold, producer

    def score(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[float]:
        return [
            1 - min(1.0, (each.inflight_tokens + cycle.uncached(self._producer, each.key)) / self._threshold)
            for each in candidates
        ]


PLUGINS = (
    PluginType(
        "token-load-scorer",
        "scorer",
        "Fewest prompt tokens in flight",
        lambda parameters, wiring: TokenLoad(parameters["queueThresholdTokens"], wiring.inflight_producer),
        (
            Parameter("queueThresholdTokens", "integer", 4_194_304, least=1),
            Parameter("nonTextTokenWeight", "number", 1.0, least=0),
        ),
        releases=("current",),
        instead="queue-scorer",
    ),
)
