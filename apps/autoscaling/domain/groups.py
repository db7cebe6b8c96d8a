"""How many replicas each group of variants is to have, before anything is particular to its pool.

A number of its own where a group has one variant; the cheapest mix that carries as much where it has several.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import anywhere, at, larger, listed, lone, rows_of, where
from apps.autoscaling.domain.draft import Draft, Groups, Need, Plain
from apps.autoscaling.domain.fleet import Fleet
from apps.autoscaling.domain.hold import held
from apps.autoscaling.domain.sizing import Shape, cheapest_mix

__all__ = ["Sized", "apply", "equivalent", "sized"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# numbers of replicas are whole; mixes that stand for them are not quite
_SAME = 1e-9


@dataclass(slots=True)
class Sized:
    """By group, in replicas of its first row: `standing`, what there is; `up`, what to go up to; `held`, the most
    needed within the hold, what not to go below; whether nothing moves (`still`, figures of groups). saturated: by
    group, the number that the saturation rule has, where the model of steps is not to be trusted."""

    standing: list[float]
    up: list[float]
    held: list[float]
    still: Bools
    saturated: dict[int, int]


def sized(fleet: Fleet, groups: Groups, need: Need, now: Floats) -> Sized:
    """now: Unix seconds (pools,)."""
    row = groups.row
    up, kept, saturated = lone(need.up), lone(need.kept), _saturated(fleet, groups, need)
    if saturated:
        up, kept = rows_of(up).copy(), rows_of(kept).copy()
        for place, number in saturated.items():
            up[place], kept[place] = max(up[place], number), max(kept[place], number)
        up, kept = lone(up), lone(kept)
    standing = at(fleet.before, row)
    if len(row) < len(fleet.pool):
        weights = need.carries / at(larger(need.reference, 1e-12), groups.of_row)
        standing = where(lone(groups.alone), standing, groups.total(weights * fleet.before))
    lately = held(need.memory, row, at(now, groups.pool), kept, standing, need.hold)
    still = (up <= standing + _SAME) & (lately >= standing - _SAME)
    return Sized(listed(standing), listed(up), listed(lately), still, saturated)


def _saturated(fleet: Fleet, groups: Groups, need: Need) -> dict[int, int]:
    """Without a step-time model to trust: replicas by KV usage and queue, as thresholds have it."""
    off = lone(need.memory.row("residual")) > fleet.trusted
    if not anywhere(off):
        return {}
    every = groups.each
    places = dict.fromkeys(groups.of_row[rows_of(off)].tolist())
    return {place: _by_thresholds(fleet, every[place].rows) for place in places}


def _by_thresholds(fleet: Fleet, rows: Sequence[int]) -> int:
    wanted = 1
    for row in rows:
        ready, usage, waiting = (listed(values)[row] for values in (fleet.ready, fleet.kv_usage, fleet.waiting))
        if ready <= 0:
            continue
        ratio = 0.0 if math.isnan(usage) else usage / 0.7
        if not math.isnan(waiting) and waiting / ready > 3:
            ratio = max(ratio, min(waiting / ready / 3, 2.0))
        wanted += max(0, math.ceil(ready * ratio - 1e-9))
    return max(wanted - 1, 1)


def apply(pool: Draft, groups: Groups, sizes: Sized, plain: Plain) -> None:
    """The targets of a pool's variants by what its groups need, and the rule that made them so."""
    for place in pool.groups:
        rows = [row - pool.first for row in groups.each[place].rows]
        standing, up, lately = sizes.standing[place], sizes.up[place], sizes.held[place]
        if up > standing + _SAME:
            if len(rows) > 1:
                urgent = plain.load_now[place] > 0.9 * plain.ready[pool.first + rows[0]]
                _set(pool, rows, _mixed(pool, place, rows, up, plain, urgent=urgent))
            else:
                pool.target[rows[0]] = int(up)
            pool.binding = _binding(place, plain, up, sizes.saturated.get(place))
        elif lately < standing - _SAME:
            if len(rows) > 1:
                candidate = _mixed(pool, place, rows, lately, plain, urgent=False)
                cost = sum(pool.policy.variants[r].price * n for r, n in zip(rows, candidate, strict=True))
                stands = sum(pool.policy.variants[r].price * pool.before[r] for r in rows)
                if cost < stands * 0.97:
                    _set(pool, rows, candidate)
                    pool.binding = "forecast"
            else:
                pool.target[rows[0]] = min(int(lately), pool.before[rows[0]])
                pool.binding = pool.binding or "forecast"
        elif up < sum([pool.before[row] for row in rows]) and not pool.binding:
            pool.binding = "hold"
    pool.binding = pool.binding or "hold"


def _set(pool: Draft, rows: Sequence[int], counts: Sequence[int]) -> None:
    for row, count in zip(rows, counts, strict=True):
        pool.target[row] = count


def _mixed(pool: Draft, place: int, rows: Sequence[int], need: float, plain: Plain, *, urgent: bool) -> tuple[int, ...]:
    shapes = []
    reference = max(plain.reference[place], 1e-12)
    for row in rows:
        variant = pool.policy.variants[row]
        at_row = pool.first + row
        most = variant.maximum
        if variant.available is not None:
            most = min(most, max(pool.before[row], 0) + variant.available // max(variant.accelerators, 1))
        if plain.stuck[at_row] > 0:
            most = min(most, int(plain.ready[at_row] + plain.coming[at_row]))
        start = 0.03 + plain.startup[at_row] / (300.0 if urgent else 1800.0)
        least = min(variant.minimum, most)
        weight = plain.carries[at_row] / reference
        shapes.append(Shape(weight, variant.price * 1.0, least, max(most, least), pool.before[row], start))
    return cheapest_mix(need, shapes).replicas


def equivalent(pool: Draft, rows: Sequence[int], plain: Plain) -> float:
    """The replicas that a group's rows are to have, as so many of its pool's first group."""
    if len(rows) == 1:
        return float(pool.target[rows[0] - pool.first])
    reference = max(plain.reference[pool.groups[0]], 1e-12)
    return sum(pool.target[row - pool.first] * plain.carries[row] / reference for row in rows)


def _binding(place: int, plain: Plain, up: float, saturation: int | None) -> str:
    if saturation is not None and up == saturation and up > plain.plain[place]:
        return "saturation"
    if plain.plain[place] >= up:
        return "forecast"
    if plain.backlog[place] > 0:
        return "backlog"
    return "slo-floor"
