"""What each group of variants needs at the load to come, in replicas, and what the tick teaches on the way.

Arrays are (groups,), (groups, nodes) of the forecast or (groups, GRID) of curves where nothing else is said; loads and
work in replica-seconds a second of the group's first variant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain import demand, learning, sizing, window
from apps.autoscaling.domain.arrays import clipped, known
from apps.autoscaling.domain.capacity import Curve, Traffic, inverse
from apps.autoscaling.domain.draft import Groups, Need
from apps.autoscaling.domain.extract import Fleet
from apps.autoscaling.domain.memory import LONGEST_HOLD, Memory

__all__ = ["Tick", "need_of"]

Floats = NDArray[np.float64]

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
    `nominal` work of a request (pools,), `startup` seconds of a start (rows,), `horizon` seconds until a replica is
    there that is asked for now (pools,), `now` Unix seconds (pools,)."""

    memory: Memory
    fleet: Fleet
    groups: Groups
    traffic: Traffic
    curve: Curve
    coming: demand.Forecast
    nominal: Floats
    startup: Floats
    horizon: Floats
    now: Floats


@dataclass(slots=True)
class _Load:
    """What groups have to carry and may miss: the curve of their first row, the work of its requests, what of them
    misses whatever the load (`floor`) and may miss (`allowed`); `per_work` of nominal work; `now` the load of now,
    `points` the forecast at NODES, `middle` of it; `shape` of what comes within seconds at NODES; `queued` work that
    waits; `ready` replicas, and `live`, at least one."""

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
    crowding, gain = memory["crowding"][pool], memory["gain"][pool]
    # what misses at a mean load, as the load comes in waves of seconds; all that a replica carries is read from it
    uneven = sizing.rippled(curve.sized, load.shape[groups.of_row])
    carries, slope = inverse(uneven[row], load.allowed)
    value = gain * crowding / np.maximum(carries * carries * slope, 1e-9)
    carries = carries / crowding
    worth = sizing.Worth(load.miss, carries, crowding, value, _most(tick))
    backlog = _backlog(tick, load)
    hold = _hold(tick, load, worth)
    memory["hold"] = np.maximum.reduceat(hold, groups.starts)
    drain = clipped(
        np.sqrt(backlog * hold / np.maximum(carries * value * np.maximum(load.now, 1e-3), 1e-9)), 20.0, 300.0
    )
    urgent = backlog / drain
    least = sizing.fewest(load.miss, load.middle + urgent, crowding, gain, load.allowed, load.floor)
    up, kept, plain = _cheapest(tick, load, worth, load.points + urgent[:, None])
    kept = _kept(load, crowding, np.maximum(kept, up))
    # or over a flat window that has seen such loads: what met the SLO over it is enough
    up, kept = _as_the_window_has_it(tick, load, up, kept)
    up = np.maximum(up, least)
    return Need(
        up=up,
        kept=np.maximum(kept, up),
        least=least,
        plain=plain,
        fast=np.ceil(load.now / np.maximum(carries, 1e-6)),
        carries=_row_carries(tick, load, uneven),
        reference=carries / np.maximum(load.work, 1e-12),
        work=load.work,
        backlog=backlog,
        drain=drain,
        points=load.points,
        miss=curve.miss[row],
        floor=load.floor,
        crowding=crowding,
        curve=curve,
        rows=row,
        horizon=tick.horizon,
        hold=hold,
        memory=memory,
        startup=tick.startup,
        load_now=load.now,
        long_prompt=_long_prompt(tick.traffic.prompt_share[row], curve.ttft_alone[row]),
    )


