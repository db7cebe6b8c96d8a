"""Nodes and what runs on them, read now and then: the memory that host tiers may take."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from apps.clusters.errors import KubeError
from apps.clusters.models import Cluster
from apps.clusters.selectors import kube_for
from apps.offload.policies import serving_variant
from apps.pools.domain.tiers.budget import NodeMemory, node_memories
from apps.pools.models import Pool
from apps.pools.selectors import accelerators, spec_of

__all__ = ["find_nodes"]

log = logging.getLogger(__name__)

# nodes and the requests of what runs on them change slowly, and a list of all pods is long
_EVERY_SECONDS = 300.0
_seen: dict[UUID, tuple[float, dict[UUID, tuple[NodeMemory, ...]]]] = {}


def find_nodes(pools: Sequence[Pool]) -> dict[UUID, tuple[NodeMemory, ...]]:
    """By pool; none for pools whose cluster cannot be asked. Two list calls per cluster every five minutes."""
    by_cluster: dict[UUID, list[Pool]] = {}
    for pool in pools:
        if pool.cluster_uid is not None and any(tier.kind == "host" for tier in spec_of(pool).offload.tiers):
            by_cluster.setdefault(pool.cluster_uid, []).append(pool)
    found: dict[UUID, tuple[NodeMemory, ...]] = {}
    now = time.monotonic()
    for uid, cluster in Cluster.objects.in_bulk(by_cluster).items():
        at, memories = _seen.get(uid, (-_EVERY_SECONDS, {}))
        if now - at >= _EVERY_SECONDS or any(pool.uid not in memories for pool in by_cluster[uid]):
            try:
                memories = _read(cluster, by_cluster[uid])
            except KubeError as error:
                log.info("the nodes of cluster %s cannot be read: %s", cluster.name, error)
            else:
                _seen[uid] = (now, memories)
        found |= memories
    return found


def _read(cluster: Cluster, pools: Sequence[Pool]) -> dict[UUID, tuple[NodeMemory, ...]]:
    kube = kube_for(cluster)
    nodes, pods = kube.list(kube.resource("Node")), kube.list(kube.resource("Pod"))
    known: Mapping[str, Any] = accelerators()
    found = {}
    for pool in pools:
        facts = known.get(serving_variant(spec_of(pool)).accelerator)
        found[pool.uid] = node_memories(
            nodes,
            pods,
            pool=str(pool.uid),
            resource=facts.resource if facts is not None else None,
            selector=facts.node_selector if facts is not None else {},
        )
    return found
