"""Reads: signals of a window, newest figures, how far the ticks have come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from apps.core import clock
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.samples import Known, NoTraffic, Sample, Unknown
from apps.telemetry.domain.signals import Signals
from apps.telemetry.models import PoolSummary, Progress, Signal, SignalColumns, SignalHour, SignalMinute
from apps.telemetry.partitions import MINUTES, RAW

__all__ = ["INTERVAL", "Summary", "last_tick_at", "recent", "signals_of", "summaries"]

# seconds between ticks: the beat's schedule of telemetry-tick
INTERVAL = 10.0

_PLAIN = ("at", "seconds", "targets", "scraped", "reason")
_JSON = ("counts", "rates", "histograms", "gauges", "replicas", "sources")


@dataclass(frozen=True)
class Summary:
    """The newest figures of a pool. `state`: ok | stale | no_data; `hour`: observations of the last hour by family."""

    at: datetime
    last_sample_at: datetime | None
    state: str
    reason: str
    figures: Mapping[str, Sample]
    hour: Mapping[str, Histogram]


def summaries(pools: Iterable[UUID]) -> dict[UUID, Summary]:
    """One query for all of them; a pool that no tick has seen is left out."""
    now = clock.now()
    return {row.pool: _summary(row, now) for row in PoolSummary.objects.filter(pool__in=list(pools))}


def _summary(row: PoolSummary, now: datetime) -> Summary:
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
        hour={family: Histogram.from_json(rows) for family, rows in row.hour.items()},
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
    columns: Iterable[str],
    family: str | None = None,
    variant: str = "",
) -> list[Signals]:
    """Rows in (start, end] in order of time, with the JSON `columns` that are asked for; of histograms only `family`.

    `variant`: "" for the pool, a variant's name, or "role:decode". Each moment comes from one table: hours where `step`
    (seconds) needs no more or minutes are gone, then minutes, then raw rows after the last whole minute.
    """
    progress = Progress.objects.filter(id=1).first()
    now = clock.now()
    hours_until = _cut(progress.hours_until if progress else None, 3600, step, now - MINUTES.kept + MINUTES.span)
    minutes_until = _cut(progress.minutes_until if progress else None, 60, step, now - RAW.kept + RAW.span)
    wanted = sorted(set(columns))
    rows: list[Signals] = []
    for table, until in ((SignalHour, hours_until), (SignalMinute, minutes_until), (Signal, end)):
        if until is not None and until > start:
            rows += _read(table, pool, variant, start, min(until, end), wanted, family)
            start = min(until, end)
    return rows


def _cut(until: datetime | None, length: float, step: float, finer_from: datetime) -> datetime | None:
    """Up to when merged rows of `length` seconds are read: all of them where the step allows it, else those whose
    finer rows are gone."""
    if until is None or step >= length:
        return until
    return min(until, finer_from)


def recent(pools: Iterable[UUID], *, seconds: float) -> dict[UUID, dict[str, list[Signals]]]:
    """Raw rows of the last `seconds` (at most what raw rows are kept for), whole, by pool and variant in order of time.

    One query for all pools: what a loop reads in a tick.
    """
    now = clock.now()
    since = now - min(timedelta(seconds=seconds), RAW.kept)
    found: dict[UUID, dict[str, list[Signals]]] = {}
    rows = Signal.objects.filter(pool__in=list(pools), at__gt=since, at__lte=now).order_by("at")
    for values in rows.values_list("pool", "variant", *_PLAIN, *_JSON).iterator(chunk_size=2000):
        row = _signals(values[2:], _JSON)
        found.setdefault(values[0], {}).setdefault(values[1], []).append(row)
    return found


def _read(
    table: type[SignalColumns],
    pool: UUID,
    variant: str,
    start: datetime,
    end: datetime,
    columns: list[str],
    family: str | None,
) -> list[Signals]:
    fields = [f"histograms__{family}" if column == "histograms" and family else column for column in columns]
    found = (
        table._default_manager.filter(pool=pool, variant=variant, at__gt=start, at__lte=end)
        .order_by("at")
        .values_list(*_PLAIN, *fields)
    )
    return [_signals(values, columns, family) for values in found]


def _signals(values: Sequence[Any], columns: Sequence[str], family: str | None = None) -> Signals:
    plain, extra = values[: len(_PLAIN)], dict(zip(columns, values[len(_PLAIN) :], strict=True))
    if "histograms" in extra:
        held = {family: extra["histograms"]} if family else extra["histograms"]
        extra["histograms"] = {name: Histogram.from_json(h) for name, h in held.items() if h}
    return Signals(plain[0].timestamp(), *plain[1:], **extra)


def last_tick_at() -> datetime | None:
    """When the newest tick was stored."""
    progress = Progress.objects.filter(id=1).first()
    return progress.last_tick_at if progress else None


def moment(seconds: float) -> datetime:
    """Unix seconds → aware UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def window(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)
