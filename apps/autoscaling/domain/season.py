"""What the same time of earlier days and weeks leads to expect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from apps.autoscaling.domain.memory import VARIANT
from apps.autoscaling.domain.types import Policy, State

__all__ = ["DAY", "LOOK_BACKS", "WEEK", "Earlier", "expected_at", "horizon_of"]

DAY, WEEK = 86400.0, 7 * 86400.0
LOOK_BACKS = (DAY, WEEK)
_STARTUP = VARIANT.slices["startup"].start

Earlier = Mapping[float, Sequence[tuple[float, float, float]]]
"""By look-back: (end in Unix seconds, seconds, requests) of rows around that time, in order of time."""


def expected_at(earlier: Earlier, moment: float) -> float | None:
    """Requests/s at `moment`: the mean of the days and weeks that are known, each straight between the middles of its
    rows. None where no row is near."""
    found = []
    for look_back, rows in earlier.items():
        then = moment - look_back
        middles = [end - seconds / 2 for end, seconds, _ in rows]
        if not rows or not middles[0] - rows[0][1] <= then <= middles[-1] + rows[-1][1]:
            continue
        found.append(float(np.interp(then, middles, [count / seconds for _, seconds, count in rows])))
    return sum(found) / len(found) if found else None


def horizon_of(policy: Policy, state: State) -> float:
    """Seconds ahead that a decision looks: the slowest start-up, measured where it is, and a tick."""
    starts = [variant.startup for variant in policy.variants]
    for at, variant in enumerate(policy.variants):
        row = state.variants.get(variant.name)
        if row is not None and len(row) == VARIANT.size and row[_STARTUP] >= 0:
            starts[at] = row[_STARTUP]
    return max(starts, default=0.0) + policy.tick
