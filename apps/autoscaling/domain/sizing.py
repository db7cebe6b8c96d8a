"""From demand and capacity to a number of replicas: where one more replica costs more than the misses that it saves.

The number minimises  N * price + value * E[missed requests]  over the forecast's distribution. `value` is such that,
at a steady load, just the allowed share of requests misses; a learned gain corrects it by what really misses. Where
load changes this spends each replica where it saves most, and rounds to whole replicas where that costs least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import clipped
from apps.autoscaling.domain.capacity import GRID, LOADS, inverse, look_up
from apps.autoscaling.domain.demand import WEIGHTS

__all__ = ["Mix", "Shape", "Worth", "cheapest_mix", "fewest", "least_step", "missing", "optimum", "rippled", "saved"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# no moment is given up for another: at the middle of the forecast at most this multiple of the allowed misses
_WORST = 4.0


@dataclass(slots=True)
class Worth:
    """What replicas of groups do and are worth (groups,). miss: (groups, GRID) curve; carries: load at which one misses
    what it may; crowding: load at which replicas behave, over the load that they have; value: replica-seconds that a
    replica-second of missed work is worth; most: replicas that are looked at."""

    miss: Floats
    carries: Floats
    crowding: Floats
    value: Floats
    most: Floats


def optimum(worth: Worth, group: Ints, demand: Floats, price: Floats) -> Floats:
    """Whole replicas (asked,), 1 to the most of its group. group: (asked,) places in `worth`; demand: (asked, nodes)
    work a second at NODES; price: (asked,) of one more replica, 1 being its own.

    What one more saves never grows with their number. The search begins where the mean demand is just carried, and
    steps on twice as far each time until the number lies between two of its looks.
    """
    crowded, weighted = worth.crowding[group][:, None] * demand, WEIGHTS * demand
    value = worth.value[group]
    low, high = np.ones(len(group)), np.maximum(worth.most[group], 1.0)
    at = np.minimum(np.fmax(np.ceil(weighted.sum(axis=1) / worth.carries[group]), low), high - 1)
    step = 1.0
    left = np.flatnonzero(low < high)
    while len(left):
        looked = at[left]
        saves = _saved(worth.miss, group[left], crowded[left], weighted[left], looked)
        more = value[left] * saves > price[left]
        lowest, highest = np.where(more, looked + 1, low[left]), np.where(more, high[left], looked)
        middle = np.floor((lowest + highest) / 2)
        at[left] = np.where(more, np.minimum(looked + step, middle), np.maximum(looked - step, middle))
        low[left], high[left] = lowest, highest
        step *= 2
        left = left[lowest < highest]
    return high


def rippled(miss: Floats, shape: Floats) -> Floats:
    """What misses at each mean load (rows, GRID) where the load is not steady. shape: (rows, nodes) loads over their
    mean, at NODES."""
    rows, nodes = shape.shape
    at = (LOADS[None, :, None] * shape[:, None, :]).reshape(rows, -1)
    weighted = WEIGHTS * shape
    share = (look_up(miss, at).reshape(rows, GRID, nodes) * weighted[:, None, :]).sum(axis=2)
    return np.asarray(share / weighted.sum(axis=1)[:, None], dtype=np.float64)


def saved(miss: Floats, demand: Floats, crowding: Floats, replicas: Floats) -> Floats:
    """Work a second (rows,) that one more than so many `replicas` (rows,) saves from missing. miss: (rows, GRID) curve;
    demand: (rows, nodes) work a second at NODES."""
    return _saved(miss, np.arange(len(miss)), crowding[:, None] * demand, WEIGHTS * demand, replicas)


def _saved(miss: Floats, row: Ints, crowded: Floats, weighted: Floats, replicas: Floats) -> Floats:
    """As `saved` for some `row` of the curves: the demand (asked, nodes) as replicas feel it, and with the nodes'
    weights."""
    nodes = crowded.shape[1]
    some = replicas[:, None]
    both = look_up(miss, np.concatenate([crowded / some, crowded / (some + 1)], axis=1), row)
    return np.asarray((weighted * (both[:, :nodes] - both[:, nodes:])).sum(axis=1), dtype=np.float64)


def least_step(standing: float) -> int:
    """How many may go at once."""
    return max(int(standing / 4), 1)


def missing(miss: Floats, demand: Floats, crowding: Floats, replicas: Floats, row: Ints | None = None) -> Floats:
    """Share of requests (rows,) that misses with so many replicas (rows,) over the forecast; shapes of `saved`. `row`:
    which of the curves, where it is not each one's own."""
    share = np.minimum(look_up(miss, crowding[:, None] * demand / replicas[:, None], row), 1.0)
    weighted = WEIGHTS * demand
    return np.asarray((weighted * share).sum(axis=1) / np.maximum(weighted.sum(axis=1), 1e-12), dtype=np.float64)


