"""Longer rows are merged from shorter ones: minutes from ticks, tens from minutes, hours from tens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db import transaction

from apps.core import clock
from apps.telemetry import partitions
from apps.telemetry.domain.signals import Signals, merge
from apps.telemetry.models import Progress, Signal, SignalColumns, SignalHour, SignalMinute, SignalTen
from apps.telemetry.rows import fetch, oldest_row, pools_with_rows
from apps.telemetry.storing import columns_of, insert, signals_from

__all__ = ["roll_up", "roll_up_longer", "roll_up_longer_all", "roll_up_minutes"]

_MINUTE = timedelta(minutes=1)
# after a long stop only the newest minutes are rolled up in one tick; the next ticks do the rest
_MINUTES_AT_ONCE = 60
_BEGINNING = datetime.min.replace(tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# tens and hours that one run of the task merges at most; what is left is the next run's
_SPANS_AT_ONCE = 48
# of those runs in a row; 400 days of tens
_MOST_RUNS = 1_300
_POOLS_AT_ONCE = 50


def roll_up_minutes() -> None:
    """Merge whatever raw rows there are into minutes up to now."""
    now = clock.now()
    with transaction.atomic():
        progress, _ = Progress.objects.select_for_update().get_or_create(id=1)
        since = progress.minutes_until
        while (rolled := roll_up(since, now)) != since:
            since = rolled
        Progress.objects.filter(id=1).update(last_tick_at=now, minutes_until=since)


def roll_up_longer_all() -> None:
    """Merge minutes into tens and hours as far as they go."""
    for _ in range(_MOST_RUNS):
        before = Progress.objects.values_list("tens_until", "hours_until").get(id=1)
        roll_up_longer()
        if Progress.objects.values_list("tens_until", "hours_until").get(id=1) == before:
            break


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
    insert(SignalMinute, [columns_of(pool, variant, end, merge(rows)) for (pool, variant, end), rows in groups.items()])
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
        merged += [columns_of(pool, variant, end, merge(rows)) for (pool, variant), rows in groups.items()]
    with transaction.atomic():
        insert(level.table, merged, key=("pool", "variant", "at"))
        Progress.objects.filter(id=1).update(**{level.mark: end})
    return end
