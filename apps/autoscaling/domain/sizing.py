"""From demand and capacity to a number of replicas: where one more replica costs more than the misses that it saves.

The number minimises  N * price + value * E[missed requests]  over the forecast's distribution. `value` is such that,
at a steady load, just the allowed share of requests misses; a learned gain corrects it by what really misses. Where
load changes this spends each replica where it saves most, and rounds to whole replicas where that costs least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import Figures, ceil, clipped, column, larger, lone, power, rows_of, smaller
from apps.autoscaling.domain.demand import WEIGHTS
from apps.autoscaling.domain.grid import GRID, LOADS, inverse, look_up

__all__ = ["Mix", "Shape", "Worth", "cheapest_mix", "fewest", "missing", "optimum", "rippled", "saved"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# no moment is given up for another: at the middle of the forecast at most this multiple of the allowed misses
_WORST = 4.0
# so many numbers are looked at at once
_LOOKED = 4
_LOOKS: Floats = np.arange(_LOOKED + 1.0)
_ONE_MORE: Floats = np.arange(2.0)
_COLUMN_OF_LOADS: Floats = LOADS[:, None]
_sum = np.add.reduce


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

    What one more saves never grows with their number. The search begins around where the mean demand is just carried;
    it looks at a few numbers at once, and steps on twice as far each time until the number is among those.
    """
    crowded, weighted = worth.crowding[group][:, None] * demand, WEIGHTS * demand
    value = worth.value[group]
    low, high = np.ones(len(group)), np.maximum(worth.most[group], 1.0)
    first = np.minimum(np.fmax(np.ceil(_sum(weighted, axis=1) / worth.carries[group]), low), high - 1) - 1
    first = np.maximum(first, 1.0)
    step, left = 0, np.flatnonzero(low < high)
    while len(left):
        if len(left) < len(group):
            # as rows of their own
            asked = group[left], crowded[left], weighted[left]
        else:
            asked = group, crowded, weighted
        saves = _saved(worth.miss, *asked, first[left][:, None] + _LOOKS)
        more = _sum(value[left][:, None] * saves > price[left][:, None], axis=1, dtype=np.int64)
        most = high[left]
        enough = np.minimum(first[left] + more, most)
        lowest, highest = np.where(more > 0, enough, low[left]), np.where(more < _LOOKED, enough, most)
        low[left], high[left] = lowest, highest
        apart = lowest < highest
        if not apart.any():
            break
        middle = np.floor((lowest + highest) / 2) - _LOOKED / 2
        further = np.where(more > 0, np.minimum(lowest + step, middle), np.maximum(highest - _LOOKED - step, middle))
        first[left] = np.maximum(further, lowest)
        step = 2 * step + _LOOKED
        left = left[apart]
    return high


def rippled(miss: Floats, shape: Floats) -> Floats:
    """What misses at each mean load (rows, GRID) where the load is not steady. shape: (rows, nodes) loads over their
    mean, at NODES."""
    rows, nodes = shape.shape
    at = (_COLUMN_OF_LOADS * shape[:, None, :]).reshape(rows, -1)
    weighted = WEIGHTS * shape
    share = _sum(look_up(miss, at).reshape(rows, GRID, nodes) * weighted[:, None, :], axis=2)
    return cast(Floats, share / _sum(weighted, axis=1, keepdims=True))


def saved(miss: Floats, demand: Floats, crowding: Floats, replicas: Floats) -> Floats:
    """Work a second (rows,) that one more than so many `replicas` (rows,) saves from missing. miss: (rows, GRID) curve;
    demand: (rows, nodes) work a second at NODES."""
    some = replicas[:, None] + _ONE_MORE
    return _saved(miss, np.arange(len(miss)), crowding[:, None] * demand, WEIGHTS * demand, some)[:, 0]


def _saved(miss: Floats, row: Ints, crowded: Floats, weighted: Floats, replicas: Floats) -> Floats:
    """As `saved` for some `row` of the curves: of each number (asked, numbers) but the last, what the next one saves.
    The demand (asked, nodes) as replicas feel it, and with the nodes' weights."""
    loads = crowded[:, None, :] / replicas[:, :, None]
    missed = look_up(miss, loads.reshape(len(replicas), -1), row).reshape(loads.shape)
    return cast(Floats, _sum(weighted[:, None, :] * (missed[:, :-1] - missed[:, 1:]), axis=2))


def missing(miss: Floats, demand: Floats, crowding: Floats, replicas: Floats, row: Ints | None = None) -> Floats:
    """Share of requests (rows,) that misses with so many replicas (rows,) over the forecast; shapes of `saved`. `row`:
    which of the curves, where it is not each one's own."""
    share = np.minimum(look_up(miss, column(crowding) * demand / column(replicas), row), 1.0)
    weighted = WEIGHTS * demand
    missed, all_of_it = _sum(weighted * share, axis=1), _sum(weighted, axis=1)
    return cast(Floats, missed / np.maximum(all_of_it, 1e-12))


def fewest(miss: Floats, demand: Floats, crowding: Floats, gain: Floats, allowed: Floats, floor: Floats) -> Figures:
    """Replicas below which too many miss at one moment: the more so, the more of the allowed misses are left; demand:
    work a second. All are figures of rows."""
    worst = clipped(_WORST / power(gain, 0.4), 2.0, 8.0)
    load, _ = inverse(miss, rows_of(smaller(floor + worst * (allowed - floor), 0.9)))
    return larger(ceil(crowding * demand / larger(lone(load), 0.05) - 1e-9), 1.0)


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
