"""What could have been: the best turns on the accelerators of a group when every request is known beforehand.

Time goes in steps of a second. At each step an accelerator is awake for a pool, asleep, falling asleep (7 s) or waking
(0.9 s: a step, and none in the bound). Dynamic programming over the joint states of all
accelerators finds the turns by which most requests are met. A request can be met when its pool is awake, or will be
within the limit of its time to first token (2 s). Of those, two sums are taken:

- `bound`: the ones that the pool would meet with all of the group's accelerators to itself, always awake. Turns only
  take capacity away, so that no rule can meet more.
- `turns`: the ones that it would meet with as many replicas, always awake, as it has at that moment. What this schedule
  comes to is played (queues carry over from step to step, which the sums cannot know), and is not the most that there
  can be, but can be had.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from apps.physics.fleet.fleet import Fleet, FleetVariant
from apps.physics.fleet.run import Limits
from apps.physics.fleet.types import Arrival

__all__ = ["STEP", "Met", "best", "met_by_step"]

STEP = 1.0
FALL, AHEAD, WAKE = 7, 2, 1
"""Steps to fall asleep; that a request may wait for a pool to be awake; to wake, the last of AHEAD."""
Met = NDArray[np.int32]
Floats = NDArray[np.float32]


def met_by_step(kind: FleetVariant, trace: Sequence[Arrival], most: int, limits: Limits, span: float, seed: int) -> Met:
    """(most + 1, steps): requests by the step of their arrival that are met with so many replicas, always awake."""
    counts = np.zeros((most + 1, int(span / STEP) + 1), dtype=np.int32)
    for replicas in range(1, most + 1):
        fleet = Fleet((kind,), initial={kind.name: replicas}, chance=np.random.default_rng(seed))
        for arrival in trace:
            fleet.send(arrival)
        fleet.advance(span)
        fleet.close()
        for seen in fleet.seen:
            counts[replicas, int(min(seen.arrival.time, span) / STEP)] += limits.met(seen)
    return counts


class _States:
    """Numbers of an accelerator's states: awake for each pool, asleep, falling asleep, and for each pool the AHEAD
    steps before it is awake. The first of these may still be steps of falling asleep."""

    def __init__(self, pools: int, wake: int) -> None:
        self.pools = pools
        self.asleep = pools
        self.count = pools + 1 + FALL + pools * AHEAD
        # from here on the rest of the fall is within the steps before the next is awake
        self.overlap = self.falling(FALL - (AHEAD - wake))

    def falling(self, step: int) -> int:
        return self.asleep + step

    def ahead(self, pool: int, step: int) -> int:
        return self.asleep + FALL + 1 + pool * AHEAD + (step - 1)

    def serves(self, state: int) -> int:
        """The pool whose requests of this step are answered in time; -1: nobody's."""
        if state < self.pools:
            return state
        later = state - self.asleep - FALL - 1
        return later // AHEAD if later >= 0 else -1

    def awake(self, state: int, wake: int) -> int:
        """The pool whose engine wakes or is awake; -1: none."""
        later = state - self.asleep - FALL - 1
        return -1 if later >= 0 and later % AHEAD < AHEAD - wake else self.serves(state)

    def after(self, state: int) -> list[int]:
        """What may come next."""
        starts = [self.ahead(pool, 1) for pool in range(self.pools)]
        if state < self.pools:
            return [state, self.falling(1)]
        if state == self.asleep:
            return [state, *starts]
        if state <= self.falling(FALL):
            on = state + 1 if state < self.falling(FALL) else self.asleep
            return [on, *(starts if state >= self.overlap else ())]
        pool, step = divmod(state - self.asleep - FALL - 1, AHEAD)
        return [state + 1 if step + 1 < AHEAD else pool]


def best(met: Sequence[Met], places: int, *, bound: bool) -> tuple[float, list[tuple[int, ...]]]:
    """Most requests met, and for each step and place the pool that is awake there or wakes (-1: none).

    met: of each pool by `met_by_step`. bound: the sum that no rule exceeds, instead of the one to be played.
    """
    wake = 0 if bound else WAKE
    states = _States(len(met), wake)
    steps = met[0].shape[1]
    shape = (states.count,) * places
    served = np.array([states.serves(state) for state in range(states.count)])
    replicas = [
        sum(
            np.expand_dims(served == pool, tuple(a for a in range(places) if a != axis)).astype(int)
            for axis in range(places)
        )
        for pool in range(len(met))
    ]
    value: Floats = np.zeros(shape, dtype=np.float32)
    kept: list[Floats] = [value]
    for step in range(steps - 1, -1, -1):
        for axis in range(places):
            value = _chosen(states, value, axis)
        for pool, counts in enumerate(met):
            if counts[:, step].any():
                here = counts[:, step] if not bound else np.where(np.arange(len(counts)) > 0, counts[-1, step], 0)
                value = value + here.astype(np.float32)[np.broadcast_to(replicas[pool], shape)]
        kept.append(value)
    kept.reverse()
    at = (states.asleep,) * places
    path = [at]
    for step in range(1, steps):
        at = max(itertools.product(*(states.after(state) for state in at)), key=lambda one: kept[step][one])
        path.append(at)
    awake = [tuple(states.awake(state, wake) for state in at) for at in path]
    return float(kept[0][(states.asleep,) * places]), awake


def _chosen(states: _States, value: Floats, axis: int) -> Floats:
    """The best of what may come next on one place, for each state it may be in now."""
    value = np.moveaxis(value, axis, 0)
    chosen = np.empty_like(value)
    starts = value[[states.ahead(pool, 1) for pool in range(states.pools)]].max(axis=0)
    chosen[: states.pools] = np.maximum(value[: states.pools], value[states.falling(1)])
    chosen[states.asleep] = np.maximum(value[states.asleep], starts)
    last = states.falling(FALL)
    chosen[states.falling(1) : last] = value[states.falling(2) : last + 1]
    chosen[last] = value[states.asleep]
    chosen[states.overlap : last + 1] = np.maximum(chosen[states.overlap : last + 1], starts)
    for pool in range(states.pools):
        first, end = states.ahead(pool, 1), states.ahead(pool, AHEAD)
        chosen[first:end] = value[first + 1 : end + 1]
        chosen[end] = value[pool]
    return np.moveaxis(chosen, 0, axis)
