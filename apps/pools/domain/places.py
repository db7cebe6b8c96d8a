"""Which of a group's sets of accelerators a pool asks for, where its engines sleep on each of them.

Each set has a turn of its own (domain/turns), so that as many pools are awake at once as there are sets, and at most
one on each. A pool that waits takes a set that is free; else it waits for the one that will be given up soonest, and
stays in that queue until it has one, so that nobody who goes from queue to queue is overtaken for ever. A second engine
is woken only where one more set stays free for whoever is asked next, and is given up before anybody's only one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.pools.domain.turns import Member, Turn

__all__ = ["Need", "asked", "room_to_spare", "serving"]


@dataclass(frozen=True)
class Need:
    """A pool as it looks at its group. `wanted`: engines that it is to have awake; `waits`: requests wait for one;
    `engines`: what it says of itself on each set; `there`: whether it has an engine on the set at all (the first on a
    set has to be started, which takes minutes); `clear`: whether the engines of all others on the set are known to
    sleep; `idle`: seconds that the holder of the set has been without work, as far as is known."""

    wanted: int
    waits: bool
    engines: Sequence[Member]
    there: Sequence[bool]
    clear: Sequence[bool]
    idle: Sequence[float]


def asked(turns: Sequence[Turn], pool: str, need: Need) -> frozenset[int]:
    """The sets that a pool wants, those that it has included."""
    having = [at for at, turn in enumerate(turns) if turn.holder == pool and not turn.yielding]
    if not need.waits:
        # what it was to wake for has gone elsewhere; what it was to start for has not
        having = [at for at in having if not need.engines[at].resting or (any(need.there) and not need.there[at])]
    free = [at for at in range(len(turns)) if _free(turns[at], pool, need, at)]
    free.sort(key=lambda at: (not need.there[at], at))
    if having:
        return _kept(turns, need, having, free)
    if not need.wanted or not need.waits:
        return frozenset(_prepared(need, free))
    queued = {at for at, turn in enumerate(turns) if any(one == pool for one, _ in turn.waiting)}
    if free and (need.there[free[0]] or not any(need.there)):
        return frozenset({free[0], *queued})
    if not queued:
        # a start takes minutes, a turn half of one: only where it has an engine, if it has one anywhere
        reach = [at for at in range(len(turns)) if need.there[at]] or list(range(len(turns)))
        queued = {min(reach, key=lambda at: _patience(turns, pool, need, at))}
    return frozenset(queued)


def _kept(turns: Sequence[Turn], need: Need, having: Sequence[int], free: Sequence[int]) -> frozenset[int]:
    """Of the sets that a pool has: those that it still wants, and one more where a set stays free beside it."""
    if not need.wanted:
        return frozenset()
    by_work = sorted(having, key=lambda at: (bool(turns[at].waiting), need.engines[at].quiet or 0.0, at))
    kept = [by_work[0], *(at for at in by_work[1 : need.wanted] if not turns[at].waiting)]
    if need.wanted > len(having) and len(free) > 1:
        kept.append(free[0])
    return frozenset({*kept, *_prepared(need, free)})


def _prepared(need: Need, free: Sequence[int]) -> list[int]:
    """A free set on which an engine is still to be started, to sleep there: one at a time."""
    return [at for at in free if not need.there[at]][:1] if need.wanted and any(need.there) else []


def _free(turn: Turn, pool: str, need: Need, at: int) -> bool:
    return not turn.holder and need.clear[at] and need.engines[at].resting and not _rivals(turn, pool)


def _rivals(turn: Turn, pool: str) -> int:
    return sum(one != pool for one, _ in turn.waiting)


def _patience(turns: Sequence[Turn], pool: str, need: Need, at: int) -> tuple[float, ...]:
    """How long a set will take to be given up, least first: for whom few wait, one that is being given up, the second
    of a pool that has two, the longest without work, the longest held."""
    turn = turns[at]
    second = sum(other.holder == turn.holder for other in turns) > 1
    return (_rivals(turn, pool), -turn.yielding, -second, -need.idle[at], turn.since, at)


def room_to_spare(turns: Sequence[Turn], clear: Sequence[bool]) -> bool:
    """Whether a set is free, which whoever is asked next will take: nobody need fall asleep for that."""
    return any(not turn.holder and quiet for turn, quiet in zip(turns, clear, strict=True))


def serving(wanted: int, held: Sequence[bool], awake: Sequence[bool]) -> tuple[bool, ...]:
    """On which sets a pool's engines are to serve: `wanted` of those that it has, those that are awake first."""
    order = sorted((at for at, mine in enumerate(held) if mine), key=lambda at: (not awake[at], at))
    chosen = set(order[: max(wanted, 0)])
    return tuple(at in chosen for at in range(len(held)))
