"""What each group of variants needs at the load to come, in replicas, and what the tick teaches on the way.

Arrays are (groups,), (groups, nodes) of the forecast or (groups, GRID) of curves where nothing else is said; loads and
work in replica-seconds a second of the group's first variant.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain import demand, learning, sizing, window
from apps.autoscaling.domain.arrays import (
    Figures,
    anywhere,
    at,
    ceil,
    clipped,
    column,
    each,
    exp,
    floor,
    known,
    larger,
    log,
    lone,
    rows_of,
    smaller,
    sqrt,
    where,
)
from apps.autoscaling.domain.capacity import Curve
from apps.autoscaling.domain.draft import Groups, Need
from apps.autoscaling.domain.fleet import Fleet
from apps.autoscaling.domain.grid import inverse
from apps.autoscaling.domain.memory import LONGEST_HOLD, Memory
from apps.autoscaling.domain.steps import Traffic

__all__ = ["Tick", "need_of"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# a lower need must last this many start-ups at least
_HOLD_STARTS = 1.0
# a new replica has to pay for its start within this time
_AMORTISED = 900.0
# of a replica's load, all that it can do
_ALL = 0.95
# more replicas than this are not kept for the SLO alone beyond what is cheapest
_MOST_KEPT = 32


@dataclass(slots=True)
class Tick:
    """A batch when it is sized: what is remembered and measured, requests and curves of rows, the forecast in work,
    `nominal` work of a request (pools,), `life` seconds within which a replica forgets one (pools,), `startup` seconds
    of a start (rows,), `horizon` seconds until a replica is there that is asked for now (pools,), `now` Unix seconds
    (pools,)."""

    memory: Memory
    fleet: Fleet
    groups: Groups
    traffic: Traffic
    curve: Curve
    coming: demand.Forecast
    nominal: Floats
    life: Floats
    startup: Floats
    horizon: Floats
    now: Floats


@dataclass(slots=True)
class _Load:
    """What groups have to carry and may miss, figures of groups: the work of their first row's requests, what of them
    misses whatever the load (`floor`) and may miss (`allowed`); `per_work` of nominal work; `now` the
    load of now, `middle` of the forecast; `queued` work that waits; `ready` replicas, and `live`, at least one. Tables:
    `miss`, the first row's curve; `points`, the forecast at NODES; `shape` of what comes within seconds at NODES."""

    miss: Floats
    work: Floats
    floor: Floats
    allowed: Floats
    per_work: Floats
    now: Floats
    points: Floats
    middle: Floats
    shape: Floats
    queued: Floats
    ready: Floats
    live: Floats


def need_of(tick: Tick) -> Need:
    """What groups need. The memory learns from the tick, and keeps its hold."""
    memory, groups, curve = tick.memory, tick.groups, tick.curve
    pool, row = groups.pool, groups.row
    load = _load(tick)
    _learn(tick, load)
    crowding, gain = at(memory.figure("crowding"), pool), at(memory.figure("gain"), pool)
    # what misses at a mean load, as the load comes in waves of seconds; all that a replica carries is read from it
    uneven = sizing.rippled(curve.sized, each(load.shape, groups.of_row))
    worth = _worth(tick, load, uneven, crowding, gain)
    backlog = _backlog(tick, load)
    hold = _hold(tick, load, worth)
    memory["hold"] = groups.most(hold)
    carries, value = lone(worth.carries), lone(worth.value)
    drain = clipped(sqrt(backlog * hold / larger(carries * value * larger(load.now, 1e-3), 1e-9)), 20.0, 300.0)
    urgent = backlog / drain
    least = sizing.fewest(load.miss, load.middle + urgent, crowding, gain, load.allowed, load.floor)
    up, kept, plain = _cheapest(tick, load, worth, load.points + column(urgent))
    kept = _kept(load, rows_of(crowding), np.maximum(kept, up))
    # or over a flat window that has seen such loads: what met the SLO over it is enough, what did not is too few
    flat = window.familiar(memory, tick.coming.median, tick.horizon)
    up, kept = _as_the_window_has_it(tick, load, flat[pool], up, kept)
    up = larger(lone(up), least)
    return Need(
        up=up,
        kept=larger(lone(kept), up),
        least=least,
        plain=lone(plain),
        fast=ceil(load.now / larger(carries, 1e-6)),
        carries=_row_carries(tick, load, uneven),
        reference=carries / larger(load.work, 1e-12),
        work=load.work,
        backlog=backlog,
        drain=drain,
        points=load.points,
        miss=each(curve.miss, row),
        floor=load.floor,
        crowding=crowding,
        curve=curve,
        rows=row,
        horizon=tick.horizon,
        flat=flat & window.goes_on(memory, tick.coming.now),
        hold=hold,
        memory=memory,
        startup=tick.startup,
        load_now=load.now,
        long_prompt=_long_prompt(each(tick.traffic.prompt_share, row), each(curve.ttft_alone, row)),
    )


