"""Who is to be scraped: the engine and endpoint picker pods of all pools, by one list call per cluster."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import UUID

from apps.catalog.domain.accelerators import accelerators
from apps.clusters.domain.spec import PrometheusSpec
from apps.clusters.errors import KubeError
from apps.clusters.models import Cluster
from apps.clusters.selectors import pods_of_pools
from apps.core.domain.units import HourlyPrice, parse_price
from apps.pools.domain.engines import COMPONENT_ENGINE
from apps.pools.domain.manifests import COMPONENT, POOL_UID, VARIANT
from apps.pools.domain.picker import COMPONENT_PICKER
from apps.pools.models import Pool
from apps.telemetry.classes import classes_of
from apps.telemetry.domain.classes import TrafficClass
from apps.telemetry.domain.pods import (
    PICKER_PORTS,
    holds_accelerators,
    is_ready,
    is_terminating,
    metrics_url,
    replica_states,
)
from apps.telemetry.domain.signals import ROLE, AcceleratorUse
from apps.telemetry.domain.tracks import canaries
from apps.telemetry.scrape import Target

__all__ = ["PoolTargets", "find_targets"]

log = logging.getLogger(__name__)

_LIST_SECONDS = 4.0
_CLUSTERS_AT_ONCE = 16
_SELECTOR = {"app.kubernetes.io/managed-by": "lamplight"}
_SCRAPED = (COMPONENT_ENGINE, COMPONENT_PICKER)


@dataclass(frozen=True)
class Prometheus:
    """The Prometheus of a cluster; `key`: the cluster's uid, `cluster`: its name, for sentences."""

    key: str
    cluster: str
    spec: PrometheusSpec


@dataclass(frozen=True)
class PoolTargets:
    """A pool and its engines and pickers. `replicas`: variant ("" for the pool) → replicas by state, empty when the
    cluster could not be asked (`reason` says why); `leaving`: keys of targets that are terminating, whose silence is no
    failure; `roles`: variant → both | prefill | decode; `held`: variant → accelerators that its pods hold, None when
    the cluster could not be asked; `prometheus`: who has scraped the targets already, None to scrape them."""

    pool: UUID
    variants: tuple[str, ...]
    targets: tuple[Target, ...] = ()
    replicas: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    leaving: frozenset[str] = frozenset()
    reason: str = ""
    roles: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[str, AcceleratorUse] | None = None
    prometheus: Prometheus | None = None


def find_targets() -> list[PoolTargets]:
    """The engines and pickers of all pools now. A cluster that does not answer costs no other its targets."""
    pools = list(Pool.objects.only("uid", "team", "name", "namespace", "spec", "status", "cluster_uid"))
    clusters = Cluster.objects.in_bulk({pool.cluster_uid for pool in pools if pool.cluster_uid is not None})
    pods = _list_all(list(clusters.values()))
    classes = classes_of((pool.team, pool.name) for pool in pools)
    found = []
    for pool in pools:
        listed = pods.get(pool.cluster_uid) if pool.cluster_uid is not None else None
        if listed is None:
            listed = f"The cluster {pool.spec.get('cluster')} of this pool is gone."
        if isinstance(listed, str):
            found.append(PoolTargets(pool.uid, _variants(pool), reason=listed, roles=_roles(pool)))
        else:
            assert pool.cluster_uid is not None
            cluster = clusters[pool.cluster_uid]
            mine = classes.get((pool.team, pool.name), ())
            targets = _of_pool(pool, listed.get(str(pool.uid), []), _prices(cluster), mine)
            found.append(replace(targets, prometheus=_prometheus(cluster)))
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
    by_pool: dict[str, list[dict[str, Any]]] = {}
    for pod in pods_of_pools(cluster, _SELECTOR):
        labels = pod["metadata"].get("labels") or {}
        uid = labels.get(POOL_UID)
        if uid and labels.get(COMPONENT) in _SCRAPED:
            by_pool.setdefault(uid, []).append(pod)
    return by_pool


