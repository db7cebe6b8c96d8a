"""Who is to be scraped: the engine pods of all pools, by one list call per cluster."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.clusters.errors import KubeError
from apps.clusters.kube import Kube
from apps.clusters.models import Cluster
from apps.clusters.selectors import kube_for
from apps.pools.domain.engines import COMPONENT_ENGINE
from apps.pools.domain.manifests import COMPONENT, POOL_UID, VARIANT
from apps.pools.models import Pool
from apps.telemetry.domain.pods import is_ready, is_terminating, metrics_url, replica_states
from apps.telemetry.scrape import Target

__all__ = ["PoolTargets", "find_targets"]

log = logging.getLogger(__name__)

_LIST_SECONDS = 4.0
_CLUSTERS_AT_ONCE = 16
_SELECTOR = {"app.kubernetes.io/managed-by": "lamplight", COMPONENT: COMPONENT_ENGINE}


@dataclass(frozen=True)
class PoolTargets:
    """A pool and its engines. `replicas`: variant ("" for the pool) → replicas by state, empty when the cluster could
    not be asked (`reason` says why); `leaving`: keys of targets that are terminating, whose silence is no failure."""

    pool: UUID
    variants: tuple[str, ...]
    targets: tuple[Target, ...] = ()
    replicas: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    leaving: frozenset[str] = frozenset()
    reason: str = ""


def find_targets() -> list[PoolTargets]:
    """The engines of all pools now. A cluster that does not answer costs its own pools their targets, no others."""
    pools = list(Pool.objects.only("uid", "team", "name", "spec", "status", "cluster_uid"))
    clusters = Cluster.objects.in_bulk({pool.cluster_uid for pool in pools if pool.cluster_uid is not None})
    pods = _list_all(list(clusters.values()))
    found = []
    for pool in pools:
        listed = pods.get(pool.cluster_uid) if pool.cluster_uid is not None else None
        if listed is None:
            listed = f"The cluster {pool.spec.get('cluster')} of this pool is gone."
        if isinstance(listed, str):
            found.append(PoolTargets(pool.uid, _variants(pool), reason=listed))
        else:
            found.append(_of_pool(pool, listed.get(str(pool.uid), [])))
    return found


def _list_all(clusters: Sequence[Cluster]) -> dict[UUID, dict[str, list[dict[str, Any]]] | str]:
    """By cluster: engine pods by pool uid, or the sentence why they could not be listed."""
    answers: dict[UUID, dict[str, list[dict[str, Any]]] | str] = {
        c.uid: f"Cluster {c.name} did not list its pods within {_LIST_SECONDS:g} s." for c in clusters
    }
    if not clusters:
        return answers
    executor = ThreadPoolExecutor(min(len(clusters), _CLUSTERS_AT_ONCE), thread_name_prefix="telemetry-list")
    try:
        futures = {executor.submit(_list, cluster): cluster for cluster in clusters}
        done, _ = wait(futures, timeout=_LIST_SECONDS)
        for future in done:
            cluster = futures[future]
            try:
                answers[cluster.uid] = future.result()
            except KubeError as error:
                answers[cluster.uid] = f"Cluster {cluster.name} cannot be asked for its pods: {error}."
            except Exception:
                log.exception("listing the pods of cluster %s", cluster.name)
                answers[cluster.uid] = (
                    f"Cluster {cluster.name} cannot be asked for its pods; the worker's log says why."
                )
    finally:
        # a cluster that hangs keeps its thread until the call's own deadline, not this tick
        executor.shutdown(wait=False, cancel_futures=True)
    return answers


def _list(cluster: Cluster) -> dict[str, list[dict[str, Any]]]:
    kube: Kube = kube_for(cluster)
    by_pool: dict[str, list[dict[str, Any]]] = {}
    for pod in kube.list(kube.resource("Pod"), labels=_SELECTOR):
        uid = (pod["metadata"].get("labels") or {}).get(POOL_UID)
        if uid:
            by_pool.setdefault(uid, []).append(pod)
    return by_pool


def _of_pool(pool: Pool, pods: Sequence[Mapping[str, Any]]) -> PoolTargets:
    targets, leaving = [], set()
    by_variant: dict[str, list[Mapping[str, Any]]] = {}
    for pod in pods:
        metadata = pod["metadata"]
        variant = (metadata.get("labels") or {}).get(VARIANT, "")
        by_variant.setdefault(variant, []).append(pod)
        url = metrics_url(pod)
        if url is None or not is_ready(pod):
            continue
        targets.append(Target(key=metadata["uid"], name=metadata["name"], variant=variant, url=url))
        if is_terminating(pod):
            leaving.add(metadata["uid"])
    desired = {row["name"]: row.get("desired") for row in (pool.status or {}).get("variants") or []}
    variants = _variants(pool)
    replicas = {name: replica_states(by_variant.get(name, []), desired.get(name)) for name in variants}
    known = [count for count in (desired.get(name) for name in variants) if count is not None]
    replicas[""] = replica_states(pods, sum(known) if len(known) == len(variants) else None)
    return PoolTargets(pool.uid, variants, tuple(targets), replicas, frozenset(leaving))


def _variants(pool: Pool) -> tuple[str, ...]:
    return tuple(variant["name"] for variant in pool.spec.get("variants") or [])
