"""The SLOs of a pool as rules of Prometheus, for the objects that are rendered for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.catalog.domain.latency import latency_grid
from apps.core.kinds import Accepted
from apps.pools.models import Pool
from apps.reconcile import services as reconcile
from apps.reconcile.domain.priority import Priority
from apps.slos.domain.rules import rule_groups
from apps.slos.selectors import slos_of_pools
from apps.slos.ticking import source_of

__all__ = ["rules_of_pool", "slo_changed"]


def rules_of_pool(pool: Any) -> Iterable[Mapping[str, Any]]:
    """Rule groups of a pool, one for each SLO, by name."""
    found = slos_of_pools([(pool.team, pool.name)]).get((pool.team, pool.name), [])
    return [
        group
        for slo, spec in found
        for group in rule_groups(
            slo=slo.name,
            team=pool.team,
            pool=pool.name,
            namespace=pool.namespace,
            objectives=spec.objectives,
            source=source_of(spec, pool),
            edges=latency_grid()[1],
            traffic=spec.traffic.requests if spec.traffic is not None else None,
        )
    ]


def slo_changed(change: Accepted) -> list[Any]:
    """Watcher of SLOs: the pool that it is or was about has other rules now, and is reconciled."""
    specs = (change.obj.spec, (change.before or {}).get("spec") or change.obj.spec)
    for name in dict.fromkeys(spec["targetRef"]["name"] for spec in specs):
        pool = Pool.objects.living().named(change.obj.team, name).first()
        if pool is not None:
            reconcile.enqueue(kind="Pool", uid=pool.uid, priority=Priority.PERSON, shard=str(pool.cluster_uid))
    return []
