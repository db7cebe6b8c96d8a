"""Reads of the endpoints room."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit
from uuid import UUID

from apps.clusters.models import Cluster
from apps.endpoints.domain.rendering import PoolFacts
from apps.endpoints.domain.spec import EndpointSpec
from apps.endpoints.models import Endpoint
from apps.pools import selectors as pools
from apps.pools.domain.picker import FRONT_PORT
from apps.pools.models import Pool


def spec_of(endpoint: Endpoint) -> EndpointSpec:
    return EndpointSpec.from_document(endpoint.spec)


def pools_of(endpoint: Endpoint, spec: EndpointSpec) -> dict[str, Pool]:
    """The living pools that an endpoint names: of its team, wherever they live."""
    rows = Pool.objects.living().filter(team=endpoint.team, name__in=spec.pools)
    return {pool.name: pool for pool in rows}


def facts_of(endpoint: Endpoint, found: dict[str, Pool]) -> dict[str, PoolFacts]:
    """What rendering needs of pools; those whose model is not declared are left out."""
    facts = {}
    for name, pool in found.items():
        model = pools.model_of(pool)
        if model is not None:
            facts[name] = PoolFacts(name, pools.model_facts(model).served_name, _url(endpoint, pool))
    return facts


def _url(endpoint: Endpoint, pool: Pool) -> str | None:
    """Where an endpoint asks a pool that is not beside it, as PoolFacts has it."""
    if pool.cluster_uid == endpoint.cluster_uid:
        if pool.namespace == endpoint.namespace:
            return None
        return f"http://{pool.name}.{pool.namespace}.svc:{FRONT_PORT}"
    gateway = pools.spec_of(pool).routing.gateway
    if gateway is not None and gateway.hostnames:
        return f"http://{gateway.hostnames[0]}"
    address = str(pool.status.get("endpoint") or "")
    # what embedded clusters call cluster addresses are this machine's own
    return address if _loopback(urlsplit(address).hostname or "") else ""


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


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
