"""A pool that goes to zero against the ski-rental optimum: who knows every arrival keeps or restarts at the least cost.

The optimum has one replica: between two requests it is kept, or let go and started again just in time, whichever
holds the accelerator for less; nobody waits. The break-even rule, without foresight, costs at most twice as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.physics.fleet.types import Arrival

__all__ = ["Rental", "rental"]


@dataclass(frozen=True)
class Rental:
    """Hours that at least one replica holds its accelerators. `always`: kept all the time; `break_even`: the rule that
    keeps for as long as a start costs; `optimum`: known beforehand. `reachable`: share of requests that come while a
    replica of the break-even rule is there, or so late in its start that it is in time: whoever knows nothing
    beforehand, and starts at the first request as many as are needed, meets no more."""

    always: float
    break_even: float
    optimum: float
    reachable: float = 1.0


def rental(trace: Sequence[Arrival], *, start: float, work: float, seconds: float, patience: float = 0.0) -> Rental:
    """`start`: seconds of a start-up; `work`: that a request keeps a replica busy; `patience`: that it may wait for its
    first token."""
    edges = [0.0, *(each.time for each in trace), seconds]
    busy = 0.0
    best = ruled = 0.0
    until = 0.0
    for at in edges[1:]:
        gap = max(0.0, at - until)
        best += min(gap, start)
        # kept for `start`, then let go; the start that follows holds the accelerators too
        ruled += gap if gap <= start else 2 * start
        busy += max(0.0, min(at + work, seconds) - max(at, until)) if at < seconds else 0.0
        until = max(until, at + work)
    reachable = _reachable(trace, start, work, patience)
    return Rental(seconds / 3600, (busy + ruled) / 3600, (busy + best) / 3600, reachable)


def _reachable(trace: Sequence[Arrival], start: float, work: float, patience: float) -> float:
    """A replica is there at the beginning."""
    until = ready = 0.0
    met = 0
    for each in trace:
        if each.time - until > start:
            ready = each.time + start
        met += each.time >= ready - patience
        until = max(until, ready, each.time + work)
    return met / max(len(trace), 1)
