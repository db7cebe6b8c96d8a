"""What a sweep came to: points, their means over seeds, frontiers, and hours at a level of attainment."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.stats import t as student

LEVELS = (0.90, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98)


@dataclass(frozen=True)
class Row:
    """One run. Times in seconds; deciding: mean seconds of one decision; present:
    hours in which at least one replica was wanted or there."""

    scenario: str
    policy: str
    knob: float
    seed: int
    attainment: float
    lengthwise: float
    hours: float
    cost: float
    failed: int
    ttft: tuple[float, float, float]
    tpot: tuple[float, float, float]
    hit: float
    actions: int
    reversals: int
    reversals_per_hour: float
    wall: float
    deciding: float
    present: float = 0.0


@dataclass(frozen=True)
class Point:
    """The mean of the runs of one policy at one knob over seeds, each with the half-width of its 95 % interval."""

    policy: str
    knob: float
    seeds: int
    attainment: float
    attainment_off: float
    hours: float
    hours_off: float
    cost: float
    reversals_per_hour: float


def points_of(rows: Iterable[Row]) -> list[Point]:
    """One point for each policy and knob, in order of appearance."""
    groups: dict[tuple[str, float], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.policy, row.knob), []).append(row)
    return [
        Point(
            policy,
            knob,
            len(group),
            *_mean([row.attainment for row in group]),
            *_mean([row.hours for row in group]),
            sum(row.cost for row in group) / len(group),
            sum(row.reversals_per_hour for row in group) / len(group),
        )
        for (policy, knob), group in groups.items()
    ]


def frontier(points: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of (hours, attainment) those that no other beats in both, by rising hours."""
    best: list[tuple[float, float]] = []
    for hours, attainment in sorted(points, key=lambda point: (point[0], -point[1])):
        if not best or attainment > best[-1][1]:
            best.append((hours, attainment))
    return best


def hours_at(points: Iterable[tuple[float, float]], level: float) -> float:
    """Hours that a frontier needs for `level`, linear between its points; its cheapest point where that attains more;
    infinite where it never gets there."""
    line = frontier(points)
    if not line or line[-1][1] < level:
        return math.inf
    if line[0][1] >= level:
        return line[0][0]
    for (low_hours, low), (high_hours, high) in pairwise(line):
        if low < level <= high:
            return low_hours + (high_hours - low_hours) * (level - low) / (high - low)
    return math.inf


def ratio_interval(ratios: Sequence[float]) -> tuple[float, float]:
    """Mean and half-width of the 95 % interval; infinite ratios make it infinite."""
    return _mean(ratios)


def _mean(values: Sequence[float]) -> tuple[float, float]:
    mean = float(np.mean(values))
    if len(values) < 2:
        return mean, 0.0
    return mean, float(student.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values)))
