"""Reads of the SLOs room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from apps.slos.domain.slo import SLOSpec
from apps.slos.models import SLO


def slos_of_pool(team: str, name: str) -> list[tuple[str, SLOSpec]]:
    """(name, spec) of the SLOs of a pool, by name; at most 100."""
    return slos_of_pools([(team, name)]).get((team, name), [])


def slos_of_pools(pools: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], list[tuple[str, SLOSpec]]]:
    """The same for many pools, given as (team, name), in one query."""
    wanted = set(pools)
    rows = SLO.objects.living().filter(team__in={team for team, _ in wanted}).order_by("team", "name")
    found: dict[tuple[str, str], list[tuple[str, SLOSpec]]] = {}
    for row in rows[:10_000]:
        spec = SLOSpec.from_document(row.spec)
        key = (row.team, spec.target_ref.name)
        if key in wanted and len(found.get(key, ())) < 100:
            found.setdefault(key, []).append((row.name, spec))
    return found