def _load(tick: Tick) -> _Load:
    fleet, groups, curve, coming = tick.fleet, tick.groups, tick.curve, tick.coming
    pool, row = groups.pool, groups.row
    work, floor, target = curve.work[row], curve.floor[row], fleet.allowed[pool]
    per_work = work / np.maximum(tick.nominal[pool], 1e-12)
    waiting = fleet.per_pool(fleet.waiting[:, None])[:, 0] + known(fleet.queued)
    ready = groups.total(fleet.ready)
    return _Load(
        miss=curve.sized[row],
        work=work,
        floor=floor,
        # what can be spent on load: never less than a quarter, so that a hopeless objective does not ask for everything
        allowed=np.minimum(floor + np.maximum(target - floor, target / 4), 0.9),
        per_work=per_work,
        now=coming.now[pool] * per_work,
        points=coming.points()[pool] * per_work[:, None],
        middle=coming.median[pool] * per_work,
        shape=coming.shape()[pool],
        queued=waiting[pool] * work,
        ready=ready,
        live=np.maximum(ready, 1.0),
    )


def _learn(tick: Tick, load: _Load) -> None:
    """What a miss is worth and at which load replicas give way, from the misses of each pool's first group."""
    memory, fleet, first = tick.memory, tick.fleet, tick.groups.starts
    # what comes is more than what is ready can do, or as much waits already as half a second of it
    crowded = load.now * memory["crowding"][tick.groups.pool] > _ALL * load.ready
    short = crowded | (load.queued > 0.5 * load.live)
    evidence = learning.weigh(memory, np.logical_or.reduceat(short, first), fleet, tick.now, tick.horizon)
    # what misses anyway teaches nothing about load
    evidence = np.where(tick.curve.hopeless[tick.groups.row[first]], 0.0, evidence)
    learning.learn_gain(memory, fleet.allowed, load.floor[first], fleet.seconds, evidence)
    points = (load.shape * load.now[:, None])[first]
    learning.learn_crowding(memory, load.miss[first], points, load.live[first], evidence, fleet.seconds)


def _cheapest(tick: Tick, load: _Load, worth: sizing.Worth, pressed: Floats) -> tuple[Floats, Floats, Floats]:
    """What to go up to, what not to go below, and what the forecast alone would have: one search for all three.
    pressed: the forecast with the backlog (groups, nodes)."""
    each = np.arange(len(pressed))
    # without a backlog the forecast alone would have the same
    behind = np.flatnonzero((pressed != load.points).any(axis=1))
    price = 1.0 + np.minimum(tick.startup[tick.groups.row] / _AMORTISED, 0.5)
    found = sizing.optimum(
        worth,
        np.concatenate([each, each, behind]),
        np.concatenate([pressed, pressed * _lift(tick, load)[:, None], load.points[behind]]),
        np.concatenate([price, np.ones(len(each)), price[behind]]),
    )
    up, kept = found[: len(each)], found[len(each) : 2 * len(each)]
    plain = up.copy()
    plain[behind] = found[2 * len(each) :]
    return up, kept, plain


def _lift(tick: Tick, load: _Load) -> Floats:
    """The load that a replica is kept for over the forecast: as much as there is now, and the prefixes that it takes
    along when it goes, which have to be computed again."""
    coming, groups, work = tick.coming, tick.groups, load.work
    hit = clipped(tick.memory["cached_tokens"] / np.maximum(tick.memory["prompt_tokens"], 1.0), 0.0, 0.9)[groups.pool]
    again = tick.curve.prefill[groups.row] / np.maximum(work, 1e-12) * hit / (1 - hit) / load.live
    steady = np.log(np.maximum(np.maximum(coming.median, coming.now), 1e-9))
    return np.minimum(np.exp(steady - coming.mean)[groups.pool], 1.5) * (1 + np.minimum(again, 0.5))


def _kept(load: _Load, crowding: Floats, kept: Floats) -> Floats:
    """Nothing goes as long as the model says that fewer would not meet the SLO at the load to come."""
    short = np.arange(len(kept))
    for _ in range(_MOST_KEPT):
        missing = sizing.missing(load.miss, load.points[short], crowding[short], kept[short], short)
        short = short[missing > load.allowed[short]]
        if not len(short):
            break
        kept[short] += 1
    return kept


