"""The ledger in Postgres: series brought up to the newest whole minute, and what was counted between two moments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from apps.slos.domain.ledger import Point, fold, thinned
from apps.slos.domain.slo import Objective, Source
from apps.slos.domain.tally import Promise, Tally
from apps.slos.models import LedgerPoint, Series
from apps.telemetry import selectors as telemetry
from apps.telemetry.batch import minutes_of_pools
from apps.telemetry.domain.signals import Signals

__all__ = ["FINE", "KEPT", "Key", "advance", "count_history", "counted_before", "ensure", "key_of", "sums_of", "thin"]

# minutes are kept for so long, hours after that
FINE = timedelta(hours=8)
KEPT = timedelta(days=400)
# a series so far behind is brought up by reading its pool's history, not with the others
_TOGETHER = timedelta(hours=2)
# of history, so much in one tick: the next ones do the rest
_DAYS_AT_ONCE = 30
_POOLS_AT_ONCE = 20
_DAY = timedelta(days=1)
_COLUMNS = ("counts", "histograms", "replicas", "sources")
_FIELDS = ("total", "good", "good_most", "known", "idle")
_BEFORE = """
    SELECT p.total, p.good, p.good_most, p.known, p.idle
    FROM unnest(%s::bigint[], %s::timestamptz[]) WITH ORDINALITY AS wanted(series, moment, n)
    LEFT JOIN LATERAL (
        SELECT total, good, good_most, known, idle FROM slos_ledger
        WHERE series_id = wanted.series AND at <= wanted.moment ORDER BY at DESC LIMIT 1
    ) p ON true
    ORDER BY wanted.n
"""
_THIN = """
    DELETE FROM slos_ledger a WHERE a.at < %s AND a.at >= %s AND EXISTS (
        SELECT 1 FROM slos_ledger b WHERE b.series_id = a.series_id AND b.at > a.at
        AND b.at <= date_trunc('hour', a.at - interval '1 microsecond') + interval '1 hour')
"""
# the newest point before the horizon stays: it is what the longest window is counted from
_FORGET = """
    DELETE FROM slos_ledger a WHERE a.at < %s AND EXISTS (
        SELECT 1 FROM slos_ledger b WHERE b.series_id = a.series_id AND b.at > a.at AND b.at <= %s)