def fewest(miss: Floats, demand: Floats, crowding: Floats, gain: Floats, allowed: Floats, floor: Floats) -> Floats:
    """Replicas (rows,) below which too many miss at one moment: the more so, the more of the allowed misses are left;
    demand: (rows,) work a second."""
    worst = clipped(_WORST / gain**0.4, 2.0, 8.0)
    load, _ = inverse(miss, np.minimum(floor + worst * (allowed - floor), 0.9))
    return np.maximum(np.ceil(crowding * demand / np.maximum(load, 0.05) - 1e-9), 1.0)


@dataclass(frozen=True, slots=True)
class Shape:
    """A variant as the mix sees it: what one replica carries (any unit), its price, bounds, how many there are, and
    what the start of a further one costs as a share of its price (a replica that is there may be that much dearer)."""

    carries: float
    price: float
    minimum: int
    maximum: int
    present: int
    start: float = 0.08


@dataclass(frozen=True, slots=True)
class Mix:
    """Replicas by variant; `gap`: how much dearer than the cheapest possible it may be, as a share (0: it is it);
    short: what is not carried because all bounds are reached."""

    replicas: tuple[int, ...]
    gap: float
    short: float


_NODES = 20_000


def cheapest_mix(need: float, shapes: Sequence[Shape]) -> Mix:
    """The cheapest numbers of replicas that carry `need`, by branch and bound; within a bound on its steps, exact.

    Variants are taken by price per load. A branch is cut when its price with the rest at the best price per load cannot
    beat what was found: that bound is the linear relaxation, and the gap is stated against it.
    """
    order = sorted(range(len(shapes)), key=lambda i: (shapes[i].price / max(shapes[i].carries, 1e-12), i))
    floor = [shape.minimum for shape in shapes]
    left = need - sum(shape.carries * shape.minimum for shape in shapes)
    room = [shape.maximum - shape.minimum for shape in shapes]
    most = sum(shapes[i].carries * room[i] for i in order)
    if left <= 1e-9:
        return Mix(tuple(floor), 0.0, 0.0)
    if most < left:
        return Mix(tuple(shape.maximum for shape in shapes), 0.0, left - most)
    prices = [
        [shapes[i].price * (1.0 if floor[i] + k < shapes[i].present else 1.0 + shapes[i].start) for k in range(room[i])]
        for i in range(len(shapes))
    ]
    best_price, best, steps = float("inf"), [0] * len(shapes), 0
    chosen = [0] * len(shapes)

    def rate(at: int) -> float:
        return min(
            (shapes[i].price / max(shapes[i].carries, 1e-12) for i in order[at:] if room[i]), default=float("inf")
        )

    rates = [rate(at) for at in range(len(order) + 1)]
    cover = [sum(shapes[i].carries * room[i] for i in order[at:]) for at in range(len(order) + 1)]

    def search(at: int, missing: float, spent: float) -> None:
        nonlocal best_price, best, steps
        steps += 1
        if missing <= 1e-9:
            if spent < best_price - 1e-12:
                best_price, best = spent, list(chosen)
            return
        if at == len(order) or missing > cover[at] + 1e-9 or spent + missing * rates[at] >= best_price - 1e-12:
            return
        if steps > _NODES:
            return
        i = order[at]
        enough = min(room[i], int(np.ceil(missing / max(shapes[i].carries, 1e-12) - 1e-9)))
        for count in range(enough, -1, -1):
            chosen[i] = count
            search(at + 1, missing - count * shapes[i].carries, spent + sum(prices[i][:count]))
        chosen[i] = 0

    search(0, left, 0.0)
    bound = left * rates[0]
    gap = 0.0 if steps <= _NODES else max(0.0, best_price / max(bound, 1e-12) - 1)
    return Mix(tuple(floor[i] + best[i] for i in range(len(shapes))), gap, 0.0)
