"""Reads of the SLOs room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

from apps.pools.models import Pool
from apps.slos.domain.attainment import Span
from apps.slos.domain.calendar import budget_left, cell
from apps.slos.domain.slo import Objective, SLOSpec
from apps.slos.domain.standing import Standing, stand, windows_of
from apps.slos.domain.tally import Tally
from apps.slos.measuring import counted_before, key_of
from apps.slos.models import SLO, Alert, Series
from apps.slos.ticking import source_of, spans_of
from apps.telemetry.domain.classes import TrafficClass
from apps.telemetry.selectors import moment

__all__ = [
    "Measured",
    "alerts",
    "budget_history",
    "classes_of_pools",
    "history",
    "measured",
    "slos_of_pool",
    "slos_of_pools",
    "standings",
]


def slos_of_pool(team: str, name: str) -> list[tuple[str, SLOSpec]]:
    """(name, spec) of the SLOs of a pool, by name; at most 100."""
    return [(slo.name, spec) for slo, spec in slos_of_pools([(team, name)]).get((team, name), [])]


def slos_of_pools(pools: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], list[tuple[Any, SLOSpec]]]:
    """(SLO, spec) by pool, for pools given as (team, name), in one query."""
    wanted = set(pools)
    rows = SLO.objects.living().filter(team__in={team for team, _ in wanted}).order_by("team", "name")
    if len(wanted) == 1:
        rows = rows.filter(spec__targetRef__name__in=[name for _, name in wanted])
    found: dict[tuple[str, str], list[tuple[Any, SLOSpec]]] = {}
    for row in rows[:10_000]:
        spec = SLOSpec.from_document(row.spec)
        key = (row.team, spec.target_ref.name)
        if key in wanted and len(found.get(key, ())) < 100:
            found.setdefault(key, []).append((row, spec))
    return found


def classes_of_pools(pools: Iterable[tuple[str, str]]) -> dict[tuple[str, str], list[TrafficClass]]:
    """Traffic classes that SLOs promise something of, by pool as (team, name)."""
    classed = SLO.objects.living().filter(spec__traffic__isnull=False)
    if not classed.exists():
        return {}
    return {
        pool: [spec.traffic.requests for _, spec in found if spec.traffic is not None]
        for pool, found in slos_of_pools(pools).items()
    }


Measured = list[tuple[Objective, Series | None]]


def measured(slo: Any) -> Measured:
    """Each objective of an SLO with the series that counts it; None while no tick has seen it, or its pool is gone."""
    spec = SLOSpec.from_document(slo.spec)
    pool = Pool.objects.filter(team=slo.team, name=spec.target_ref.name).first()
    if pool is None:
        return [(objective, None) for objective in spec.objectives]
    source = source_of(spec, pool)
    series = Series.objects.filter(pool=pool.uid, source=source, traffic=spec.traffic_key)
    rows = {(row.metric, row.threshold_us): row for row in series}
    keys = [key_of(pool.uid, source, objective, spec.traffic_key) for objective in spec.objectives]
    return [
        (objective, rows.get((key.metric, key.threshold_us)))
        for objective, key in zip(spec.objectives, keys, strict=True)
    ]


def standings(found: Measured, end: datetime) -> list[Standing]:
    """How each objective stands at `end`."""
    spans = spans_of(
        [(one, seconds) for objective, one in found if one is not None for seconds in windows_of(objective)], end=end
    )
    return [
        stand(objective, {w: spans[one.pk, w] if one is not None else Span(w, Tally()) for w in windows_of(objective)})
        for objective, one in found
    ]


def history(objective: Objective, series: Series, edges: Sequence[float]) -> list[dict[str, Any]]:
    """What was counted between consecutive `edges` (Unix seconds)."""
    sums = counted_before([(series, moment(edge)) for edge in edges])
    began = series.began_at.timestamp() if series.began_at is not None else None
    fraction = float(objective.fraction)
    return [
        cell(start, end, sums[n + 1] - sums[n], fraction, began=began) for n, (start, end) in enumerate(pairwise(edges))
    ]


def budget_history(objective: Objective, series: Series, times: Sequence[float]) -> list[tuple[float, float | None]]:
    """(time, share of the budget left over the window that ends then)."""
    window = objective.window
    ends = counted_before([(series, moment(time)) for time in times])
    starts = counted_before([(series, moment(time) - window) for time in times])
    fraction = float(objective.fraction)
    return [(time, budget_left(end - start, fraction)) for time, start, end in zip(times, starts, ends, strict=True)]


def alerts(teams: frozenset[str] | None, query: Mapping[str, str]) -> Any:
    """Alerts of these teams (None: all), newest first; `query` may name team, state, slo and pool."""
    rows = Alert.objects.all() if teams is None else Alert.objects.filter(team__in=teams)
    named = {"team": "team", "state": "state", "slo": "slo_name", "pool": "pool_name"}
    wanted = {field: query[name] for name, field in named.items() if query.get(name)}
    return rows.filter(**wanted).order_by("-started_at", "-id")
