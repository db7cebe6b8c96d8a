"""Writes: what a tick found, rows that no tick saw, outages; dropping what is old."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.telemetry import partitions
from apps.telemetry.domain import replicas
from apps.telemetry.domain.deltas import Delta
from apps.telemetry.domain.readings import PageReading
from apps.telemetry.domain.signals import Signals
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
from apps.telemetry.rollups import roll_up
from apps.telemetry.selectors import moment
from apps.telemetry.storing import columns_of, insert
from apps.telemetry.summaries import summarise

__all__ = [
    "ReplicaReading",
    "Tick",
    "Totals",
    "import_rows",
    "note_outage",
    "record_tick",
    "retire",
    "settle_outage",
    "totals_of",
]

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
        insert(Signal, [columns_of(pool, variant, tick.at, row) for (pool, variant), row in tick.rows.items()])
        insert(
            ScrapeState,
            [
                {"target": target, "pool": pool, "at": at, "totals": reading.state()}
                for target, (pool, reading, at) in tick.totals.items()
            ],
            key=("target",),
        )
        keep_replicas(tick.at, tick.replicas)
        progress, _ = Progress.objects.select_for_update().get_or_create(id=1)
        rolled = roll_up(progress.minutes_until, tick.at)
        summarise(tick.at, tick.rows, rolled)
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
        insert(table, [columns_of(pool, variant, moment(row.at), row) for pool, variant, row in rows])
        if until is not None:
            marks = (*_MARKS.get(level, ()), "last_tick_at")
            Progress.objects.update_or_create(id=1, defaults=dict.fromkeys(marks, until))


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


def keep_replicas(at: datetime, readings: Mapping[str, ReplicaReading]) -> None:
    """Bring the last minutes of every engine, by the key of its target, up to the tick at `at`."""
    before = {row.target: row for row in ReplicaWindow.objects.filter(target__in=list(readings))}
    windows = []
    for target, one in readings.items():
        old = before.get(target)
        stretches = [replicas.Stretch.from_json(stored) for stored in old.stretches] if old is not None else []
        read = one.reading is not None
        gauges = one.reading.gauges if one.reading is not None else {}
        windows.append(
            {
                "target": target,
                "pool": one.pool,
                "variant": one.variant,
                "name": one.name,
                "at": at,
                "read_at": at if read else old.read_at if old is not None else None,
                "reason": one.reason,
                "stretches": [s.to_json() for s in replicas.moved_on(stretches, at.timestamp(), one.change)],
                "gauges": {name: gauges[name] for name in replicas.GAUGES if name in gauges},
            }
        )
    insert(ReplicaWindow, windows, key=("target",))