def _as_the_window_has_it(tick: Tick, load: _Load, up: Floats, kept: Floats) -> tuple[Floats, Floats]:
    """What to go up to and what to keep, no more than what is there, or one fewer, where that would have met the SLO
    over the last half hour, and no load is forecast that it has not seen."""
    memory, groups, coming = tick.memory, tick.groups, tick.coming
    there = known(tick.fleet.desired)[groups.row]
    familiar = window.familiar(memory, coming.median, tick.horizon)[groups.pool]
    at = np.flatnonzero(groups.alone & familiar & (there >= 1) & (kept >= there))
    if not len(at):
        return up, kept
    up, kept = up.copy(), kept.copy()
    usual = replace(coming, ripple=memory["usual_ripple"]).shape()
    miss = sizing.rippled(load.miss[at], usual[groups.pool[at]])
    for fewer in (0.0, 1.0):
        replicas = there[at] - fewer
        missed = window.share_missed(memory, groups.pool[at], miss, load.per_work[at], replicas)
        met = (replicas >= 1) & (missed <= load.allowed[at])
        at, miss, replicas = at[met], miss[met], replicas[met]
        up[at], kept[at] = np.minimum(up[at], replicas), np.minimum(kept[at], replicas)
    return up, kept


def _most(tick: Tick) -> Floats:
    """Twice what the bounds allow, in replicas of each group: enough to see that the bounds hold a pool back."""
    groups = tick.groups
    return 2.0 * groups.total(tick.fleet.maximum) * np.where(groups.alone, 1.0, 8.0) + 2.0


def _backlog(tick: Tick, load: _Load) -> Floats:
    """Work that will still wait one start-up ahead, if what is ready and coming works it off until then."""
    horizon, queued = tick.horizon[tick.groups.pool], load.queued
    # with work waiting a replica does all that it can, objectives or not
    # replicas on their way join half-way through the horizon on average
    done = (load.ready * horizon + tick.groups.total(tick.fleet.coming) * horizon / 2) * _ALL
    comes = queued + load.now * horizon
    left = np.maximum(comes - done, 0.0)
    return np.where(queued > 0.05 * load.live, np.minimum(left, comes), 0.0)


def _row_carries(tick: Tick, load: _Load, uneven: Floats) -> Floats:
    """Requests/s that a replica of each row carries within the objectives (rows,). uneven: misses (rows, GRID)."""
    curve, limit = tick.curve, load.allowed[tick.groups.of_row]
    most, _ = inverse(uneven, np.maximum(limit, np.minimum(curve.floor + 0.01, 0.9)))
    crowding = tick.memory["crowding"][tick.fleet.pool]
    return np.asarray(most / crowding / np.maximum(curve.work, 1e-12), dtype=np.float64)


def _hold(tick: Tick, load: _Load, worth: sizing.Worth) -> Floats:
    """Seconds that a lower need must last before replicas go: the ski rental rule, level by level.

    To have let a replica go when the recent peak comes back costs what misses until another is ready; to keep it costs
    its price. It is kept for as long as that comes to the same: at most twice as dear as to know.
    """
    groups, horizon = tick.groups, tick.horizon[tick.groups.pool]
    peak = load.shape * (tick.memory["peak"] * tick.nominal)[groups.pool, None] * load.per_work[:, None]
    standing = groups.total(known(tick.fleet.desired))
    left = np.maximum(standing - np.maximum(np.floor(standing / 4), 1.0), 1.0)
    lost = worth.value * sizing.saved(load.miss, peak, worth.crowding, left)
    return np.asarray(clipped(horizon * lost, _HOLD_STARTS * horizon, LONGEST_HOLD), dtype=np.float64)


def _long_prompt(share: Floats, seconds: Floats) -> Floats:
    """Seconds that the prompt at the 95th percentile takes alone (rows,)."""
    at = np.minimum((np.cumsum(share, axis=1) < 0.95).sum(axis=1), share.shape[1] - 1)
    return np.asarray(np.take_along_axis(seconds, at[:, None], 1)[:, 0], dtype=np.float64)
