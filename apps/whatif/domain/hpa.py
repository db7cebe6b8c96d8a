"""Kubernetes HPA v2 as it decides (autoscaling/v2, Kubernetes 1.33 documentation).

desired = ceil(replicas * ratio), ratio = total / target / replicas for AverageValue, total / target for Value; the
largest of several metrics; within a tolerance of 0.1 nothing changes. Up: at most max(100 %, 4 pods) per sync of 15 s;
down: to the highest recommendation of the stabilisation window (300 s).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

SYNC, TOLERANCE, STABILISATION = 15.0, 0.1, 300.0


class Hpa:
    """One HPA between `least` and `most` replicas; `decide` is called every SYNC seconds."""

    def __init__(self, least: int, most: int, stabilisation: float = STABILISATION) -> None:
        self.least, self.most, self.stabilisation = least, most, stabilisation
        self._said: list[tuple[float, int]] = []

    def decide(self, now: float, current: int, ratios: Sequence[float]) -> int:
        """Replicas wanted. ratios: what each metric is, in multiples of its target."""
        wanted = max(current if abs(r - 1) <= TOLERANCE else math.ceil(r * max(current, 1)) for r in ratios)
        wanted = min(self.most, max(self.least, wanted))
        self._said = [*(each for each in self._said if each[0] > now - self.stabilisation), (now, wanted)]
        if wanted > current:
            return min(wanted, max(2 * current, current + 4))
        return min(current, max(value for _at, value in self._said))
