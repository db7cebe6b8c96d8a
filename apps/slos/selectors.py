"""Reads of the SLOs room."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

from apps.endpoints.domain.spec import EndpointSpec
from apps.endpoints.models import Endpoint
from apps.slos.domain.attainment import Span, together
from apps.slos.domain.calendar import budget_left, cell
from apps.slos.domain.slo import Objective, SLOSpec
from apps.slos.domain.standing import Standing, stand, windows_of
from apps.slos.domain.tally import Tally
from apps.slos.measuring import counted_before, key_of
from apps.slos.models import SLO, Alert, Series
from apps.slos.subjects import pools_of_slos, subject_of
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
    "slos_counted_at",
    "slos_of_endpoints",
    "slos_of_pool",
    "slos_of_pools",
    "standings",
]


_FEW = 64  # pools that are named in the query; of more, all of their teams are read


def slos_of_pool(team: str, name: str) -> list[tuple[str, SLOSpec]]:
    """(name, spec) of the SLOs of a pool, by name; at most 100."""
    return [(slo.name, spec) for slo, spec in slos_of_pools([(team, name)]).get((team, name), [])]


def slos_of_pools(pools: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], list[tuple[Any, SLOSpec]]]:
    """(SLO, spec) by pool, for pools given as (team, name), in one query. Not those of endpoints that name it."""
    return _slos_about("Pool", pools)


def slos_counted_at(pools: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], list[tuple[Any, SLOSpec]]]:
    """As `slos_of_pools`, with the SLOs of endpoints that name the pool: whatever its requests are counted for."""
    wanted = set(pools)
    found = {pool: list(several) for pool, several in slos_of_pools(wanted).items()}
    for endpoint, several in slos_of_endpoints(naming=wanted):
        for name in endpoint.pools:
            if (several[0][0].team, name) in wanted:
                found.setdefault((several[0][0].team, name), []).extend(several)
    return found


def slos_of_endpoints(
    naming: Iterable[tuple[str, str]],
) -> list[tuple[EndpointSpec, list[tuple[Any, SLOSpec]]]]:
    """Endpoints of the teams of these pools, (team, name), that have SLOs, with those. One query if none has."""
    teams = {team for team, _ in naming}
    aimed = SLO.objects.living().filter(team__in=teams, spec__targetRef__kind="Endpoint")
    wanted = {(row.team, row.spec["targetRef"]["name"]) for row in aimed[:10_000]}
    if not wanted:
        return []
    slos = _slos_about("Endpoint", wanted)
    rows = Endpoint.objects.living().filter(team__in=teams).order_by("team", "name")
    return [
        (EndpointSpec.from_document(row.spec), slos[row.team, row.name]) for row in rows if (row.team, row.name) in slos
    ]


def _slos_about(kind: str, names: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], list[tuple[Any, SLOSpec]]]:
    wanted = set(names)
    rows = SLO.objects.living().filter(team__in={team for team, _ in wanted}, spec__targetRef__kind=kind)
    rows = rows.order_by("team", "name")
    if len(wanted) <= _FEW:
        rows = rows.filter(spec__targetRef__name__in=[name for _, name in wanted])
    found: dict[tuple[str, str], list[tuple[Any, SLOSpec]]] = {}
    for row in rows[:10_000]:
        spec = SLOSpec.from_stored(row.spec)
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
        for pool, found in slos_counted_at(pools).items()
    }


@dataclass(frozen=True)
class Measured:
    """An SLO with the pools that it is judged by, none where its target is gone; `series`: of each objective, those
    that count it, one for each pool that a tick has seen."""

    spec: SLOSpec
    pools: Sequence[Any]
    series: Sequence[Sequence[Series]]

    @property
    def objectives(self) -> Iterator[tuple[Objective, Sequence[Series]]]:
        return zip(self.spec.objectives, self.series, strict=True)

    @property
    def born(self) -> dict[UUID, datetime]:
        return {pool.uid: pool.created_at for pool in self.pools}


def measured(slo: Any) -> Measured:
    """What counts an SLO."""
    spec = SLOSpec.from_document(slo.spec)
    subject = subject_of(slo.team, spec)
    pools = pools_of_slos([subject]).get(subject, ())
    if not pools:
        return Measured(spec, (), [()] * len(spec.objectives))
    source = source_of(spec, pools[0])
    series = Series.objects.filter(pool__in=[pool.uid for pool in pools], source=source, traffic=spec.traffic_key)
    rows = {(row.pool, row.metric, row.threshold_us): row for row in series}
    keys = [[key_of(pool.uid, source, one, spec.traffic_key) for pool in pools] for one in spec.objectives]
    found = [[rows.get((key.pool, key.metric, key.threshold_us)) for key in several] for several in keys]
    return Measured(spec, pools, [[row for row in several if row is not None] for several in found])


def standings(found: Measured, end: datetime) -> list[Standing]:
    """How each objective stands at `end`."""
    spans = spans_of(
        [
            (one, seconds)
            for objective, several in found.objectives
            for seconds in windows_of(objective)
            for one in several
        ],
        end=end,
        born=found.born,
    )
    return [
        stand(
            objective,
            {w: together([spans[one.pk, w] for one in several] or [Span(w, Tally())]) for w in windows_of(objective)},
            traffic=found.spec.traffic,
        )
        for objective, several in found.objectives
    ]


def history(objective: Objective, several: Sequence[Series], edges: Sequence[float]) -> list[dict[str, Any]]:
    """What was counted between consecutive `edges` (Unix seconds)."""
    sums = [counted_before([(one, moment(edge)) for edge in edges]) for one in several]
    began = [one.began_at.timestamp() if one.began_at is not None else None for one in several]
    fraction = float(objective.fraction)
    first = None if None in began else min(at for at in began if at is not None)
    cells = []
    for n, (start, end) in enumerate(pairwise(edges)):
        spans = [
            Span(max(0.0, end - (start if at is None else max(start, at))), mine[n + 1] - mine[n])
            for mine, at in zip(sums, began, strict=True)
        ]
        cells.append(cell(start, end, together(spans).tally, fraction, began=first))
    return cells


def budget_history(
    objective: Objective, several: Sequence[Series], times: Sequence[float]
) -> list[tuple[float, float | None]]:
    """(time, share of the budget left over the window that ends then)."""
    window = objective.window
    counted = [Tally()] * len(times)
    for one in several:
        ends = counted_before([(one, moment(time)) for time in times])
        starts = counted_before([(one, moment(time) - window) for time in times])
        counted = [sums + (end - start) for sums, start, end in zip(counted, starts, ends, strict=True)]
    fraction = float(objective.fraction)
    return [(time, budget_left(sums, fraction)) for time, sums in zip(times, counted, strict=True)]


def alerts(teams: frozenset[str] | None, query: Mapping[str, str]) -> Any:
    """Alerts of these teams (None: all), newest first; `query` may name team, state, slo and pool or endpoint."""
    rows = Alert.objects.all() if teams is None else Alert.objects.filter(team__in=teams)
    named = {"team": "team", "state": "state", "slo": "slo_name", "pool": "target_name", "endpoint": "target_name"}
    wanted: dict[str, Any] = {field: query[name] for name, field in named.items() if query.get(name)}
    kinds = [kind for kind in ("Pool", "Endpoint") if query.get(kind.lower())]
    if kinds:
        wanted["target_kind__in"] = kinds if len(kinds) == 1 else []
    return rows.filter(**wanted).order_by("-started_at", "-id")
