"""Reads of the endpoints room."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from apps.clusters.models import Cluster
from apps.endpoints.domain.rendering import PoolFacts
from apps.endpoints.domain.spec import EndpointSpec
from apps.endpoints.models import Endpoint
from apps.pools import selectors as pools
from apps.pools.models import Pool


def spec_of(endpoint: Endpoint) -> EndpointSpec:
    return EndpointSpec.from_document(endpoint.spec)


def pools_of(endpoint: Endpoint, spec: EndpointSpec) -> dict[str, Pool]:
    """The living pools that an endpoint names: of its team, in its cluster and namespace."""
    rows = Pool.objects.living().filter(
        team=endpoint.team, cluster_uid=endpoint.cluster_uid, namespace=endpoint.namespace, name__in=spec.pools
    )
    return {pool.name: pool for pool in rows}


def facts_of(found: dict[str, Pool]) -> dict[str, PoolFacts]:
    """What rendering needs of pools; those whose model is not declared are left out."""
    facts = {}
    for name, pool in found.items():
        model = pools.model_of(pool)
        if model is not None:
            facts[name] = PoolFacts(name, pools.model_facts(model).served_name)
    return facts


def naming(pool: Pool) -> list[Endpoint]:
    """Living endpoints of the pool's team that name it."""
    rows = Endpoint.objects.living().filter(team=pool.team)
    return [endpoint for endpoint in rows if pool.name in spec_of(endpoint).pools]


def endpoints_of_cluster(cluster: Cluster) -> list[str]:
    """Names of the endpoints that are bound to a cluster, for a refusal to delete it."""
    return [str(row.key) for row in Endpoint.objects.filter(cluster_uid=cluster.uid).order_by("team", "name")[:500]]


def queue_keys() -> Iterable[tuple[UUID, str]]:
    """Every endpoint is looked at from time to time."""
    return [(uid, str(cluster)) for uid, cluster in Endpoint.objects.values_list("uid", "cluster_uid")]
