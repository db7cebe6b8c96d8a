"""Writes: a tick's rows, minutes, the newest figures; dropping what is old."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.core import clock
from apps.telemetry import partitions
from apps.telemetry.domain import measures
from apps.telemetry.domain.engine import EngineReading
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.measures import Measure
from apps.telemetry.domain.samples import Known, NoTraffic, Sample, Unknown
from apps.telemetry.domain.signals import Signals, merge
from apps.telemetry.models import PoolSummary, Progress, ScrapeState, Signal, SignalColumns, SignalMinute

__all__ = ["FIGURES", "Tick", "Totals", "record_tick", "retire", "roll_up", "totals_of"]

# what lists show: name -> (measure, seconds of window)
FIGURES: Mapping[str, tuple[Measure, float]] = {
    "requests_per_second": (measures.rate("requests"), 60),
    "errors_per_second": (measures.rate("errors"), 60),
    "prompt_tokens_per_second": (measures.rate("prompt_tokens"), 60),
    "tokens_per_second": (measures.rate("generation_tokens"), 60),
    "ttft_p95": (measures.quantile("ttft", 0.95), 300),
    "itl_p95": (measures.quantile("itl", 0.95), 300),
    "hit_rate": (measures.hit_rate, 300),
    "running": (measures.gauge("running"), 30),
    "waiting": (measures.gauge("waiting"), 30),
    "kv_max": (measures.gauge("kv_max"), 30),
}
_LONGEST = timedelta(seconds=max(seconds for _, seconds in FIGURES.values()))
_MINUTE = timedelta(minutes=1)
# after a long stop only the newest minutes are rolled up in one tick; the next ticks do the rest
_MINUTES_AT_ONCE = 60
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_SQL_HOUR = """
    SELECT pool, family.key, bucket.value->>0, bucket.value->>1, sum((bucket.value->>2)::float8)
    FROM telemetry_signal_minute, jsonb_each(histograms) family, jsonb_array_elements(family.value) bucket
    WHERE variant = '' AND at > %s AND at <= %s
    GROUP BY 1, 2, 3, 4
"""


@dataclass(frozen=True)
class Totals:
    """What a scrape is compared with."""

    at: datetime
    reading: EngineReading


@dataclass(frozen=True)
class Tick:
    """What one tick found: a row per (pool, variant; "" for the pool), and the totals of every engine that answered."""

    at: datetime
    rows: Mapping[tuple[UUID, str], Signals]
    totals: Mapping[str, tuple[UUID, EngineReading]]


def totals_of(targets: Iterable[str]) -> dict[str, Totals]:
    """The totals of engines (by target key) at their last scrape."""
    found = ScrapeState.objects.filter(target__in=list(targets))
    return {state.target: Totals(state.at, EngineReading.from_state(state.totals)) for state in found}


def record_tick(tick: Tick) -> None:
    """Store a tick whole or not at all, and bring minutes and summaries up to it."""
    for table in (partitions.RAW, partitions.MINUTES):
        partitions.ensure(table, tick.at)
    with transaction.atomic():
        Signal.objects.bulk_create(
            [_row(Signal, pool, variant, tick.at, row) for (pool, variant), row in tick.rows.items()],
            ignore_conflicts=True,
            batch_size=500,
        )
        ScrapeState.objects.bulk_create(
            [
                ScrapeState(target=target, pool=pool, at=tick.at, totals=reading.state())
                for target, (pool, reading) in tick.totals.items()
            ],
            update_conflicts=True,
            unique_fields=["target"],
            update_fields=["pool", "at", "totals"],
            batch_size=500,
        )
        progress, _ = Progress.objects.select_for_update().get_or_create(id=1)
        rolled = roll_up(progress.minutes_until, tick.at)
        _summarise(tick, hour_is_new=rolled != progress.minutes_until)
        Progress.objects.filter(id=1).update(last_tick_at=tick.at, minutes_until=rolled)


def roll_up(since: datetime | None, now: datetime) -> datetime:
    """Merge raw rows of whole minutes after `since` into minute rows; the end of the last whole minute."""
    until = now.replace(second=0, microsecond=0)
    if since is None or until - since > 2 * _MINUTE:
        # after a stop: on to the first minute that has rows
        later = Signal.objects.filter(at__gt=since) if since is not None else Signal.objects.all()
        first = later.order_by("at").values_list("at", flat=True).first()
        since = max((first or until).replace(second=0, microsecond=0), since or _BEGINNING)
    until = min(until, since + _MINUTES_AT_ONCE * _MINUTE)
    if until <= since:
        return since
    groups: dict[tuple[UUID, str, datetime], list[Signals]] = {}
    for row in Signal.objects.filter(at__gt=since, at__lte=until).order_by("at").iterator(chunk_size=2000):
        # a row at the very end of a minute still belongs to it
        end = (row.at - timedelta(microseconds=1)).replace(second=0, microsecond=0) + _MINUTE
        groups.setdefault((row.pool, row.variant, end), []).append(signals_from(row))
    for end in {end for _, _, end in groups}:
        partitions.ensure(partitions.MINUTES, end)
    SignalMinute.objects.bulk_create(
        [_row(SignalMinute, pool, variant, end, merge(rows)) for (pool, variant, end), rows in groups.items()],
        ignore_conflicts=True,
        batch_size=500,
    )
    return until


def retire() -> None:
    """Drop partitions, totals and summaries that nothing needs any more."""
    now = clock.now()
    for table in (partitions.RAW, partitions.MINUTES):
        partitions.ensure(table, now)
        partitions.drop_old(table, now)
    ScrapeState.objects.filter(at__lt=now - timedelta(hours=1)).delete()
    PoolSummary.objects.filter(at__lt=now - timedelta(days=1)).delete()


def signals_from(row: SignalColumns) -> Signals:
    """A stored row as the domain's."""
    return Signals(
        at=row.at.timestamp(),
        seconds=row.seconds,
        targets=row.targets,
        scraped=row.scraped,
        reason=row.reason,
        counts=row.counts,
        rates=row.rates,
        histograms={family: Histogram.from_json(buckets) for family, buckets in row.histograms.items()},
        gauges=row.gauges,
        replicas=row.replicas,
    )


