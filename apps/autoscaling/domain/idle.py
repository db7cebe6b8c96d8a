"""To zero and back: how long an idle pool is kept, and what its first requests find.

Keeping an idle replica costs its price; letting it go costs a start when the next request comes. Without history the
break-even time of the ski rental problem is at most twice as dear as knowing the future; with history the idle times
seen so far say which time is cheapest on average.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import Figures, anywhere, column, faded, listed, no, rows_of, where
from apps.autoscaling.domain.draft import Draft, Plain
from apps.autoscaling.domain.memory import GAPS, POOL, Memory
from apps.autoscaling.domain.types import Policy

__all__ = ["apply", "keep_for", "observe"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_FIRST_GAP = 20.0
_ENOUGH_GAPS = 4.0
_FADE = 6 * 3600.0
_GAPS = POOL.slices["gaps"]


def observe(memory: Memory, idle: Bools, known: Bools, now: Floats, seconds: Floats) -> Figures:
    """Note an idle tick or the end of an idle time of pools; seconds for which they have been idle, below 0 where they
    are not. All are figures of pools."""
    gaps = memory["gaps"]
    if np.count_nonzero(gaps):
        gaps *= column(faded(seconds, _FADE))
    since = memory.figure("idle_from")
    idle, ended = known & idle, known & no(idle) & (since >= 0)
    since = where(idle & (since < 0), now - seconds, since)
    rest = where(idle, now - since, -1.0)
    if anywhere(ended):
        for index in np.flatnonzero(rows_of(ended)).tolist():
            length = listed(now)[index] - listed(since)[index]
            bucket = min(max(int(math.log2(max(length, _FIRST_GAP) / _FIRST_GAP)), 0), GAPS - 1)
            gaps[index, bucket] += 1
        since = where(ended, -1.0, since)
    memory["idle_from"] = since
    return rest


def keep_for(gaps: Sequence[float], start: float) -> float:
    """Seconds to keep an idle replica. `gaps`: idle times seen, by powers of two of 20 s; `start`: what a start costs,
    in seconds of a replica."""
    total = sum(gaps)
    if total < _ENOUGH_GAPS:
        return start
    lengths = [_FIRST_GAP * 2**k * 1.4 for k in range(GAPS)]

    def cost(keep: float) -> float:
        return (
            sum(
                count * (length if length <= keep else keep + start)
                for count, length in zip(gaps, lengths, strict=True)
            )
            / total
        )

    choices = [_FIRST_GAP, *(length * 1.4 for length in lengths if length < 20 * start)]
    best = min(choices, key=lambda keep: (cost(keep), keep))
    return best if cost(best) < cost(start) else start


def apply(pool: Draft, rest: float, asked: bool, plain: Plain, index: int) -> None:
    """Let an idle pool go to sleep or to zero where the policy says so; bring it back when it is asked. rest: seconds
    for which it has been idle, below 0 where it is not."""
    policy = pool.policy
    if max([variant.minimum for variant in policy.variants]) > 0:
        return
    if policy.idle == "keep":
        if sum(pool.target) == 0:
            _at_least_one(pool)
        return
    if sum(pool.before) == 0:
        if not asked:
            pool.target = [0] * len(pool.target)
            pool.binding = "idle"
            if policy.idle == "standby" and policy.standby == "reserved" and not any(pool.asleep):
                # a pool that promises to wake in a second has to have somebody to wake
                pool.asleep[_cheapest(pool)] = 1
                pool.verb = "sleep"
            return
        _at_least_one(pool)
        woken = 0
        for row, asleep in enumerate(pool.asleep_before):
            woken += min(asleep, pool.target[row])
            pool.asleep[row] = max(0, asleep - pool.target[row])
        pool.verb = "wake" if woken else "from-zero"
        pool.binding = "queued" if plain.queued[index] > 0 else "arrivals"
        return
    if rest < 0:
        return
    # one engine sleeps and is awake in a second (where turns are taken, all): who else goes is to be started again
    wakes = policy.idle == "standby" and (policy.standby == "shared" or sum(pool.before) <= 1)
    start = plain.wake(pool) if wakes else plain.startup[pool.first]
    # a start holds the requests that come meanwhile: as much again
    keep = max(keep_for(pool.memory[_GAPS], 2 * start), _shortest(policy))
    if rest < keep:
        return
    pool.target = [0] * len(pool.target)
    if policy.idle == "standby":
        row = max(range(len(pool.before)), key=lambda r: (pool.before[r] > 0, -policy.variants[r].price))
        pool.asleep[row] = max(1, pool.asleep_before[row])
        pool.verb = "sleep"
    else:
        pool.verb = "zero"
    pool.binding = "idle"


def _shortest(policy: Policy) -> float:
    """Seconds that an idle replica is kept at least. One that shares its accelerators keeps others waiting."""
    if policy.idle == "standby":
        return policy.tick if policy.standby == "shared" else 60.0
    return 30.0


def _cheapest(pool: Draft) -> int:
    variants = pool.policy.variants
    return min(range(len(variants)), key=lambda row: (variants[row].maximum == 0, variants[row].price))


def _at_least_one(pool: Draft) -> None:
    if sum(pool.target) == 0:
        able = [row for row, variant in enumerate(pool.policy.variants) if variant.maximum > 0]
        roles = {pool.policy.variants[row].role for row in able}
        for role in roles:
            rows = [row for row in able if pool.policy.variants[row].role == role]
            if rows:
                pool.target[min(rows, key=lambda r: pool.policy.variants[r].price)] = 1
