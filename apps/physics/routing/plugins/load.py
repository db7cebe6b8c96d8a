"""queue-scorer, running-requests-scorer: (max - x) / (max - min) over the candidates, 1 where all are equal.

Relative: a queue of 1 beside one of 0 scores 0 against 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from apps.physics.routing.plugin import PluginType
from apps.physics.routing.types import Candidate, Cycle, Load


class Fewest:
    def __init__(self, read: Callable[[Load], int]) -> None:
        self._read = read

    def score(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[float]:
        values = [None if each.load is None else self._read(each.load) for each in candidates]
        known = [value for value in values if value is not None]
        if not known:
            return [0.0] * len(values)
        least, most = min(known), max(known)
        if least == most:
            return [0.0 if value is None else 1.0 for value in values]
        return [0.0 if value is None else (most - value) / (most - least) for value in values]


PLUGINS = (
    PluginType("queue-scorer", "scorer", "Fewest waiting requests", lambda _p, _w: Fewest(lambda load: load.waiting)),
    PluginType(
        "running-requests-scorer", "scorer", "Fewest running requests", lambda _p, _w: Fewest(lambda load: load.running)
    ),
)
