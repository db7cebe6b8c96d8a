"""load-aware-scorer: 0.5 (1 - waiting / threshold), between 0 and 0.5."""

from __future__ import annotations

from collections.abc import Sequence

from apps.physics.routing.parameters import Parameter
from apps.physics.routing.plugin import PluginType
from apps.physics.routing.types import Candidate, Cycle


class LoadAware:
    def __init__(self, threshold: float) -> None:
        self._threshold = threshold

    def score(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[float]:
        return [0.5 * (1 - min(1.0, each.load.waiting / self._threshold)) if each.load else 0.0 for each in candidates]


PLUGINS = (
    PluginType(
        "load-aware-scorer",
        "scorer",
        "Waiting requests against a threshold",
        lambda parameters, _wiring: LoadAware(parameters["threshold"]),
        (Parameter("threshold", "integer", 128, least=1),),
    ),
)
