"""Reads: signals of a window, newest figures, how far the ticks have come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Sum

from apps.core import clock
from apps.telemetry import rows
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.replicas import Replica, Stretch
from apps.telemetry.domain.samples import Known, NoTraffic, Sample, Unknown
from apps.telemetry.domain.signals import Signals
from apps.telemetry.models import PoolSummary, Progress, ReplicaWindow, Signal
from apps.telemetry.partitions import HOURS, MINUTES, RAW, TENS

__all__ = [
    "INTERVAL",
    "Summary",
    "arrivals",
    "last_tick_at",
    "recent",
    "replicas_of",
    "scraped_now",
    "signals_of",
    "summaries",
]

# seconds between ticks: the beat's schedule of telemetry-tick
INTERVAL = 10.0


@dataclass(frozen=True)
class Summary:
    """The newest figures of a pool. `state`: ok | stale | no_data; `hour`: observations of the last hour by family."""

    at: datetime
    last_sample_at: datetime | None
    state: str
    reason: str
    figures: Mapping[str, Sample]
    hour: Mapping[str, Histogram]


def summaries(pools: Iterable[UUID], *, hour: bool = True) -> dict[UUID, Summary]:
    """One query for all of them; a pool that no tick has seen is left out. `hour` False: without the last hour's
    observations, which are most of what is stored."""
    now = clock.now()
    rows = PoolSummary.objects.filter(pool__in=list(pools))
    if not hour:
        rows = rows.defer("hour")
    return {row.pool: _summary(row, now, row.hour if hour else {}) for row in rows}


def _summary(row: PoolSummary, now: datetime, hour: Mapping[str, Any]) -> Summary:
    age = (now - row.last_sample_at).total_seconds() if row.last_sample_at else None
    if age is None:
        state, reason = "no_data", row.reason or "No engine of this pool has been scraped yet."
    elif age > 3 * INTERVAL:
        state, reason = "stale", f"The last measurement is {int(age)} s old. {row.reason}".strip()
    else:
        state, reason = "ok", row.reason
    return Summary(
        at=row.at,
        last_sample_at=row.last_sample_at,
        state=state,
        reason=reason,
        figures={name: _sample(value, age or 0.0, reason) for name, value in row.figures.items()},
        hour={family: Histogram.from_json(rows) for family, rows in hour.items()},
    )


def _sample(stored: Mapping[str, Any], age: float, reason: str) -> Sample:
    if "value" in stored:
        return Known(stored["value"], age) if age <= 3 * INTERVAL else Unknown(reason)
    return NoTraffic(age) if stored.get("state") == "no_traffic" else Unknown(stored.get("reason", ""))


def signals_of(
    pool: UUID,
    *,
    start: datetime,
    end: datetime,
    step: float,
    columns: Iterable[str] = (),
    variant: str = "",
    names: Iterable[str] | None = None,
) -> list[Signals]:
    """Rows in (start, end] in order of time, with the JSON `columns` that are asked for, or only `names`, as
    `column:name`.

    `variant`: "" for the pool, a variant's name, "role:decode" or "track:canary". Each moment comes from one table: the
    longest rows that divide `step` (seconds), or whose finer rows are gone, then finer ones up to the raw rows of this
    minute.
    """
    progress = Progress.objects.filter(id=1).first()
    now = clock.now()
    tables = [
        (HOURS, _cut(progress.hours_until if progress else None, 3600, step, now - TENS.kept + TENS.span)),
        (TENS, _cut(progress.tens_until if progress else None, 600, step, now - MINUTES.kept + MINUTES.span)),
        (MINUTES, _cut(progress.minutes_until if progress else None, 60, step, now - RAW.kept + RAW.span)),
        (RAW, end),
    ]
    want: rows.Wanted = dict.fromkeys(columns) if names is None else rows.wanted(names)
    found: list[Signals] = []
    for table, until in tables:
        if until is not None and until > start:
            part = rows.fetch(table.name, [pool], after=start, until=min(until, end), variant=variant, want=want)
            found += [row for _, _, row in part]
            start = min(until, end)
    return found


def _cut(until: datetime | None, length: float, step: float, finer_from: datetime) -> datetime | None:
    """Up to when merged rows of `length` seconds are read: all of them where the step allows it, else those whose
    finer rows are gone."""
    if until is None or step % length == 0:
        return until
    return min(until, finer_from)


def arrivals(
    pools: Iterable[UUID], *, after: datetime, until: datetime
) -> dict[UUID, list[tuple[float, float, float]]]:
    """(end in Unix seconds, seconds, requests) of the ten-minute rows in (after, until], in order of time: what came
    to the gateway where there is one, what the engines finished otherwise. One query; pools without rows are left out.
    """
    want: dict[str, list[str] | None] = {"counts": ["gateway.requests", "requests"]}
    found: dict[UUID, list[tuple[float, float, float]]] = {}
    for pool, _, row in rows.fetch(TENS.name, list(pools), after=after, until=until, variant="", want=want):
        count = row.counts.get("gateway.requests", row.counts.get("requests"))
        if count is not None and row.seconds > 0:
            found.setdefault(pool, []).append((row.at, row.seconds, count))
    return found


def recent(pools: Iterable[UUID], *, seconds: float) -> dict[UUID, dict[str, list[Signals]]]:
    """Raw rows of the last `seconds` (at most what raw rows are kept for), whole, by pool and variant in order of time.

    One query for all pools: what a loop reads in a tick.
    """
    now = clock.now()
    since = now - min(timedelta(seconds=seconds), RAW.kept)
    found: dict[UUID, dict[str, list[Signals]]] = {}
    for pool, variant, row in rows.fetch(RAW.name, list(pools), after=since, until=now):
        found.setdefault(pool, {}).setdefault(variant, []).append(row)
    return found


def replicas_of(pool: UUID) -> list[Replica]:
    """The engines that the newest ticks meant to read, with what they did in the last minutes."""
    now = clock.now()
    return [
        Replica(
            name=row.name,
            variant=row.variant,
            read_at=row.read_at.timestamp() if row.read_at is not None else None,
            reason=row.reason,
            stretches=tuple(Stretch.from_json(stored) for stored in row.stretches),
            gauges=row.gauges,
        )
        for row in ReplicaWindow.objects.filter(pool=pool, at__gt=now - timedelta(seconds=3 * INTERVAL)).order_by(
            "name"
        )
    ]


def last_tick_at() -> datetime | None:
    """When the newest tick was stored."""
    progress = Progress.objects.filter(id=1).first()
    return progress.last_tick_at if progress else None


def scraped_now() -> tuple[int, int]:
    """Engines of all pools that the last tick meant to read, and those that answered."""
    at = last_tick_at()
    if at is None:
        return 0, 0
    sums = Signal.objects.filter(at=at, variant="").aggregate(Sum("targets"), Sum("scraped"))
    return sums["targets__sum"] or 0, sums["scraped__sum"] or 0


def moment(seconds: float) -> datetime:
    """Unix seconds → aware UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def window(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)