def _load(tick: Tick) -> _Load:
    fleet, groups, curve, coming = tick.fleet, tick.groups, tick.curve, tick.coming
    pool, row = groups.pool, groups.row
    work, floor, target = at(curve.work, row), at(curve.floor, row), at(fleet.allowed, pool)
    per_work = work / larger(at(tick.nominal, pool), 1e-12)
    waiting = fleet.sums(fleet.waiting)[0] + known(fleet.queued)
    ready = groups.total(fleet.ready)
    return _Load(
        miss=each(curve.sized, row),
        work=work,
        floor=floor,
        # what can be spent on load: never less than a quarter, so that a hopeless objective does not ask for everything
        allowed=smaller(floor + larger(target - floor, target / 4), 0.9),
        per_work=per_work,
        now=at(coming.now, pool) * per_work,
        points=each(coming.points(), pool) * column(per_work),
        middle=at(coming.median, pool) * per_work,
        shape=each(coming.shape(), pool),
        queued=at(waiting, pool) * work,
        ready=ready,
        live=larger(ready, 1.0),
    )


def _worth(tick: Tick, load: _Load, uneven: Floats, crowding: Floats, gain: Floats) -> sizing.Worth:
    """What replicas of groups do and are worth. uneven: misses of rows (rows, GRID)."""
    reached, steep = inverse(each(uneven, tick.groups.row), rows_of(load.allowed))
    carries = lone(reached)
    value = gain * crowding / larger(carries * carries * lone(steep), 1e-9)
    figures = rows_of(carries / crowding), rows_of(crowding), rows_of(value)
    return sizing.Worth(load.miss, *figures, rows_of(_most(tick)))


def _learn(tick: Tick, load: _Load) -> None:
    """What a miss is worth and at which load replicas give way, from the misses of each pool's first group."""
    memory, fleet, first = tick.memory, tick.fleet, tick.groups.starts
    further = demand.longer(tick.life)
    # what comes is more than what is ready can do, or as much waits already as half a second of it
    crowded = load.now * at(memory.figure("crowding"), tick.groups.pool) > _ALL * load.ready
    short = tick.groups.any(crowded | (load.queued > 0.5 * load.live))
    evidence = learning.weigh(memory, short, fleet, tick.now, tick.horizon, further)
    # what misses anyway teaches nothing about load
    evidence = where(at(tick.curve.hopeless, tick.groups.row[first]), 0.0, evidence)
    learning.learn_gain(memory, at(load.floor, first), fleet, evidence)
    points, live = each(load.shape * column(load.now), first), at(load.live, first)
    learning.learn_crowding(memory, each(load.miss, first), points, live, fleet, evidence, further)


def _cheapest(tick: Tick, load: _Load, worth: sizing.Worth, pressed: Floats) -> tuple[Floats, Floats, Floats]:
    """What to go up to, what not to go below, and what the forecast alone would have: one search for all three.
    pressed: the forecast with the backlog (groups, nodes)."""
    groups = np.arange(len(pressed))
    # without a backlog the forecast alone would have the same
    behind = np.flatnonzero((pressed != load.points).any(axis=1))
    price = rows_of(1.0 + smaller(at(tick.startup, tick.groups.row) / _AMORTISED, 0.5))
    found = sizing.optimum(
        worth,
        np.concatenate([groups, groups, behind]),
        np.concatenate([pressed, pressed * column(_lift(tick, load)), load.points[behind]]),
        np.concatenate([price, np.ones(len(groups)), price[behind]]),
    )
    up, kept = found[: len(groups)], found[len(groups) : 2 * len(groups)]
    plain = up.copy()
    plain[behind] = found[2 * len(groups) :]
    return up, kept, plain


def _lift(tick: Tick, load: _Load) -> Figures:
    """The load that a replica is kept for over the forecast: as much as there is now, and the prefixes that it takes
    along when it goes, which have to be computed again."""
    coming, pool, memory = tick.coming, tick.groups.pool, tick.memory
    hit = clipped(memory.figure("cached_tokens") / larger(memory.figure("prompt_tokens"), 1.0), 0.0, 0.9)
    hit = at(hit, pool)
    again = at(tick.curve.prefill, tick.groups.row) / larger(load.work, 1e-12) * hit / (1 - hit) / load.live
    steady = log(larger(larger(coming.median, coming.now), 1e-9))
    rise = at(exp(steady - coming.mean), pool)
    return smaller(rise, 1.5) * (1 + smaller(again, 0.5))


def _kept(load: _Load, crowding: Floats, kept: Floats) -> Floats:
    """Nothing goes as long as the model says that fewer would not meet the SLO at the load to come."""
    short, allowed = np.arange(len(kept)), rows_of(load.allowed)
    for _ in range(_MOST_KEPT):
        asked = each(load.points, short), each(crowding, short), each(kept, short)
        missing = sizing.missing(load.miss, *asked, short if len(short) < len(kept) else None)
        short = short[missing > allowed[short]]
        if not len(short):
            break
        kept[short] += 1
    return kept


