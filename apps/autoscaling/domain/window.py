"""The last half hour as it was, minute by minute: what a number of replicas would have missed of it.

An objective is one over a window, a forecast one of a moment. Where the load to come is like what the window has seen
already, the window says what a number of replicas misses, bursts and calms as they really come: a forecast for each
moment asks for a replica at every burst, which is over when it has started, and gives it back in every calm. A load
that was not seen is not judged so.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import (
    anywhere,
    clipped,
    exp,
    larger,
    lone,
    rows_of,
    where,
)
from apps.autoscaling.domain.grid import look_up
from apps.autoscaling.domain.memory import MINUTES, Memory

__all__ = ["familiar", "fell", "goes_on", "observe", "share_missed"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_MINUTE = 60.0
# the window says something once it has as many start-ups, and at least as many minutes
_STARTS, _FEWEST = 3.0, 5.0
# a window whose high minutes are further above its mean has more in it than noise: there the forecast knows better
_FLAT = 1.4
# a load below this share of its mean goes on no more
_ON = 0.5
# so many minutes as far below the mean as high ones may be above it are a level that is over, not one of the calms of a
# load that wanders, which last for five (docs/decisions/0016)
_OVER = 8
# what was observed corrects the model within this; misses that count as much as it
_LEAST_TRUST, _MOST_TRUST, _UNSURE = 0.25, 2.0, 10.0


def observe(memory: Memory, work: Floats, ready: Floats, ripple: Floats, seconds: Floats, known: Bools) -> None:
    """Take in a tick where its arrivals are known. work: replica-seconds a second that came; ready: replicas; ripple:
    variance of the logarithm of what comes within seconds, around a minute's average. All (pools,)."""
    seconds, known, ripple = lone(seconds), lone(known), lone(ripple)
    for name, value in (("minute_work", lone(work)), ("minute_ready", lone(ready)), ("minute_seconds", 1.0)):
        total = memory.figure(name)
        memory[name] = where(known, total + value * seconds, total)
    keep, usual = exp(-seconds / (MINUTES * _MINUTE)), memory.figure("usual_ripple")
    before = where(usual > 0, usual, ripple)
    memory["usual_ripple"] = where(known, keep * before + (1 - keep) * ripple, usual)
    full = memory["minute_seconds"] >= _MINUTE - 1e-6
    if not anywhere(full):
        return
    for name, over in (("minutes", "minute_work"), ("minutes_ready", "minute_ready")):
        mean = memory[over] / np.maximum(memory["minute_seconds"], 1e-9)
        moved = np.concatenate([mean[:, None], memory[name][:, :-1]], axis=1)
        memory[name] = np.where(full[:, None], moved, memory[name])
    for name in ("minute_work", "minute_ready", "minute_seconds"):
        memory[name] = np.where(full, 0.0, memory[name])


def familiar(memory: Memory, coming: Floats, horizon: Floats) -> Bools:
    """Whether the window was flat, and the load to come (pools,), in the unit of `observe`, was reached in two minutes
    of it, and it is long enough to say something; horizon: seconds until a replica is there."""
    minutes, number = memory["minutes"], _full_minutes(memory)
    long = number * _MINUTE >= larger(_STARTS * lone(horizon), _FEWEST * _MINUTE)
    if not anywhere(long):
        return cast(Bools, np.zeros(len(minutes), dtype=np.bool_))
    mean = lone(np.add.reduce(np.maximum(minutes, 0.0), axis=1)) / larger(number, 1)
    high = lone(np.partition(minutes, MINUTES - 2, axis=1)[:, -2])
    return cast(Bools, rows_of(long & (high >= lone(coming)) & (high <= _FLAT * mean)))


def goes_on(memory: Memory, now: Floats) -> Bools:
    """Whether the load of now (pools,), in the unit of `observe`, is no less than half of the window's mean."""
    minutes = memory["minutes"]
    total = lone(np.add.reduce(np.maximum(minutes, 0.0), axis=1))
    return cast(Bools, rows_of(lone(now) * _full_minutes(memory) >= _ON * total))


def fell(memory: Memory) -> Bools:
    """Whether the window's newest minutes (pools,) say that the level of the others is over."""
    minutes = memory["minutes"]
    total = lone(np.add.reduce(np.maximum(minutes, 0.0), axis=1))
    newest = lone(np.add.reduce(minutes[:, :_OVER], axis=1)) / _OVER
    return cast(Bools, rows_of((lone(minutes[:, _OVER - 1]) >= 0) & (_FLAT * newest * _full_minutes(memory) < total)))


def _full_minutes(memory: Memory) -> Floats:
    """How many minutes a window has: a figure of pools."""
    return cast(Floats, lone(np.add.reduce(memory["minutes"] >= 0, axis=1, dtype=np.float64)))


def share_missed(
    memory: Memory, pool: NDArray[np.int64], miss: Floats, per_work: Floats, replicas: Floats, *, usual: bool = False
) -> Floats:
    """Share of the window's requests (rows,) that so many replicas would have missed: the model's, times what was
    really missed over what it says of the replicas that there were. miss: (rows, GRID), the usual ripple included;
    per_work: of the unit of `observe`; usual: were its highest minute no higher than another one, and no more than of
    its newer half alone."""
    judged, minutes = memory["served"][pool], np.maximum(memory["minutes"][pool], 0.0)
    seen = (memory["missed"] + memory["missed_least"])[pool] / 2
    did = _modelled(memory, pool, miss, per_work, minutes, memory["minutes_ready"][pool])
    if usual:
        minutes = np.minimum(minutes, np.partition(minutes, MINUTES - 2, axis=1)[:, -2:-1])
    would = _modelled(memory, pool, miss, per_work, minutes, replicas[:, None])
    if usual:
        newer = _modelled(memory, pool, miss, per_work, minutes[:, : MINUTES // 2], replicas[:, None])
        would = np.minimum(would, newer)
    trust = clipped((seen + _UNSURE) / (did * judged + _UNSURE), _LEAST_TRUST, _MOST_TRUST)
    return np.asarray(would * trust, dtype=np.float64)


def _modelled(
    memory: Memory, pool: NDArray[np.int64], miss: Floats, per_work: Floats, minutes: Floats, replicas: Floats
) -> Floats:
    load = minutes * per_work[:, None]
    crowded = memory["crowding"][pool, None] * load / np.maximum(replicas, 0.5)
    share = np.minimum(look_up(miss, crowded), 1.0)
    return np.asarray((load * share).sum(axis=1) / np.maximum(load.sum(axis=1), 1e-9), dtype=np.float64)
