"""Reads: signals of a window, newest figures, how far the ticks have come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from apps.core import clock
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.samples import Known, NoTraffic, Sample, Unknown
from apps.telemetry.domain.signals import Signals
from apps.telemetry.models import PoolSummary, Progress, Signal, SignalColumns, SignalMinute
from apps.telemetry.partitions import RAW

__all__ = ["INTERVAL", "Summary", "last_tick_at", "signals_of", "summaries"]

# seconds between ticks: the beat's schedule of telemetry-tick
INTERVAL = 10.0

_PLAIN = ("at", "seconds", "targets", "scraped", "reason")


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

    Minutes where `step` (seconds) does not need more or raw rows are gone, raw rows after the last whole minute.
    """
    progress = Progress.objects.filter(id=1).first()
    minutes_until = progress.minutes_until if progress else None
    cut = start
    if minutes_until is not None:
        raw_from = minutes_until if step >= 60 else min(minutes_until, clock.now() - RAW.kept + RAW.span)
        cut = max(start, raw_from)
    wanted = sorted(set(columns))
    rows: list[Signals] = []
    if cut > start:
        rows += _read(SignalMinute, pool, variant, start, min(cut, end), wanted, family)
    if end > cut:
        rows += _read(Signal, pool, variant, cut, end, wanted, family)
    return rows


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
    rows = []
    for values in found:
        plain, extra = values[: len(_PLAIN)], dict(zip(columns, values[len(_PLAIN) :], strict=True))
        if "histograms" in extra:
            held = {family: extra["histograms"]} if family else extra["histograms"]
            extra["histograms"] = {name: Histogram.from_json(h) for name, h in held.items() if h}
        rows.append(Signals(plain[0].timestamp(), *plain[1:], **extra))
    return rows


def last_tick_at() -> datetime | None:
    """When the newest tick was stored."""
    progress = Progress.objects.filter(id=1).first()
    return progress.last_tick_at if progress else None


def moment(seconds: float) -> datetime:
    """Unix seconds → aware UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def window(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)
