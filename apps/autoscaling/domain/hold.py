"""What was needed lately keeps replicas: nobody goes before a lower need has lasted, and not all at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import (
    Figures,
    anywhere,
    ceil,
    column,
    each,
    floor,
    larger,
    lone,
    rows_of,
    smaller,
    where,
)
from apps.autoscaling.domain.memory import HOLD_PARTS, LONGEST_HOLD, Memory

__all__ = ["held"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# seconds of a part
_PART = LONGEST_HOLD / HOLD_PARTS


def held(memory: Memory, row: Ints, now: Floats, kept: Floats, standing: Floats, hold: Floats) -> Figures:
    """The most that groups needed within the last `hold` seconds, `kept` of them now. Not more than a quarter of what
    is `standing` goes at once: what holds for the last of them may not for the first. row: (groups,) where each group's
    memory is; all others are figures of groups."""
    every, begun = memory.row("hold_parts"), memory.row("hold_from")
    parts, since = each(every, row), lone(begun[row])
    fresh = (since < 0) | (now - since > LONGEST_HOLD)
    if anywhere(fresh):
        since = where(fresh, now, since)
        parts = np.where(column(fresh), column(larger(ceil(standing), kept)), parts)
    over = now - since >= _PART
    while anywhere(over):
        since = where(over, since + _PART, since)
        older = np.concatenate([np.zeros((len(parts), 1)), parts[:, :-1]], axis=1)
        parts = np.where(column(over), older, parts)
        over = now - since >= _PART
    parts[:, 0] = larger(lone(parts[:, 0]), kept)
    begun[row] = since
    if parts is not every:
        every[row] = parts
    # the first part has just begun, so that the last one counts too in which the hold ends
    reach = smaller(ceil(larger(hold - (now - since), 0.0) / _PART), HOLD_PARTS - 1.0)
    place = np.asarray(rows_of(reach), dtype=np.int64)
    recent = lone(np.maximum.accumulate(parts, axis=1)[np.arange(len(parts)), place])
    return larger(recent, floor(standing) - larger(floor(standing / 4), 1.0))
