"""Which pool asks for which accelerator of its group, where a group has several and every pool sleeps on each of them.

Each accelerator has a turn of its own, ruled as in production (apps/pools/domain/turns), where a group has one. Whoever
has none asks for one that is free, else for the one that will be given up soonest, and goes on asking for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.pools.domain.turns import Member, Turn

__all__ = ["Need", "asked"]


@dataclass(frozen=True)
class Need:
    """A pool: replicas that it is to have awake, whether requests wait for one, and its engine at each place."""

    wanted: int
    waits: bool
    engines: Sequence[Member]


def asked(turns: Sequence[Turn], needs: Mapping[str, Need]) -> list[set[str]]:
    """For each place the pools that want it, holders included."""
    wants: list[set[str]] = [set() for _ in turns]
    having = {
        pool: [place for place, turn in enumerate(turns) if turn.holder == pool and not turn.yielding] for pool in needs
    }
    for pool, places in having.items():
        for place in places[: needs[pool].wanted]:
            wants[place].add(pool)
    free = [place for place in range(len(turns)) if _free(turns[place], place, needs)]
    since = {pool: at for turn in turns for pool, at in turn.waiting}
    needy = [pool for pool, need in needs.items() if need.wanted and need.waits and not having[pool]]
    for pool in sorted(needy, key=lambda one: (since.get(one, float("inf")), one)):
        if free:
            wants[free.pop(0)].add(pool)
            continue
        place = min(range(len(turns)), key=lambda at: _cost(turns[at], at, pool, needs, having, wants[at]))
        wants[place].add(pool)
        if len(having.get(turns[place].holder, ())) > 1:
            # a second replica is given up before anybody's only one
            wants[place].discard(turns[place].holder)
    for pool in sorted(needs, key=lambda one: len(having[one])):
        # a second one leaves a place for who is asked next
        if having[pool] and len(free) > 1 and needs[pool].wanted > len(having[pool]):
            wants[free.pop(0)].add(pool)
    return wants


def _free(turn: Turn, place: int, needs: Mapping[str, Need]) -> bool:
    return not turn.holder and all(need.engines[place].resting for need in needs.values())


def _cost(
    turn: Turn,
    place: int,
    pool: str,
    needs: Mapping[str, Need],
    having: Mapping[str, Sequence[int]],
    others: set[str],
) -> tuple[float, ...]:
    """How long a place will take to be given up, least first: one that is asked for already by this pool and by nobody
    else, one that is being given up, a second replica, the longest without work, the longest held."""
    rivals = len(others - {turn.holder, pool})
    quiet = needs[turn.holder].engines[place].quiet if turn.holder in needs else None
    return (
        rivals,
        -any(waiting == pool for waiting, _ in turn.waiting),
        -turn.yielding,
        -(len(having.get(turn.holder, ())) > 1),
        -(quiet or 0.0),
        turn.since,
    )
