"""One tick: count what signals say since the last one, judge every SLO, store how it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.catalog.domain.latency import latency_grid
from apps.core import clock, outbox
from apps.core.domain.conditions import read_conditions, set_condition
from apps.core.locks import advisory
from apps.slos import measuring
from apps.slos.alerting import update_alerts
from apps.slos.domain.attainment import Span, together
from apps.slos.domain.slo import SLOSpec, Source
from apps.slos.domain.standing import Standing, met_condition, ready_condition, stand, status_of, windows_of
from apps.slos.domain.tally import Tally
from apps.slos.measuring import Key, advance, counted_before, ensure, key_of, sums_of
from apps.slos.models import SLO, Series
from apps.slos.subjects import has_picker, pools_of_slos, subject_of
from apps.telemetry.batch import minutes_until

__all__ = ["MAX_SLOS", "count_history", "end_of_measuring", "pools_told", "run_tick", "source_of", "spans_of"]

# any number of our own
_LOCK = 0x6C616D70_736C6F73
MAX_SLOS = 10_000
# minutes are whole a little after they end; later than this, telemetry has stopped
_LATE = timedelta(minutes=3)


@dataclass(frozen=True)
class _Measured:
    """An SLO with the pools that it is judged by, and the series of each of its objectives in their order: one for
    each pool."""

    slo: Any
    spec: SLOSpec
    pools: Sequence[Any]
    source: Source
    series: tuple[tuple[Series, ...], ...]

    @property
    def all_series(self) -> Iterator[Series]:
        return (one for several in self.series for one in several)


def run_tick() -> int | None:
    """Judge every SLO; how many were judged, None when another tick runs."""
    with advisory(_LOCK) as held:
        if not held:
            return None
        until = minutes_until()
        if until is None:
            return 0
        with transaction.atomic():
            return _tick(until, clock.now())


def count_history(until: datetime) -> None:
    """Have the ledgers of all SLOs count an imported past up to `until` (measuring.count_history)."""
    now = clock.now()
    series = {one.pk: one for each in _measured(now) for one in each.all_series}
    measuring.count_history(list(series.values()), until=until, now=now)


def _tick(until: datetime, now: datetime) -> int:
    measured = _measured(now)
    series = {one.pk: one for each in measured for one in each.all_series}
    born = {pool.uid: pool.created_at for each in measured for pool in each.pools}
    advance(list(series.values()), until=until, born=born)
    end = end_of_measuring(now)
    spans = spans_of([(one, seconds) for each in measured for one, seconds in _windows(each)], end=end, born=born)
    edges = latency_grid()[1]
    judged: list[tuple[_Measured, Sequence[Standing]]] = []
    for each in measured:
        standings = [
            stand(
                objective,
                {w: together([spans[one.pk, w] for one in several]) for w in windows_of(objective)},
                edges=edges,
                traffic=each.spec.traffic,
            )
            for objective, several in zip(each.spec.objectives, each.series, strict=True)
        ]
        judged.append((each, standings))
    lines = [line for each, standings in judged if (line := _record(each, standings, end, now))]
    if lines:
        outbox.publish_all(lines)
    update_alerts([(each.slo, standings) for each, standings in judged], now)
    return len(judged)


def _measured(now: datetime) -> list[_Measured]:
    slos = [(slo, SLOSpec.from_document(slo.spec)) for slo in SLO.objects.living().order_by("team", "name")[:MAX_SLOS]]
    subjects = pools_of_slos(subject_of(slo.team, spec) for slo, spec in slos)
    found: list[tuple[Any, SLOSpec, Sequence[Any], Source, list[list[Key]]]] = []
    for slo, spec in slos:
        pools = subjects.get(subject_of(slo.team, spec), ())
        if not pools:
            continue
        source = source_of(spec, pools[0])
        keys = [[key_of(pool.uid, source, one, spec.traffic_key) for pool in pools] for one in spec.objectives]
        found.append((slo, spec, pools, source, keys))
    rows = ensure((key for *_, keys in found for several in keys for key in several), now)
    return [
        _Measured(slo, spec, pools, source, tuple(tuple(rows[key] for key in several) for several in keys))
        for slo, spec, pools, source, keys in found
    ]


def end_of_measuring(now: datetime) -> datetime:
    """Up to when things are judged: the last whole minute, or now where telemetry is late."""
    until = minutes_until()
    # what telemetry has not told yet is not unknown before it is late
    return until if until is not None and now - until <= _LATE else now


def source_of(spec: SLOSpec, pool: Any) -> Source:
    """Where an SLO of this pool is measured: where it says, else at the gateway if the pool has a picker."""
    if spec.measured_at is not None:
        return spec.measured_at
    if spec.traffic is not None or spec.target_ref.kind == "Endpoint":
        return "gateway"
    return "gateway" if has_picker(pool) else "engine"


def pools_told(spec: SLOSpec, pools: Sequence[Any]) -> list[str] | None:
    """Names of the pools whose counts were added up; None for an SLO on a pool, which names it itself."""
    return [pool.name for pool in pools] if spec.target_ref.kind == "Endpoint" else None


def _windows(each: _Measured) -> Iterable[tuple[Series, float]]:
    for objective, several in zip(each.spec.objectives, each.series, strict=True):
        for seconds in windows_of(objective):
            for one in several:
                yield one, seconds


def spans_of(
    wanted: Iterable[tuple[Series, float]], *, end: datetime, born: Mapping[UUID, datetime]
) -> Mapping[tuple[int, float], Span]:
    """What was counted in the `seconds` up to `end`, by (series, seconds). One query for all. `born`: since when each
    pool is declared: what was never counted is unknown since then."""
    unique = list({(one.pk, seconds): (one, seconds) for one, seconds in wanted}.values())
    before = counted_before([(one, end - timedelta(seconds=seconds)) for one, seconds in unique])
    return {
        (one.pk, seconds): _span(one, seconds, end, sums, born.get(one.pool))
        for (one, seconds), sums in zip(unique, before, strict=True)
    }


def _span(one: Series, seconds: float, end: datetime, before: Tally, born: datetime | None) -> Span:
    began = one.began_at or born
    since = (end - began).total_seconds() if began is not None else seconds
    return Span(max(0.0, min(seconds, since)), sums_of(one) - before)


def _record(each: _Measured, standings: Sequence[Standing], end: datetime, now: datetime) -> outbox.Line | None:
    """Store how an SLO stands, unless it was declared anew meanwhile; the line for the stream if anything moved."""
    slo, old = each.slo, each.slo.status
    status = status_of(standings, source=each.source, at=end.timestamp(), pools=pools_told(each.spec, each.pools))
    conditions_before = read_conditions(slo.conditions)
    after = set_condition(conditions_before, met_condition(standings, slo.generation), now)
    newest = min((one.burns[300.0] for one in standings), key=lambda burn: burn.state == "unknown")
    age = (now - slo.created_at).total_seconds()
    after = set_condition(after, ready_condition(each.spec, each.source, newest, slo.generation, age=age), now)
    conditions = [one.to_json() for one in after]
    if status == old and conditions == slo.conditions:
        return None
    written = SLO.objects.filter(pk=slo.pk, generation=slo.generation).update(status=status, conditions=conditions)
    if not written or (_visible(status) == _visible(old) and conditions == slo.conditions):
        return None
    return outbox.Line("SLO", slo.uid, slo.team, slo.name, "status", slo.generation, ("status", "conditions"))


def _visible(status: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """What of a status people would see move."""
    return [
        (one["key"], one["state"], _rounded(one["attained"], 4), _rounded(one["budgetLeft"], 2), one["firing"])
        for one in status.get("objectives", [])
    ]


def _rounded(value: float | None, places: int) -> float | None:
    return None if value is None else round(value, places)
