"""Writes: a tick's rows, minutes, the newest figures; dropping what is old."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.telemetry import partitions
from apps.telemetry.domain import measures, replicas
from apps.telemetry.domain.deltas import Delta
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.measures import Measure, reads_of
from apps.telemetry.domain.readings import PageReading
from apps.telemetry.domain.samples import Known, NoTraffic, Sample, Unknown
from apps.telemetry.domain.signals import Signals, merge, rates_of
from apps.telemetry.models import (
    Outage,
    PoolSummary,
    Progress,
    ReplicaWindow,
    ScrapeState,
    Signal,
    SignalColumns,
    SignalHour,
    SignalMinute,
    SignalTen,
)
from apps.telemetry.rows import fetch, oldest_row, pools_with_rows, wanted

__all__ = [
    "FIGURES",
    "ReplicaReading",
    "Tick",
    "Totals",
    "import_rows",
    "note_outage",
    "record_tick",
    "retire",
    "roll_up",
    "roll_up_all",
    "roll_up_longer",
    "roll_up_minutes",
    "summarise_all",
    "totals_of",
]

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
_FIGURE_NAMES = wanted(reads_of(measure for measure, _ in FIGURES.values()) or ())
_LONGEST = timedelta(seconds=max(seconds for _, seconds in FIGURES.values()))
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_COLUMNS = [
    "seconds", "targets", "scraped", "reason", "counts", "rates", "histograms", "gauges", "replicas", "sources",
]  # fmt: skip
# after a long stop only the newest minutes are rolled up in one tick; the next ticks do the rest
_MINUTES_AT_ONCE = 60
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# tens and hours that one run of the task merges at most; what is left is the next run's
_SPANS_AT_ONCE = 48
# of those runs in a row; 400 days of tens
_MOST_RUNS = 1_300
_POOLS_AT_ONCE = 50
# times that an outage is asked for before it is left as it is
_ATTEMPTS = 12


@dataclass(frozen=True)
class Totals:
    """What a scrape is compared with."""

    at: datetime
    reading: PageReading


@dataclass(frozen=True)
class ReplicaReading:
    """One engine in a tick: what it did since the last one, None when that cannot be told; `reason`: why it was not
    read."""

    pool: UUID
    variant: str
    name: str
    reading: PageReading | None
    change: Delta | None
    reason: str = ""


@dataclass(frozen=True)
class Tick:
    """What one tick found: a row per (pool, variant; "" for the pool), and the totals of every process that
    answered, with the time at which its page was read; `replicas`: every engine by the key of its target."""

    at: datetime
    rows: Mapping[tuple[UUID, str], Signals]
    totals: Mapping[str, tuple[UUID, PageReading, datetime]]
    replicas: Mapping[str, ReplicaReading] = field(default_factory=dict)


def totals_of(targets: Iterable[str]) -> dict[str, Totals]:
    """The totals of engines (by target key) at their last scrape."""
    found = ScrapeState.objects.filter(target__in=list(targets))
    return {state.target: Totals(state.at, PageReading.from_state(state.totals)) for state in found}


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
                ScrapeState(target=target, pool=pool, at=at, totals=reading.state())
                for target, (pool, reading, at) in tick.totals.items()
            ],
            update_conflicts=True,
            unique_fields=["target"],
            update_fields=["pool", "at", "totals"],
            batch_size=500,
        )
        _keep_replicas(tick)
        progress, _ = Progress.objects.select_for_update().get_or_create(id=1)
        rolled = roll_up(progress.minutes_until, tick.at)
        _summarise(tick, rolled)
        Progress.objects.filter(id=1).update(last_tick_at=tick.at, minutes_until=rolled)


_IMPORTED: Mapping[str, tuple[type[SignalColumns], partitions.PartitionedTable]] = {
    "raw": (Signal, partitions.RAW),
    "minute": (SignalMinute, partitions.MINUTES),
    "ten": (SignalTen, partitions.TENS),
    "hour": (SignalHour, partitions.HOURS),
}
# how far rows of a level, and with them all finer ones, are said to be whole
_MARKS = {
    "hour": ("hours_until", "tens_until", "minutes_until"),
    "ten": ("tens_until", "minutes_until"),
    "minute": ("minutes_until",),
}


def import_rows(level: str, rows: Sequence[tuple[UUID, str, Signals]], *, until: datetime | None) -> None:
    """Store (pool, variant, row) that no tick saw as rows of a level: raw, minute, ten or hour.

    `until`: these and all finer ones are whole up to there; None: nothing is said of that.
    """
    table, partitioned = _IMPORTED[level]
    for at in sorted({partitioned.start_of(moment(row.at)) for _, _, row in rows}):
        partitions.ensure(partitioned, at)
    with transaction.atomic():
        table._default_manager.bulk_create(
            [_row(table, pool, variant, moment(row.at), row) for pool, variant, row in rows],
            ignore_conflicts=True,
            batch_size=1000,
        )
        if until is not None:
            marks = (*_MARKS.get(level, ()), "last_tick_at")
            Progress.objects.update_or_create(id=1, defaults=dict.fromkeys(marks, until))


def roll_up_minutes() -> None:
    """Merge whatever raw rows there are into minutes up to now."""
    now = clock.now()
    with transaction.atomic():
        progress, _ = Progress.objects.select_for_update().get_or_create(id=1)
        since = progress.minutes_until
        while (rolled := roll_up(since, now)) != since:
            since = rolled
        Progress.objects.filter(id=1).update(last_tick_at=now, minutes_until=since)


def roll_up_all() -> None:
    """Merge minutes into tens and hours as far as they go, and bring the summaries up to the newest rows."""
    for _ in range(_MOST_RUNS):
        before = Progress.objects.values_list("tens_until", "hours_until").get(id=1)
        roll_up_longer()
        if Progress.objects.values_list("tens_until", "hours_until").get(id=1) == before:
            break
    summarise_all()


def summarise_all() -> None:
    """Bring the newest figures up to the newest rows of every pool."""
    now = clock.now()
    newest = {
        (row.pool, ""): signals_from(row)
        for row in Signal.objects.filter(at__gt=now - timedelta(seconds=30), at__lte=now, variant="").order_by("at")
    }
    progress = Progress.objects.filter(id=1).first()
    if newest and progress is not None and progress.minutes_until is not None:
        _summarise(Tick(now, newest, {}), progress.minutes_until)


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


@dataclass(frozen=True)
class _Level:
    """Rows that are merged from finer ones. `mark`: the field of Progress that says up to when they are."""

    table: type[SignalColumns]
    partitions: partitions.PartitionedTable
    length: timedelta
    mark: str
    finer: str
    finer_mark: str


_LEVELS = (
    _Level(SignalTen, partitions.TENS, timedelta(minutes=10), "tens_until", partitions.MINUTES.name, "minutes_until"),
    _Level(SignalHour, partitions.HOURS, timedelta(hours=1), "hours_until", partitions.TENS.name, "tens_until"),
)


def roll_up_longer() -> None:
    """Merge whole tens of minutes, and whole hours, each once all of its finer rows are there."""
    for level in _LEVELS:
        progress = Progress.objects.filter(id=1).first()
        finer_until: datetime | None = getattr(progress, level.finer_mark, None)
        if finer_until is None:
            return
        since: datetime | None = getattr(progress, level.mark)
        if since is None:
            first = oldest_row(level.finer)
            if first is None:
                return
            # a row's time is its end: one at the very end of a span still belongs to it
            since = _floor(first - timedelta(microseconds=1), level.length)
        until = _floor(finer_until, level.length)
        for _ in range(_SPANS_AT_ONCE):
            if since >= until:
                break
            since = _merge_span(level, since)


def _floor(at: datetime, length: timedelta) -> datetime:
    return _EPOCH + (at - _EPOCH) // length * length


def _merge_span(level: _Level, since: datetime) -> datetime:
    end = since + level.length
    partitions.ensure(level.partitions, end)
    merged = []
    pools = pools_with_rows(level.finer, after=since, until=end)
    for first in range(0, len(pools), _POOLS_AT_ONCE):
        groups: dict[tuple[UUID, str], list[Signals]] = {}
        some = pools[first : first + _POOLS_AT_ONCE]
        for pool, variant, row in fetch(level.finer, some, after=since, until=end):
            groups.setdefault((pool, variant), []).append(row)
        merged += [_row(level.table, pool, variant, end, merge(rows)) for (pool, variant), rows in groups.items()]
    with transaction.atomic():
        level.table._default_manager.bulk_create(
            merged,
            update_conflicts=True,
            unique_fields=["pool", "variant", "at"],
            update_fields=_COLUMNS,
            batch_size=500,
        )
        Progress.objects.filter(id=1).update(**{level.mark: end})
    return end


def note_outage(since: datetime, until: datetime) -> None:
    """Remember a time without ticks, so that it can be filled from what others saw."""
    Outage.objects.get_or_create(since=since, defaults={"until": until})


def settle_outage(outage: Outage, problem: str) -> None:
    """Filled, or given up after some attempts; `problem` says why it is not whole."""
    outage.attempts += 1
    outage.problem = problem
    if not problem or outage.attempts >= _ATTEMPTS:
        outage.filled_at = clock.now()
    outage.save(update_fields=["attempts", "problem", "filled_at"])


def minute_row(pool: UUID, variant: str, at: datetime, row: Signals, *, source: str) -> SignalMinute:
    """A minute that no tick saw, marked as such."""
    told = {**row.sources, "engine": {"kind": source, "backfilled": True}}
    made: SignalMinute = _row(SignalMinute, pool, variant, at, replace(row, sources=told))
    return made


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def retire() -> None:
    """Drop partitions, totals and summaries that nothing needs any more."""
    now = clock.now()
    for table in partitions.ALL:
        partitions.ensure(table, now)
        partitions.drop_old(table, now)
    ScrapeState.objects.filter(at__lt=now - timedelta(hours=1)).delete()
    ReplicaWindow.objects.filter(at__lt=now - timedelta(hours=1)).delete()
    PoolSummary.objects.filter(at__lt=now - timedelta(days=1)).delete()
    Outage.objects.filter(until__lt=now - partitions.MINUTES.kept).delete()


def signals_from(row: SignalColumns) -> Signals:
    """A stored row as the domain's."""
    return Signals(
        at=row.at.timestamp(),
        seconds=row.seconds,
        targets=row.targets,
        scraped=row.scraped,
        reason=row.reason,
        counts=row.counts,
        rates=rates_of(row.counts, row.seconds, row.rates),
        histograms={family: Histogram.from_json(buckets) for family, buckets in row.histograms.items()},
        gauges=row.gauges,
        replicas=row.replicas,
        sources=row.sources,
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


def _keep_replicas(tick: Tick) -> None:
    """Bring the last minutes of every engine up to this tick."""
    before = {row.target: row for row in ReplicaWindow.objects.filter(target__in=list(tick.replicas))}
    windows = []
    for target, one in tick.replicas.items():
        old = before.get(target)
        stretches = [replicas.Stretch.from_json(stored) for stored in old.stretches] if old is not None else []
        read = one.reading is not None
        gauges = one.reading.gauges if one.reading is not None else {}
        windows.append(
            ReplicaWindow(
                target=target,
                pool=one.pool,
                variant=one.variant,
                name=one.name,
                at=tick.at,
                read_at=tick.at if read else old.read_at if old is not None else None,
                reason=one.reason,
                stretches=[s.to_json() for s in replicas.moved_on(stretches, tick.at.timestamp(), one.change)],
                gauges={name: gauges[name] for name in replicas.GAUGES if name in gauges},
            )
        )
    ReplicaWindow.objects.bulk_create(
        windows,
        update_conflicts=True,
        unique_fields=["target"],
        update_fields=["pool", "variant", "name", "at", "read_at", "reason", "stretches", "gauges"],
        batch_size=500,
    )


def _summarise(tick: Tick, minutes_until: datetime) -> None:
    pools = [pool for pool, variant in tick.rows if not variant]
    recent: dict[UUID, list[Signals]] = {pool: [] for pool in pools}
    found = fetch(partitions.RAW.name, pools, after=tick.at - _LONGEST, until=tick.at, variant="", want=_FIGURE_NAMES)
    for pool, _, row in found:
        recent[pool].append(row)
    before = {row.pool: row for row in PoolSummary.objects.filter(pool__in=pools)}
    hours = _hours(before, pools, minutes_until)
    summaries = []
    for pool in pools:
        old = before.get(pool)
        newest = tick.rows[(pool, "")]
        if newest.scraped:
            last_sample_at: datetime | None = tick.at
        else:
            last_sample_at = old.last_sample_at if old else None
        summaries.append(
            PoolSummary(
                pool=pool,
                at=tick.at,
                last_sample_at=last_sample_at,
                reason=newest.reason,
                figures=_figures(recent[pool], tick.at.timestamp()),
                hour=hours.get(pool, old.hour if old else {}),
                hour_until=minutes_until,
            )
        )
    PoolSummary.objects.bulk_create(
        summaries,
        update_conflicts=True,
        unique_fields=["pool"],
        update_fields=["at", "last_sample_at", "reason", "figures", "hour", "hour_until"],
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


def _hours(before: Mapping[UUID, PoolSummary], pools: Sequence[UUID], until: datetime) -> dict[UUID, dict[str, str]]:
    """Observations of the hour up to `until` by pool and family, packed; pools whose hour is that one are left out.

    The hour moves on by what came and what left it: two rows of a pool are read, not sixty.
    """
    moved: dict[datetime, list[UUID]] = {}
    fresh: list[UUID] = []
    for pool in pools:
        held = before[pool].hour_until if pool in before else None
        if held is None or not timedelta(0) <= until - held < _HOUR:
            fresh.append(pool)
        elif held < until:
            moved.setdefault(held, []).append(pool)
    hours = _observed(fresh, until - _HOUR, until)
    for held, members in moved.items():
        came, left = _observed(members, held, until), _observed(members, held - _HOUR, until - _HOUR)
        for pool in members:
            old = {family: Histogram.from_json(packed) for family, packed in before[pool].hour.items()}
            new, gone = came.get(pool, {}), left.get(pool, {})
            nothing = Histogram()
            hours[pool] = {
                family: old.get(family, nothing) + new.get(family, nothing) - gone.get(family, nothing)
                for family in {*old, *new}
            }
    return {
        pool: {family: histogram.pack() for family, histogram in hours.get(pool, {}).items() if histogram.counts}
        for pool in (*fresh, *(member for members in moved.values() for member in members))
    }


def _observed(pools: Sequence[UUID], since: datetime, until: datetime) -> dict[UUID, dict[str, Histogram]]:
    if not pools:
        return {}
    parts: dict[UUID, dict[str, list[Histogram]]] = {}
    minutes = fetch(partitions.MINUTES.name, pools, after=since, until=until, variant="", want={"histograms": None})
    for pool, _, row in minutes:
        of_pool = parts.setdefault(pool, {})
        for family, histogram in row.histograms.items():
            of_pool.setdefault(family, []).append(histogram)
    return {
        pool: {family: Histogram.sum(found) for family, found in families.items()} for pool, families in parts.items()
    }
