"""The pages of the evictors: how full a pool's folder on a volume is, and whether the volume can be trusted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from uuid import UUID

import aiohttp

from apps.clusters.errors import KubeError
from apps.clusters.models import Cluster
from apps.clusters.selectors import pods_of_pools
from apps.offload.domain.store import StorePage, read_page
from apps.pools.domain.manifests import COMPONENT, POOL_UID
from apps.pools.domain.tiers.evicting import COMPONENT_EVICTOR, METRICS_PORT
from apps.pools.models import Pool

__all__ = ["find_stores"]

log = logging.getLogger(__name__)

_ONE_SECONDS = 2.0
_MOST_BYTES = 256 * 1024


def find_stores(pools: Sequence[Pool]) -> dict[UUID, StorePage]:
    """By pool, of those whose evictor answers: one list call per cluster, all pages at once."""
    by_cluster: dict[UUID, list[Pool]] = {}
    for pool in pools:
        if pool.cluster_uid is not None:
            by_cluster.setdefault(pool.cluster_uid, []).append(pool)
    addresses: dict[UUID, str] = {}
    for uid, cluster in Cluster.objects.in_bulk(by_cluster).items():
        wanted = {str(pool.uid): pool.uid for pool in by_cluster[uid]}
        try:
            pods = pods_of_pools(cluster, {COMPONENT: COMPONENT_EVICTOR})
        except KubeError as error:
            log.info("the evictors of cluster %s cannot be looked for: %s", cluster.name, error)
            continue
        for pod in pods:
            pool_uid = wanted.get((pod["metadata"].get("labels") or {}).get(POOL_UID, ""))
            ip = (pod.get("status") or {}).get("podIP")
            if pool_uid is not None and ip and not pod["metadata"].get("deletionTimestamp"):
                host = f"[{ip}]" if ":" in ip else ip
                addresses[pool_uid] = f"http://{host}:{METRICS_PORT}/metrics"
    return asyncio.run(_pages(addresses)) if addresses else {}


async def _pages(addresses: Mapping[UUID, str]) -> dict[UUID, StorePage]:
    timeout = aiohttp.ClientTimeout(total=_ONE_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        found = await asyncio.gather(*(_page(session, address) for address in addresses.values()))
    return {pool: page for pool, page in zip(addresses, found, strict=True) if page is not None}


async def _page(session: aiohttp.ClientSession, address: str) -> StorePage | None:
    try:
        async with session.get(address) as answer:
            if answer.status != 200:
                return None
            return read_page((await answer.content.read(_MOST_BYTES)).decode("utf-8", "replace"))
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        log.debug("the evictor at %s does not answer: %s", address, error)
        return None
