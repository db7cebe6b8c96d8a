"""One row of signals: what a pool or variant did in one tick; and how rows add up over a window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.telemetry.domain.deltas import Delta
from apps.telemetry.domain.engine import EngineReading
from apps.telemetry.domain.histogram import Histogram

__all__ = ["Reading", "Signals", "combine", "merge"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One engine in one tick: `reading` is None when it could not be read (`reason`), `delta` when it is new."""

    reading: EngineReading | None
    delta: Delta | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Signals:
    """What happened in the `seconds` up to `at` (Unix seconds).

    counts: requests, tokens, … since the rows before; rates: the same per second, empty when nothing could be compared;
    histograms: family -> observations; gauges: running, waiting (requests), kv_mean, kv_max (0..1), empty when nothing
    was read; replicas: by state (desired, ready, …); scraped of targets engines answered; reason: why one did not.
    """

    at: float
    seconds: float
    targets: int = 0
    scraped: int = 0
    reason: str = ""
    counts: Mapping[str, float] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)
    replicas: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The columns of the signals table that hold JSON."""
        return {
            "counts": dict(self.counts),
            "rates": dict(self.rates),
            "histograms": {family: h.to_json() for family, h in self.histograms.items() if h.counts},
            "gauges": dict(self.gauges),
            "replicas": dict(self.replicas),
        }


def combine(at: float, seconds: float, engines: Sequence[Reading], replicas: Mapping[str, int]) -> Signals:
    """Add up the engines of one pool or variant; `seconds` is the length of the tick.

    Rates divide each engine's counts by the time since its own last scrape: a missed tick makes no spike.
    """
    read = [engine for engine in engines if engine.reading is not None]
    deltas = [engine.delta for engine in read if engine.delta is not None]
    counts: dict[str, float] = {}
    rates: dict[str, float] = {}
    for change in deltas:
        for name, count in change.counts.items():
            counts[name] = counts.get(name, 0.0) + count
            rates[name] = rates.get(name, 0.0) + count / change.seconds
    families = {family for change in deltas for family in change.histograms}
    failed = [engine.reason for engine in engines if engine.reading is None]
    return Signals(
        at=at,
        seconds=seconds,
        targets=len(engines),
        scraped=len(read),
        reason=failed[0] if failed else "",
        counts=counts,
        rates=rates,
        histograms={
            family: Histogram.sum(change.histograms[family] for change in deltas if family in change.histograms)
            for family in families
        },
        gauges=_gauges([engine.reading for engine in read if engine.reading is not None]),
        replicas=dict(replicas),
    )


def _gauges(readings: Sequence[EngineReading]) -> dict[str, float]:
    gauges: dict[str, float] = {}
    running = [r.running for r in readings if r.running is not None]
    waiting = [r.waiting for r in readings if r.waiting is not None]
    means = [r.kv_mean for r in readings if r.kv_mean is not None]
    peaks = [r.kv_max for r in readings if r.kv_max is not None]
    if running:
        gauges["running"] = sum(running)
    if waiting:
        gauges["waiting"] = sum(waiting)
    if means:
        gauges["kv_mean"] = sum(means) / len(means)
    if peaks:
        gauges["kv_max"] = max(peaks)
    return gauges


def merge(rows: Sequence[Signals]) -> Signals:
    """One row for consecutive ones (at least one), ending where the last one ends.

    Counts and histograms add up; rates and gauges are means weighted by time over the rows that know them (kv_max: the
    maximum); targets, scraped and replicas are the last row's; the reason is the last one given.
    """
    last = max(rows, key=lambda row: row.at)
    counts: dict[str, float] = {}
    for row in rows:
        for name, count in row.counts.items():
            counts[name] = counts.get(name, 0.0) + count
    families = {family for row in rows for family in row.histograms}
    gauges = _weighted((row.seconds, row.gauges) for row in rows)
    if "kv_max" in gauges:
        gauges["kv_max"] = max(row.gauges["kv_max"] for row in rows if "kv_max" in row.gauges)
    return Signals(
        at=last.at,
        seconds=sum(row.seconds for row in rows),
        targets=last.targets,
        scraped=last.scraped,
        reason=next((row.reason for row in sorted(rows, key=lambda row: -row.at) if row.reason), ""),
        counts=counts,
        rates=_weighted((row.seconds, row.rates) for row in rows),
        histograms={
            family: Histogram.sum(row.histograms[family] for row in rows if family in row.histograms)
            for family in families
        },
        gauges=gauges,
        replicas=last.replicas,
    )


def _weighted(rows: Iterable[tuple[float, Mapping[str, float]]]) -> dict[str, float]:
    sums: dict[str, float] = {}
    weights: dict[str, float] = {}
    for seconds, values in rows:
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + seconds * value
            weights[name] = weights.get(name, 0.0) + seconds
    return {name: total / weights[name] for name, total in sums.items() if weights[name] > 0}
