"""The ledger of a promise: cumulative tallies over time. Any window is the difference of two points.

Kept cumulative so that a window of 400 days costs two look-ups, and so that points can be thinned out without losing
an event.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from apps.slos.domain.tally import Promise, Tally, count
from apps.telemetry.domain.signals import Signals

__all__ = ["Point", "fold", "thinned"]


@dataclass(frozen=True, slots=True)
class Point:
    """All that was counted up to `at` (Unix seconds)."""

    at: float
    sums: Tally = field(default_factory=Tally)


def fold(start: Point, rows: Iterable[Signals], promise: Promise) -> list[Point]:
    """The points after `start` that consecutive rows make, in order of time.

    Rows that are not younger than the last point are skipped, so that the same rows twice count once; rows that say
    nothing make no point. Known time never exceeds the time that passed.
    """
    points: list[Point] = []
    last = start
    for row in rows:
        if row.at <= last.at:
            continue
        tally = count(row, promise)
        if tally.known <= 0 and tally.total <= 0:
            continue
        passed = row.at - last.at
        if tally.known > passed:
            share = passed / tally.known
            tally = Tally(tally.total, tally.good, tally.good_most, passed, tally.idle * share)
        last = Point(row.at, last.sums + tally)
        points.append(last)
    return points


def thinned(points: Iterable[Point], *, before: float) -> list[Point]:
    """The points without those before a moment that are not the last of their hour: sums at whole hours stay."""
    kept: list[Point] = []
    for point in points:
        if kept and kept[-1].at < before and _hour(kept[-1].at) == _hour(point.at):
            kept.pop()
        kept.append(point)
    return kept


def _hour(at: float) -> int:
    # a point at the very end of an hour still belongs to it
    return -int(-at // 3600)
