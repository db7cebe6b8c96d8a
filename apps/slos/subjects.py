"""What SLOs are about: the pools whose counts they are judged by. Of a Pool it is that one, of an Endpoint all that it
names, backends and fail-over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apps.endpoints.domain.spec import EndpointSpec
from apps.endpoints.models import Endpoint
from apps.pools.models import Pool
from apps.slos.domain.slo import SLOSpec

__all__ = ["Subject", "has_picker", "pools_of_slos", "subject_of"]

Subject = tuple[str, str, str]
"""(kind, team, name) of what an SLO is about."""

_FIELDS = ("uid", "team", "name", "namespace", "spec", "created_at")


def subject_of(team: str, spec: SLOSpec) -> Subject:
    return spec.target_ref.kind, team, spec.target_ref.name


def pools_of_slos(subjects: Iterable[Subject]) -> Mapping[Subject, Sequence[Any]]:
    """The pools of each subject that is there, by name; empty for an Endpoint whose pools are all gone. Two queries."""
    wanted = set(subjects)
    endpoints = _endpoints(wanted)
    teams = {team for _, team, _ in wanted}
    pools = {(pool.team, pool.name): pool for pool in Pool.objects.filter(team__in=teams).only(*_FIELDS)}
    found: dict[Subject, list[Any]] = {}
    for subject in wanted:
        kind, team, name = subject
        if kind == "Endpoint":
            if (team, name) in endpoints:
                names = sorted(endpoints[team, name].pools)
                found[subject] = [pools[team, one] for one in names if (team, one) in pools]
        elif (team, name) in pools:
            found[subject] = [pools[team, name]]
    return found


def _endpoints(wanted: Iterable[Subject]) -> dict[tuple[str, str], EndpointSpec]:
    named = [(team, name) for kind, team, name in wanted if kind == "Endpoint"]
    if not named:
        return {}
    rows = Endpoint.objects.living().filter(team__in={team for team, _ in named}, name__in={name for _, name in named})
    return {(row.team, row.name): EndpointSpec.from_document(row.spec) for row in rows}


def has_picker(pool: Any) -> bool:
    """Whether requests are counted at a gateway of this pool."""
    return bool((pool.spec.get("routing") or {}).get("picker", True))