def _row(table: Callable[..., Any], pool: UUID, variant: str, at: datetime, row: Signals) -> Any:
    return table(
        pool=pool,
        variant=variant,
        at=at,
        seconds=row.seconds,
        targets=row.targets,
        scraped=row.scraped,
        reason=row.reason,
        **row.to_json(),
    )


def _summarise(tick: Tick, *, hour_is_new: bool) -> None:
    pools = [pool for pool, variant in tick.rows if not variant]
    recent: dict[UUID, list[Signals]] = {pool: [] for pool in pools}
    found = Signal.objects.filter(pool__in=pools, variant="", at__gt=tick.at - _LONGEST, at__lte=tick.at).order_by("at")
    for row in found.iterator(chunk_size=2000):
        recent[row.pool].append(signals_from(row))
    before = {row.pool: row for row in PoolSummary.objects.filter(pool__in=pools)}
    hours = _hours(tick.at) if hour_is_new else {}
    summaries = []
    for pool in pools:
        old = before.get(pool)
        newest = tick.rows[(pool, "")]
        if newest.scraped:
            last_sample_at: datetime | None = tick.at
        else:
            last_sample_at = old.last_sample_at if old else None
        hour = hours.get(pool, {}) if hour_is_new else old.hour if old else {}
        figures = _figures(recent[pool], tick.at.timestamp())
        summaries.append(
            PoolSummary(
                pool=pool, at=tick.at, last_sample_at=last_sample_at, reason=newest.reason, figures=figures, hour=hour
            )
        )
    PoolSummary.objects.bulk_create(
        summaries,
        update_conflicts=True,
        unique_fields=["pool"],
        update_fields=["at", "last_sample_at", "reason", "figures", "hour"],
        batch_size=500,
    )


def _figures(rows: Sequence[Signals], now: float) -> dict[str, Any]:
    figures = {}
    for name, (measure, seconds) in FIGURES.items():
        inside = [row for row in rows if row.at > now - seconds]
        sample: Sample = measure(merge(inside)) if inside else Unknown("No tick has been stored in the window.")
        figures[name] = _stored(sample)
    return figures


def _stored(sample: Sample) -> dict[str, Any]:
    match sample:
        case Known(value=value):
            return {"value": value}
        case NoTraffic():
            return {"state": "no_traffic"}
        case Unknown(reason=reason):
            return {"state": "unknown", "reason": reason}


def _hours(now: datetime) -> dict[UUID, dict[str, list[list[float | None]]]]:
    """Observations of the last hour by pool and family, as Histogram.to_json."""
    hours: dict[UUID, dict[str, list[list[float | None]]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_SQL_HOUR, [now - timedelta(hours=1), now])
        for pool, family, low, high, count in cursor.fetchall():
            edges = [None if edge is None else float(edge) for edge in (low, high)]
            hours.setdefault(pool, {}).setdefault(family, []).append([*edges, count])
    return hours
