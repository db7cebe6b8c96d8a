"""One row of signals: what a pool or variant did in one tick; and how rows add up over a window."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.telemetry.domain.deltas import Delta
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.readings import PageReading

__all__ = ["ROLE", "AcceleratorUse", "Reading", "Signals", "combine", "merge", "own_rates", "rates_of"]

# rows of all variants of one role have this and the role in the place of the variant's name
ROLE = "role:"


@dataclass(frozen=True, slots=True)
class Reading:
    """One process in one tick: `reading` is None when it could not be read (`reason`), `delta` when it is new."""

    reading: PageReading | None
    delta: Delta | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AcceleratorUse:
    """Accelerators that the pods of a variant hold; `price` of one per hour in `currency`, None where nobody knows."""

    accelerators: float
    price: float | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Signals:
    """What happened in the `seconds` up to `at` (Unix seconds). docs/concepts/signals.md lists all names.

    counts: requests, tokens, … since the rows before; rates: the same per second, empty when nothing could be compared;
    histograms: family -> observations; gauges: values of the moment, summed over replicas unless their name says mean
    or max; replicas: by state (desired, ready, …); scraped of targets engines answered; reason: why one did not;
    sources: what else the row rests on (`gateway`: {targets, scraped, reason}; `engine`: {kind}), and who failed as a
    whole, with a sentence (`failed`: {cluster | prometheus}).
    A name that is missing is unknown, never 0.
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
    sources: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The columns of the signals table that hold JSON. Of the rates only those that counts do not tell."""
        return {
            "counts": dict(self.counts),
            "rates": own_rates(self),
            "histograms": {family: h.pack() for family, h in self.histograms.items() if h.counts},
            "gauges": dict(self.gauges),
            "replicas": dict(self.replicas),
            "sources": dict(self.sources),
        }


def own_rates(row: Signals) -> dict[str, float]:
    """Rates that counts over seconds do not tell: what has to be stored beside the counts."""
    told = rates_of(row.counts, row.seconds, {})
    return {
        name: rate
        for name, rate in row.rates.items()
        if name not in told or not math.isclose(rate, told[name], rel_tol=1e-9, abs_tol=1e-12)
    }


def rates_of(counts: Mapping[str, float], seconds: float, stored: Mapping[str, float]) -> dict[str, float]:
    """Rates per second of a stored row: what counts over seconds give, but for those that were stored themselves.

    A row holds the rates of engines whose pages were further apart than its ticks; most rows need none.
    """
    if seconds <= 0:
        return dict(stored)
    return {**{name: count / seconds for name, count in counts.items() if not _is_cost(name)}, **stored}


def _is_cost(name: str) -> bool:
    return name.startswith("cost:") or name.endswith("accelerator_seconds")


def combine(
    at: float,
    seconds: float,
    engines: Sequence[Reading],
    replicas: Mapping[str, int],
    *,
    gateways: Sequence[Reading] = (),
    held: Sequence[AcceleratorUse] | None = None,
) -> Signals:
    """Add up the engines of one pool, variant or role, and the pool's endpoint pickers; `seconds`: length of the tick.

    Rates divide each engine's counts by the time since its own last scrape: a missed tick makes no spike.
    `held`: the accelerators of the pods, None when the cluster could not be asked.
    """
    read = [engine for engine in engines if engine.reading is not None]
    counts, rates, histograms = _added([one.delta for one in (*read, *gateways) if one.delta is not None])
    gauges = _gauges([one.reading for one in (*read, *gateways) if one.reading is not None])
    cost_counts, cost_gauges = _cost(held, seconds) if held is not None else ({}, {})
    states = dict(replicas)
    if any("awake" in gauges_of.gauges for one in read if (gauges_of := one.reading) is not None):
        states |= _sleep(gauges)
    failed = [engine.reason for engine in engines if engine.reading is None]
    return Signals(
        at=at,
        seconds=seconds,
        targets=len(engines),
        scraped=len(read),
        reason=failed[0] if failed else "",
        counts={**counts, **cost_counts},
        rates=rates,
        histograms=histograms,
        gauges={**{name: value for name, value in gauges.items() if name not in _SLEEP}, **cost_gauges},
        replicas=states,
        sources={"gateway": _source(gateways)} if gateways else {},
    )


_SLEEP = ("awake", "asleep_offloaded", "asleep_discarded")


def _added(
    deltas: Sequence[Delta],
) -> tuple[dict[str, float], dict[str, float], dict[str, Histogram]]:
    counts: dict[str, float] = {}
    rates: dict[str, float] = {}
    for change in deltas:
        for name, count in change.counts.items():
            counts[name] = counts.get(name, 0.0) + count
            rates[name] = rates.get(name, 0.0) + change.rate(name)
    families = {family for change in deltas for family in change.histograms}
    histograms = {
        family: Histogram.sum(change.histograms[family] for change in deltas if family in change.histograms)
        for family in families
    }
    return counts, rates, histograms


def _gauges(readings: Sequence[PageReading]) -> dict[str, float]:
    values: dict[str, list[float]] = {}
    for reading in readings:
        for name, value in reading.gauges.items():
            values.setdefault(name, []).append(value)
    return {name: _over_replicas(name, found) for name, found in values.items()}


def _over_replicas(name: str, values: Sequence[float]) -> float:
    if name.endswith("_max"):
        return max(values)
    return sum(values) / (len(values) if name.endswith("_mean") else 1)


def _sleep(gauges: Mapping[str, float]) -> dict[str, int]:
    discarded = int(gauges.get("asleep_discarded", 0))
    return {
        "awake": int(gauges.get("awake", 0)),
        "asleep": int(gauges.get("asleep_offloaded", 0)) + discarded,
        "discarded": discarded,
    }


def _cost(held: Sequence[AcceleratorUse], seconds: float) -> tuple[dict[str, float], dict[str, float]]:
    accelerators = sum(use.accelerators for use in held)
    counts = {"accelerator_seconds": accelerators * seconds}
    gauges = {"accelerators": accelerators}
    unpriced = sum(use.accelerators for use in held if use.price is None)
    if unpriced:
        counts["unpriced_accelerator_seconds"] = unpriced * seconds
    for use in held:
        if use.price is None:
            continue
        hourly = use.accelerators * use.price
        counts[f"cost:{use.currency}"] = counts.get(f"cost:{use.currency}", 0.0) + hourly * seconds / 3600
        if not unpriced:
            name = f"cost_per_hour:{use.currency}"
            gauges[name] = gauges.get(name, 0.0) + hourly
    return counts, gauges


def _source(readings: Sequence[Reading]) -> dict[str, Any]:
    return {
        "targets": len(readings),
        "scraped": sum(one.reading is not None for one in readings),
        "reason": next((one.reason for one in readings if one.reading is None), ""),
    }


def merge(rows: Sequence[Signals]) -> Signals:
    """One row for consecutive ones (at least one), ending where the last one ends.

    Counts and histograms add up; rates and gauges are means weighted by time over the rows that know them (`*_max`: the
    maximum); targets, scraped, replicas and sources are the last row's; the reason is the last one given.
    """
    last = max(rows, key=lambda row: row.at)
    counts: dict[str, float] = {}
    for row in rows:
        for name, count in row.counts.items():
            counts[name] = counts.get(name, 0.0) + count
    families = {family for row in rows for family in row.histograms}
    gauges = _weighted((row.seconds, row.gauges) for row in rows)
    for name in gauges:
        if name.endswith("_max"):
            gauges[name] = max(row.gauges[name] for row in rows if name in row.gauges)
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
        sources=last.sources,
    )


def _weighted(rows: Iterable[tuple[float, Mapping[str, float]]]) -> dict[str, float]:
    sums: dict[str, float] = {}
    weights: dict[str, float] = {}
    for seconds, values in rows:
        for name, value in values.items():
            sums[name] = sums.get(name, 0.0) + seconds * value
            weights[name] = weights.get(name, 0.0) + seconds
    return {name: total / weights[name] for name, total in sums.items() if weights[name] > 0}
