"""Shared standby: pools of one team take turns on the same accelerators; at most one of them is awake.

One `Turn` belongs to one group of accelerators. A pool may wake only while it holds the turn, the turn leaves it only
once all of its engines are known to sleep, and nobody gets it while an engine of anybody else might be awake. Who waits
longest is next. A holder gives way when it does not want the turn any more, when others wait and it has had nothing to
do for a moment, or when its slice is over; the slice begins anew while its engine is still starting. Where the SLO of
who waits says how long a first token may take, the slice ends as late as that can still be kept: what the holder has
begun then often ends by itself, and a change of turns, in which nobody is served, is saved. It also goes to sleep when
it has had nothing to do for a little longer and nobody waits: whoever is asked next, it or another, then waits for a
wake (a second) and not for a fall asleep as well (seven).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

__all__ = [
    "FALL_ASLEEP",
    "QUIET",
    "REST",
    "SLICE",
    "WAKE",
    "Member",
    "Turn",
    "all_stand",
    "gave_way",
    "longest_wait",
    "may_be_awake",
    "moved",
    "promised",
    "ruled",
    "set_named",
    "stands",
]

# while others wait a holder without work gives way after QUIET, one with work after a slice; while nobody waits, one
# without work after REST (seconds)
QUIET = 2.0
REST = 5.0
SLICE = 30.0
# measured of 16 GB of weights: an engine falls asleep, the next one wakes (seconds)
FALL_ASLEEP, WAKE = 7.0, 1.0
# from awake to the first token of who waited longest, in seconds: looks come twice a second, and others wait there too
_FIRST_TOKEN = 2.0
# weight of the newest change of turns in what they are expected to take
_NEWEST = 0.2


@dataclass(frozen=True)
class Member:
    """What a pool of the group says of itself. `wants`: it is to serve, or requests wait for it; `quiet`: seconds that
    its engine has been without work, None where that is not known; `resting`: all of its engines are known to sleep, or
    it has none; `starting`: none of them serves yet; `within`: seconds in which its requests are to have their first
    token, None where no SLO says."""

    wants: bool
    quiet: float | None
    resting: bool
    starting: bool = False
    within: float | None = None


@dataclass(frozen=True)
class Turn:
    """Who holds the accelerators since when ("" nobody), whether it is to give way, and who waits since when. Of one
    that gives way `since` is when it began to.

    `promised`: until then an engine of the holder may wake although it was seen asleep: the call is on its way.
    """

    holder: str = ""
    since: float = 0.0
    yielding: bool = False
    waiting: tuple[tuple[str, float], ...] = ()
    promised: float = 0.0


def may_be_awake(turn: Turn, pool: str) -> bool:
    """Whether a pool may wake an engine, start one, or leave one awake."""
    return turn.holder == pool and not turn.yielding


def ruled(
    turn: Turn,
    members: Mapping[str, Member],
    now: float,
    *,
    slice_seconds: float = SLICE,
    giving_way: float = FALL_ASLEEP,
) -> Turn:
    """The turn after a look at the members. A holder that nobody speaks for keeps it: its engines may be awake.
    `giving_way`: seconds that it takes to end what was begun and to fall asleep, as far as is known."""
    waiting = [(pool, since) for pool, since in turn.waiting if pool != turn.holder and _wants(members, pool)]
    known = {pool for pool, _ in waiting}
    waiting += [(pool, now) for pool in sorted(members) if members[pool].wants and pool not in known | {turn.holder}]
    turn = replace(turn, waiting=tuple(waiting))
    holder = members.get(turn.holder)
    if holder is not None:
        if holder.starting and not turn.yielding:
            turn = replace(turn, since=now)
        if holder.resting and now >= turn.promised and (turn.yielding or not holder.wants):
            # it is behind all who wait, but what came while it gave way has waited since then
            again = ((turn.holder, turn.since),) if turn.yielding and holder.wants else ()
            turn = Turn(waiting=(*turn.waiting, *again))
        elif not turn.yielding and len(members) > 1:
            idle = holder.quiet is not None and holder.quiet >= (QUIET if turn.waiting else REST)
            over = bool(turn.waiting) and (
                not holder.wants or now >= _ends(turn, members, slice_seconds, giving_way + WAKE)
            )
            if idle or over:
                turn = replace(turn, yielding=True, since=now)
    if not turn.holder and turn.waiting:
        (pool, _), *rest = turn.waiting
        if all(member.resting for other, member in members.items() if other != pool):
            turn = Turn(pool, now, False, tuple(rest))
    return turn


def _ends(turn: Turn, members: Mapping[str, Member], slice_seconds: float, change: float) -> float:
    """When the holder's slice is over: the first moment at which somebody who waits is to be let go first.

    For one whose SLO can still be kept that is the last moment at which it can (`change`: seconds from giving way until
    the next is awake), but no later than a slice after it came, so that nobody waits longer for that. For all others a
    slice after the turn began; and where it could be kept only by a slice that is shorter than the change itself, since
    two that ask for more than there is would do little but change turns."""

    def of(pool: str, came: float) -> float:
        within = members[pool].within
        last = came + within - change - _FIRST_TOKEN if within is not None else -math.inf
        if last < max(came, turn.since + min(change, slice_seconds)):
            return turn.since + slice_seconds
        return min(last, max(came, turn.since) + slice_seconds)

    return min(of(pool, came) for pool, came in turn.waiting)


def gave_way(before: Turn, turn: Turn, now: float, known: float) -> float:
    """Seconds that a change of turns is expected to take on these accelerators, after one more look at them."""
    over = before.yielding and (turn.holder, turn.yielding) != (before.holder, True)
    return known + _NEWEST * (now - before.since - known) if over else known


def promised(turn: Turn, pool: str, until: float) -> Turn | None:
    """The turn with the holder's word that it wakes or starts an engine, which takes effect before `until`; None: the
    pool may not."""
    return replace(turn, promised=until) if may_be_awake(turn, pool) else None


def _wants(members: Mapping[str, Member], pool: str) -> bool:
    return pool in members and members[pool].wants


def longest_wait(pools: int, *, slice_seconds: float, drain: float, sleep: float, wake: float) -> float:
    """Seconds after which a pool that waits has the turn, whatever the others do."""
    return max(0, pools - 1) * (slice_seconds + drain + sleep + wake)


def moved(
    before: Turn, turn: Turn, members: Mapping[str, Member], group: str, names: Mapping[str, str]
) -> tuple[str, str] | None:
    """(reason, sentence) of what has happened to the holder of the turn; None: nothing that people should read.
    `members`: as they were looked at; `names`: of pools."""
    name = names.get(turn.holder, "")
    if not name:
        return None
    if turn.holder != before.holder:
        last = f", which {names[before.holder]} had" if before.holder in names else ""
        return "TurnTaken", f"it is the turn of {name} on the accelerators of group {group}{last}"
    if not turn.yielding or before.yielding:
        return None
    waits = [pool for pool, _ in turn.waiting if pool in names]
    if not waits:
        return (
            "GivesWay",
            f"{name} has nothing to do and leaves the accelerators of group {group} to whoever is asked next",
        )
    asks = f"{names[waits[0]]} waits" if len(waits) == 1 else f"{', '.join(names[pool] for pool in waits)} wait"
    holder = members.get(turn.holder)
    if holder is not None and holder.quiet is not None and holder.quiet >= QUIET:
        return "GivesWay", f"{name} has nothing to do and gives way on the accelerators of group {group}: {asks}"
    due = [(members[pool].within, names[pool]) for pool in waits if pool in members]
    known = sorted((within, other) for within, other in due if within is not None)
    answers = f"; {known[0][1]} is to have its first tokens within {known[0][0]:g} s" if known else ""
    after = f"after {turn.since - before.since:.0f} s"
    return "GivesWay", f"{name} gives way on the accelerators of group {group} {after}: {asks}{answers}"


def stands(turn: Turn, pool: str, group: str, names: Mapping[str, str]) -> str:
    """Whose turn it is, for who looks at `pool`."""
    if turn.holder == pool:
        return f"it has the accelerators of group {group}" + (" and gives way" if turn.yielding else "")
    holder = names.get(turn.holder, "another pool") if turn.holder else "nobody"
    return f"{holder} has the accelerators of group {group}"


def set_named(group: str, place: int, sets: int) -> str:
    """A set of a group for people; just the group where it has one."""
    return group if sets < 2 else f"{group}, set {place + 1}"


def all_stand(turns: Sequence[Turn], pool: str, group: str, names: Mapping[str, str]) -> str:
    """Whose turn it is on each of the group's sets, for who looks at `pool`."""
    return "; ".join(stands(turn, pool, set_named(group, at, len(turns)), names) for at, turn in enumerate(turns))