def _as_the_window_has_it(tick: Tick, load: _Load, familiar: Bools, up: Floats, kept: Floats) -> tuple[Floats, Floats]:
    """What to go up to and what to keep, where no load is forecast that a flat last half hour has not seen: no more
    than what is there, or one fewer, where that would have met the SLO over it; and of what is there no fewer than
    would have, of its usual minutes: a single one is no reason to keep a replica."""
    memory, groups, coming = tick.memory, tick.groups, tick.coming
    there = rows_of(at(known(tick.fleet.desired), groups.row))
    judged = groups.alone & familiar & (there >= 1)
    if not anywhere(judged):
        return up, kept
    every, place = np.flatnonzero(judged), np.cumsum(judged) - 1
    allowed, per_work = rows_of(load.allowed), rows_of(load.per_work)
    shape = coming.rippling(memory.figure("usual_ripple")).shape()
    miss = sizing.rippled(load.miss[every], shape[groups.pool[every]])

    def meet(some: NDArray[np.int64], replicas: Floats, *, usual: bool = False) -> Bools:
        curves = miss[place[some]]
        missed = window.share_missed(memory, groups.pool[some], curves, per_work[some], replicas, usual=usual)
        return np.asarray((replicas >= 1) & (missed <= allowed[some]))

    up, kept = up.copy(), kept.copy()
    going, some = every[kept[every] < there[every]], every[kept[every] >= there[every]]
    going = going[~window.fell(memory)[groups.pool[going]]]
    for fewer in (0.0, 1.0):
        some = some[meet(some, there[some] - fewer)]
        replicas = there[some] - fewer
        up[some], kept[some] = np.minimum(up[some], replicas), np.minimum(kept[some], replicas)
    # no more of them go at once
    replicas = np.maximum(kept[going], there[going] - np.maximum(np.floor(there[going] / 4), 1.0))
    while len(going):
        short = ~meet(going, replicas, usual=True)
        going, replicas = going[short], replicas[short] + 1
        kept[going] = replicas
        left = replicas < there[going]
        going, replicas = going[left], replicas[left]
    return up, kept


def _most(tick: Tick) -> Figures:
    """Twice what the bounds allow, in replicas of each group: enough to see that the bounds hold a pool back."""
    groups = tick.groups
    return 2.0 * groups.total(tick.fleet.maximum) * where(lone(groups.alone), 1.0, 8.0) + 2.0


def _backlog(tick: Tick, load: _Load) -> Figures:
    """Work that will still wait one start-up ahead, if what is ready and coming works it off until then."""
    horizon, queued = at(tick.horizon, tick.groups.pool), load.queued
    # with work waiting a replica does all that it can, objectives or not
    # replicas on their way join half-way through the horizon on average
    done = (load.ready * horizon + tick.groups.total(tick.fleet.coming) * horizon / 2) * _ALL
    comes = queued + load.now * horizon
    left = larger(comes - done, 0.0)
    return where(queued > 0.05 * load.live, smaller(left, comes), 0.0)


def _row_carries(tick: Tick, load: _Load, uneven: Floats) -> Figures:
    """Requests/s that a replica of each row carries within the objectives (rows,). uneven: misses (rows, GRID)."""
    curve, limit = tick.curve, at(load.allowed, tick.groups.of_row)
    most, _ = inverse(uneven, rows_of(larger(limit, smaller(curve.floor + 0.01, 0.9))))
    crowding = at(tick.memory.figure("crowding"), tick.fleet.pool)
    return lone(most) / crowding / larger(curve.work, 1e-12)


def _hold(tick: Tick, load: _Load, worth: sizing.Worth) -> Figures:
    """Seconds (groups,) that a lower need must last before replicas go: the ski rental rule, level by level.

    To have let a replica go when the recent peak comes back costs what misses until another is ready; to keep it costs
    its price. It is kept for as long as that comes to the same: at most twice as dear as to know.
    """
    groups, pool = tick.groups, tick.groups.pool
    highest = at(tick.memory.figure("peak"), pool) * at(tick.nominal, pool)
    peak = load.shape * column(highest) * column(load.per_work)
    standing = groups.total(known(tick.fleet.desired))
    left = rows_of(larger(standing - larger(floor(standing / 4), 1.0), 1.0))
    lost = lone(worth.value) * lone(sizing.saved(load.miss, peak, worth.crowding, left))
    horizon = at(tick.horizon, pool)
    return clipped(horizon * lost, _HOLD_STARTS * horizon, LONGEST_HOLD)


def _long_prompt(share: Floats, seconds: Floats) -> Floats:
    """Seconds that the prompt at the 95th percentile takes alone (rows,)."""
    at = np.minimum(np.count_nonzero(np.add.accumulate(share, axis=1) < 0.95, axis=1), share.shape[1] - 1)
    return np.asarray(seconds[np.arange(len(share)), at], dtype=np.float64)
