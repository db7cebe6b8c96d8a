"""max-score-picker: highest first, ties by chance. weighted-random-picker: by key U^(1/score), the largest first (so
the first is drawn in proportion to the scores). random-picker: by chance alone."""

from __future__ import annotations

from collections.abc import Sequence

from apps.physics.routing.parameters import Parameter
from apps.physics.routing.plugin import PluginType
from apps.physics.routing.types import Cycle

PARAMETERS = (Parameter("maxNumOfEndpoints", "integer", 1, least=1),)


class MaxScore:
    def order(self, cycle: Cycle, totals: Sequence[float]) -> list[int]:
        keys = [(total, cycle.chance.random()) for total in totals]
        return sorted(range(len(totals)), key=keys.__getitem__, reverse=True)


class WeightedRandom:
    def order(self, cycle: Cycle, totals: Sequence[float]) -> list[int]:
        chance = cycle.chance
        keys = [(chance.random() ** (1 / total) if total > 0 else 0.0, chance.random()) for total in totals]
        return sorted(range(len(totals)), key=keys.__getitem__, reverse=True)


class Random:
    def order(self, cycle: Cycle, totals: Sequence[float]) -> list[int]:
        keys = [cycle.chance.random() for _ in totals]
        return sorted(range(len(totals)), key=keys.__getitem__)


PLUGINS = (
    PluginType("max-score-picker", "picker", "The highest sum", lambda _p, _w: MaxScore(), PARAMETERS),
    PluginType(
        "weighted-random-picker", "picker", "By chance, in proportion", lambda _p, _w: WeightedRandom(), PARAMETERS
    ),
    PluginType("random-picker", "picker", "By chance", lambda _p, _w: Random(), PARAMETERS),
)
