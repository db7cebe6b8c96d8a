"""How long replicas take to start, told from counts alone: who was asked for when, and how many became ready."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["follow"]

_LONGEST = 3600.0


def follow(
    asked: Sequence[float], *, ready_before: int | None, ready: int, starting: int, now: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The moments at which the replicas that still start were asked for, oldest first, and the seconds that those took
    which became ready since the tick before.

    asked: as it was then (Unix seconds). starting: replicas that are not ready now. A start of more than an hour, and
    the replicas found at the first look, say nothing of how long a start takes.
    """
    waiting = sorted(asked)
    took: list[float] = []
    if ready_before is not None:
        for _ in range(min(ready - ready_before, len(waiting))):
            seconds = now - waiting.pop(0)
            if 0 < seconds < _LONGEST:
                took.append(seconds)
    # gone without becoming ready: the youngest are taken back first
    waiting = waiting[: max(starting, 0)]
    waiting += [now] * (starting - len(waiting))
    return tuple(waiting), tuple(took)
