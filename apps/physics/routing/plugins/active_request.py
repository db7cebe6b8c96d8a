"""active-request-scorer: 1 up to `idleThreshold` requests in flight, else (max - c) / max times `maxBusyScore`."""

from __future__ import annotations

from collections.abc import Sequence

from apps.physics.routing.parameters import Parameter
from apps.physics.routing.plugin import PluginType
from apps.physics.routing.types import Candidate, Cycle


class ActiveRequests:
    def __init__(self, idle: int, busiest: float) -> None:
        self._idle, self._busiest = idle, busiest

    def score(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[float]:
        counts = [each.inflight_requests for each in candidates]
        most = max(counts, default=0)
        return [1.0 if count <= self._idle else (most - count) / most * self._busiest for count in counts]


PLUGINS = (
    PluginType(
        "active-request-scorer",
        "scorer",
        "Fewest requests in flight from this picker",
        lambda parameters, _wiring: ActiveRequests(parameters["idleThreshold"], parameters["maxBusyScore"]),
        (
            Parameter("idleThreshold", "integer", 0, least=0),
            Parameter("maxBusyScore", "number", 1.0, least=0, most=1),
            Parameter("requestTimeout", "duration", 120.0),
        ),
    ),
)
