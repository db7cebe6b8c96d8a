"""What was needed lately keeps replicas: nobody goes before a lower need has lasted, and not all at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import Figures, ceil, column, each, floor, larger, lone, rows_of, where
from apps.autoscaling.domain.memory import HOLD_LEVELS, LONGEST_HOLD, Memory

__all__ = ["held"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_PLACES = np.arange(HOLD_LEVELS)


def held(memory: Memory, row: Ints, now: Floats, kept: Floats, standing: Floats, hold: Floats) -> Figures:
    """The most that groups needed within the last `hold` seconds, `kept` of them now. Not more than a quarter of what
    is `standing` goes at once: what holds for the last of them may not for the first. row: (groups,) where each group's
    memory is; all others are figures of groups.

    Remembered are needs in falling order, each with when it was last there: of an earlier and lower one nobody asks any
    more (the maximum of a sliding window by a monotonic queue).
    """
    every, every_at = memory.row("hold_needs"), memory.row("hold_at")
    needs, seen = each(every, row), each(every_at, row)
    newest = lone(np.maximum.reduce(seen, axis=1))
    fresh = (newest < 0) | (now - newest > LONGEST_HOLD)
    needed = where(fresh, larger(ceil(standing), kept), kept)
    stays = (needs > column(needed)) & (seen >= column(where(fresh, np.inf, now - LONGEST_HOLD)))
    number = np.add.reduce(stays, axis=1, dtype=np.int64)
    order = np.argsort(~stays, axis=1, kind="stable")
    there = number[:, None] > _PLACES
    needs = np.where(there, np.take_along_axis(needs, order, axis=1), 0.0)
    seen = np.where(there, np.take_along_axis(seen, order, axis=1), -1.0)
    # where more levels are remembered than there is room for, the lowest of them is needed for longer than it was
    groups, last = np.arange(len(needs)), np.minimum(number, HOLD_LEVELS - 1)
    needs[groups, last] = np.maximum(needs[groups, last], rows_of(needed))
    seen[groups, last] = rows_of(now)
    every[row], every_at[row] = needs, seen
    recent = lone(np.maximum.reduce(np.where(seen >= column(now - hold), needs, 0.0), axis=1))
    return larger(recent, floor(standing) - larger(floor(standing / 4), 1.0))