"""


class Key(NamedTuple):
    """What makes a series."""

    pool: UUID
    source: Source
    metric: str
    threshold_us: int
    traffic: str = ""


def key_of(pool: UUID, source: Source, objective: Objective, traffic: str = "") -> Key:
    """`traffic`: the key of a class of requests, empty for all."""
    threshold = objective.threshold
    return Key(pool, source, objective.metric, threshold // timedelta(microseconds=1) if threshold else 0, traffic)


def ensure(keys: Iterable[Key], now: datetime) -> dict[Key, Series]:
    """The series of these keys, made where they are missing, and marked as used."""
    wanted = dict.fromkeys(keys)
    found = _find(wanted)
    missing = [Series(**key._asdict(), used_at=now) for key in wanted if key not in found]
    if missing:
        Series.objects.bulk_create(missing, ignore_conflicts=True, batch_size=500)
        found = _find(wanted)
    old = [series.pk for series in found.values() if now - series.used_at > timedelta(hours=1)]
    Series.objects.filter(pk__in=old).update(used_at=now)
    return found


def _find(wanted: Mapping[Key, object]) -> dict[Key, Series]:
    rows = Series.objects.filter(pool__in={key.pool for key in wanted})
    found = {_key(row): row for row in rows}
    return {key: found[key] for key in wanted if key in found}


def _key(row: Series) -> Key:
    return Key(row.pool, row.source, row.metric, row.threshold_us, row.traffic)  # type: ignore[arg-type]


def promise_of(row: Series) -> Promise:
    key = _key(row)
    threshold = None if key.metric == "errors" else key.threshold_us / 1e6
    return Promise(key.source, key.metric, threshold, key.traffic)  # type: ignore[arg-type]


def advance(found: Sequence[Series], *, until: datetime, born: Mapping[UUID, datetime]) -> None:
    """Count what happened up to `until`, in the series in hand too; `born`: since when each pool is declared."""
    near = [s for s in found if s.until is not None and until - s.until <= _TOGETHER and s.until < until]
    if near:
        after = min(s.until for s in near if s.until is not None)
        rows: dict[UUID, list[Signals]] = {}
        for pool, row in minutes_of_pools({s.pool for s in near}, after=after, until=until):
            rows.setdefault(pool, []).append(row)
        _count(near, rows, until)
    far = [s for s in found if s.until is None or until - s.until > _TOGETHER]
    behind: dict[tuple[UUID, datetime], list[Series]] = {}
    for series in far:
        start = series.until or max(born[series.pool], until - KEPT)
        behind.setdefault((series.pool, start), []).append(series)
    for (pool, start), several in list(behind.items())[:_POOLS_AT_ONCE]:
        _catch_up(pool, several, start=start, until=min(until, start + _DAYS_AT_ONCE * _DAY), now=until)


def count_history(found: Sequence[Series], *, until: datetime, now: datetime) -> None:
    """Count what rows of any length tell up to `until`: for a past that was brought in as a whole, whose minutes were
    never there. `now`: what is long before it is kept by the hour."""
    for series in found:
        start = series.until or until - KEPT
        if start < until:
            rows = telemetry.signals_of(series.pool, start=start, end=until, step=3600.0, columns=_COLUMNS)
            _count([series], {series.pool: rows}, until, fine_after=now - FINE)


def _catch_up(pool: UUID, several: Sequence[Series], *, start: datetime, until: datetime, now: datetime) -> None:
    while start < until:
        end = min(start + _DAY, until)
        # hours are enough of what will be kept by the hour only
        step = 60.0 if now - end < FINE + _DAY else 3600.0
        rows = telemetry.signals_of(pool, start=start, end=end, step=step, columns=_COLUMNS)
        _count(several, {pool: rows}, end, fine_after=now - FINE)
        start = end


def _count(
    several: Sequence[Series],
    rows: Mapping[UUID, Sequence[Signals]],
    until: datetime,
    fine_after: datetime | None = None,
) -> None:
    points: list[LedgerPoint] = []
    for series in several:
        mine = rows.get(series.pool, ())
        first = next((row.at - row.seconds for row in mine), 0.0)
        start = series.until.timestamp() if series.until is not None else first
        folded = fold(Point(start, _sums(series)), mine, promise_of(series))
        if folded:
            if series.began_at is None:
                series.began_at = telemetry.moment(max(start, first))
            _set_sums(series, folded[-1].sums)
        series.until = until
        kept = thinned(folded, before=fine_after.timestamp()) if fine_after else folded
        points += [LedgerPoint(series=series, at=telemetry.moment(point.at), **_columns(point.sums)) for point in kept]
    LedgerPoint.objects.bulk_create(points, ignore_conflicts=True, batch_size=2000)
    Series.objects.bulk_update(several, ["began_at", "until", *_FIELDS], batch_size=500)


def _sums(series: Series) -> Tally:
    return Tally(*(getattr(series, name) for name in _FIELDS))


def _set_sums(series: Series, sums: Tally) -> None:
    for name, value in _columns(sums).items():
        setattr(series, name, value)


def _columns(sums: Tally) -> dict[str, float]:
    return {name: getattr(sums, name) for name in _FIELDS}


def sums_of(series: Series) -> Tally:
    """All that was counted up to `series.until`."""
    return _sums(series)


def counted_before(wanted: Sequence[tuple[Series, datetime]]) -> list[Tally]:
    """For each (series, moment): all that was counted up to then. One query."""
    if not wanted:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_BEFORE, [[series.pk for series, _ in wanted], [moment for _, moment in wanted]])
        return [Tally(*row) if row[0] is not None else Tally() for row in cursor.fetchall()]


def thin(now: datetime) -> None:
    """Keep one point an hour of what is no longer recent, nothing beyond 400 days, no series that nobody asks for."""
    with connection.cursor() as cursor:
        cursor.execute(_THIN, [now - FINE, now - FINE - 2 * _DAY])
        cursor.execute(_FORGET, [now - KEPT, now - KEPT])
    unused = Series.objects.filter(used_at__lt=now - 7 * _DAY)
    LedgerPoint.objects.filter(series__in=unused).delete()
    unused.delete()