def _of_pool(
    pool: Pool,
    pods: Sequence[Mapping[str, Any]],
    prices: Mapping[str, HourlyPrice],
    classes: tuple[TrafficClass, ...] = (),
) -> PoolTargets:
    targets, leaving = [], set()
    engines = []
    by_variant: dict[str, list[Mapping[str, Any]]] = {}
    for pod in pods:
        if not _is_picker(pod):
            engines.append(pod)
            by_variant.setdefault(_variant(pod), []).append(pod)
    living = ([pod for pod in members if not is_terminating(pod)] for members in by_variant.values())
    newer = frozenset[str]().union(*map(canaries, living))
    for pod in pods:
        metadata = pod["metadata"]
        picker = _is_picker(pod)
        url = metrics_url(pod, PICKER_PORTS) if picker else metrics_url(pod)
        if url is None or not is_ready(pod):
            continue
        kind: Literal["engine", "gateway"] = "gateway" if picker else "engine"
        targets.append(
            Target(
                metadata["uid"],
                metadata["name"],
                "" if picker else _variant(pod),
                url,
                kind,
                metadata.get("namespace") or pool.namespace,
                classes if picker else (),
                canary=metadata["uid"] in newer,
            )
        )
        if is_terminating(pod):
            leaving.add(metadata["uid"])
    desired = {row["name"]: row.get("desired") for row in (pool.status or {}).get("variants") or []}
    variants, roles = _variants(pool), _roles(pool)
    replicas = {name: replica_states(by_variant.get(name, []), desired.get(name)) for name in variants}
    for role in set(roles.values()):
        members = [name for name in variants if roles[name] == role]
        pods_of_role = [pod for name in members for pod in by_variant.get(name, [])]
        replicas[f"{ROLE}{role}"] = replica_states(pods_of_role, _sum(desired, members))
    replicas[""] = replica_states(engines, _sum(desired, variants))
    held = {row["name"]: _held(row, by_variant.get(row["name"], []), prices) for row in _rows(pool)}
    return PoolTargets(pool.uid, variants, tuple(targets), replicas, frozenset(leaving), roles=roles, held=held)


def _is_picker(pod: Mapping[str, Any]) -> bool:
    return (pod["metadata"].get("labels") or {}).get(COMPONENT) == COMPONENT_PICKER


def _variant(pod: Mapping[str, Any]) -> str:
    return str((pod["metadata"].get("labels") or {}).get(VARIANT, ""))


def _prometheus(cluster: Cluster) -> Prometheus | None:
    declared = cluster.spec.get("prometheus")
    return Prometheus(str(cluster.uid), cluster.name, PrometheusSpec.from_document(declared)) if declared else None


def _sum(desired: Mapping[str, int | None], names: Sequence[str]) -> int | None:
    """Of these variants; None while one is not known."""
    known = [count for count in (desired.get(name) for name in names) if count is not None]
    return sum(known) if len(known) == len(names) else None


def _held(
    variant: Mapping[str, Any], pods: Sequence[Mapping[str, Any]], prices: Mapping[str, HourlyPrice]
) -> AcceleratorUse:
    name = variant.get("accelerator", "")
    known = accelerators().get(name)
    if known is not None and known.resource is None:
        # a plain CPU is no accelerator, and has no price of its own
        return AcceleratorUse(0.0)
    each = max(1, math.prod((variant.get("parallelism") or {}).values()) // (variant.get("groupSize") or 1))
    count = float(each * sum(holds_accelerators(pod) for pod in pods))
    price = prices.get(name)
    return AcceleratorUse(count, float(price.amount), price.currency) if price else AcceleratorUse(count)


def _prices(cluster: Cluster) -> dict[str, HourlyPrice]:
    """Of one accelerator by its name: the cluster's own, else the catalogue's."""
    listed = {name: row.price for name, row in accelerators().items() if row.price is not None}
    own = {name: parse_price(price) for name, price in (cluster.spec.get("prices") or {}).items()}
    return {**listed, **own}


def _rows(pool: Pool) -> list[Mapping[str, Any]]:
    return list(pool.spec.get("variants") or [])


def _variants(pool: Pool) -> tuple[str, ...]:
    return tuple(variant["name"] for variant in _rows(pool))


def _roles(pool: Pool) -> dict[str, str]:
    return {variant["name"]: variant.get("role") or "both" for variant in _rows(pool)}
