"""SLOs as rules of Prometheus, for the objects that are rendered for pools.

An SLO on an Endpoint has no object of its own to stand in: its rules, which add up all pools, stand with the first of
them by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from apps.catalog.domain.latency import latency_grid
from apps.core import prepared
from apps.core.kinds import Accepted
from apps.endpoints.domain.spec import EndpointSpec
from apps.endpoints.models import Endpoint
from apps.pools.models import Pool
from apps.reconcile import services as reconcile
from apps.reconcile.domain.priority import Priority
from apps.slos.domain.rules import rule_groups
from apps.slos.models import SLO
from apps.slos.selectors import slos_of_endpoints, slos_of_pools
from apps.slos.ticking import source_of

__all__ = ["endpoint_changed", "rules_of_pools", "slo_changed"]


def rules_of_pools(pools: Sequence[Any]) -> Mapping[UUID, Iterable[Mapping[str, Any]]]:
    """Rule groups that stand with pools, one for each SLO, by name; by uid of the pool."""
    keys = [(pool.team, pool.name) for pool in pools]
    of_pools, of_endpoints = _any_about(keys)
    slos_by_pool = slos_of_pools(keys) if of_pools else {}
    found = {key: [(slo, spec, [key[1]]) for slo, spec in slos] for key, slos in slos_by_pool.items()}
    for endpoint, slos in slos_of_endpoints(naming=keys) if of_endpoints else ():
        team = slos[0][0].team
        named = _living(team, endpoint)
        if named and (team, named[0]) in keys:
            found.setdefault((team, named[0]), []).extend((slo, spec, named) for slo, spec in slos)
    return {
        pool.uid: [
            group
            for slo, spec, counted in sorted(found.get((pool.team, pool.name), ()), key=lambda one: one[0].name)
            for group in rule_groups(
                slo=slo.name,
                team=pool.team,
                target=spec.target_ref,
                pools=counted,
                namespace=pool.namespace,
                objectives=spec.objectives,
                source=source_of(spec, pool),
                edges=latency_grid()[1],
                traffic=spec.traffic,
            )
        ]
        for pool in pools
    }


def slo_changed(change: Accepted) -> list[Any]:
    """Watcher of SLOs: the pools that it is or was about have other rules now, and are reconciled."""
    documents = (change.obj.spec, (change.before or {}).get("spec") or change.obj.spec)
    targets = dict.fromkeys((spec["targetRef"]["kind"], spec["targetRef"]["name"]) for spec in documents)
    for kind, name in targets:
        if kind == "Pool":
            _look_again(change.obj.team, [name])
        else:
            endpoint = Endpoint.objects.named(change.obj.team, name).first()
            if endpoint is not None:
                _look_again(change.obj.team, EndpointSpec.from_document(endpoint.spec).pools)
    return []


def endpoint_changed(change: Accepted) -> list[Any]:
    """Watcher of endpoints: the rules of its SLOs are about the pools that it names now."""
    endpoint = change.obj
    if SLO.objects.living().filter(
        team=endpoint.team, spec__targetRef__kind="Endpoint", spec__targetRef__name=endpoint.name
    ):
        documents = (endpoint.spec, (change.before or {}).get("spec") or endpoint.spec)
        names = {name for spec in documents for name in EndpointSpec.from_document(spec).pools}
        _look_again(endpoint.team, sorted(names))
    return []


def _any_about(pools: Sequence[tuple[str, str]]) -> tuple[bool, bool]:
    """Whether there is an SLO about one of these pools, (team, name), and one about an endpoint of their teams: asked
    with each hand of pools that is reconciled, and mostly there is none."""
    with prepared.cursor() as cursor:
        cursor.execute(_ANY_ABOUT, {"teams": list({team for team, _ in pools}), "names": [name for _, name in pools]})
        row = cursor.fetchone()
    return bool(row[0]), bool(row[1])


_LIVING = f"SELECT 1 FROM {SLO._meta.db_table} WHERE team = ANY(%(teams)s) AND deletion_requested_at IS NULL"  # noqa: S608
_ANY_ABOUT = f"""
SELECT EXISTS ({_LIVING} AND spec #>> '{{targetRef,kind}}' = 'Pool' AND spec #>> '{{targetRef,name}}' = ANY(%(names)s)),
       EXISTS ({_LIVING} AND spec #>> '{{targetRef,kind}}' = 'Endpoint')
"""


def _living(team: str, endpoint: EndpointSpec) -> list[str]:
    rows = Pool.objects.living().filter(team=team, name__in=endpoint.pools)
    return list(rows.order_by("name").values_list("name", flat=True))


def _look_again(team: str, names: Iterable[str]) -> None:
    for pool in Pool.objects.living().filter(team=team, name__in=list(names)).order_by("name"):
        reconcile.enqueue(kind="Pool", uid=pool.uid, priority=Priority.PERSON, shard=str(pool.cluster_uid))
