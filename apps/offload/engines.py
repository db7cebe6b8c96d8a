"""Who publishes KV events: the engine pods of pools that keep or may keep KV blocks in tiers, and their ports."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.clusters.errors import KubeError
from apps.clusters.models import Cluster
from apps.clusters.selectors import pods_of_pools
from apps.pools.domain.engines import COMPONENT_ENGINE
from apps.pools.domain.manifests import COMPONENT, POOL_UID, VARIANT
from apps.pools.models import Pool
from apps.telemetry.domain.pods import is_ready, is_terminating

__all__ = ["CANARY", "Endpoint", "Publishers", "endpoints_of", "find_publishers"]

log = logging.getLogger(__name__)

CANARY = "lamplight.dev/canary"
_SELECTOR = {"app.kubernetes.io/managed-by": "lamplight", COMPONENT: COMPONENT_ENGINE}
_EVENTS_PORT, _REPLAY_PORT = 5557, 5558
_FLAG = "--kv-events-config"


@dataclass(frozen=True)
class Endpoint:
    """Where one engine (one data-parallel rank) publishes. replay "": it does not repeat what was missed. restarts:
    of its container so far; another number is another life of the engine."""

    name: str
    pod: str
    address: str
    replay: str
    restarts: int = 0


@dataclass(frozen=True)
class Publishers:
    """The engines of one pool. silent: pods that publish nothing, ready: pod name → uid of those that serve, canary:
    pods that have tiers which the others have not; others: variant → how many of its pods serve that are no canary;
    problem: why the cluster could not be asked."""

    pool: UUID
    endpoints: tuple[Endpoint, ...] = ()
    silent: tuple[str, ...] = ()
    canary: tuple[str, ...] = ()
    ready: Mapping[str, str] | None = None
    others: Mapping[str, int] | None = None
    problem: str = ""


def find_publishers(pools: Sequence[Pool] | None = None) -> list[Publishers]:
    """Of all pools whose offload is not off, by one list call per cluster."""
    found = list(pools) if pools is not None else _offloading()
    clusters = Cluster.objects.in_bulk({pool.cluster_uid for pool in found if pool.cluster_uid is not None})
    listed: dict[UUID, dict[str, list[dict[str, Any]]] | str] = {}
    for uid, cluster in clusters.items():
        try:
            listed[uid] = _pods(cluster)
        except KubeError as error:
            listed[uid] = f"Cluster {cluster.name} cannot be asked for its pods: {error}."
    return [_of_pool(pool, listed.get(pool.cluster_uid or UUID(int=0), "Its cluster is gone.")) for pool in found]


def _offloading() -> list[Pool]:
    rows = Pool.objects.living().exclude(spec__offload__mode="off").filter(spec__offload__mode__isnull=False)
    return list(rows.only("uid", "team", "name", "namespace", "spec", "cluster_uid"))


def _pods(cluster: Cluster) -> dict[str, list[dict[str, Any]]]:
    by_pool: dict[str, list[dict[str, Any]]] = {}
    for pod in pods_of_pools(cluster, _SELECTOR):
        by_pool.setdefault((pod["metadata"].get("labels") or {}).get(POOL_UID, ""), []).append(pod)
    return by_pool


def _of_pool(pool: Pool, listed: dict[str, list[dict[str, Any]]] | str) -> Publishers:
    if isinstance(listed, str):
        return Publishers(pool.uid, problem=listed)
    endpoints: list[Endpoint] = []
    silent, canary = [], []
    ready: dict[str, str] = {}
    others: dict[str, int] = {}
    for pod in listed.get(str(pool.uid), []):
        metadata = pod["metadata"]
        if is_terminating(pod) or not (pod.get("status") or {}).get("podIP"):
            continue
        labels = metadata.get("labels") or {}
        if is_ready(pod):
            ready[metadata["name"]] = metadata["uid"]
        if labels.get(CANARY):
            canary.append(metadata["name"])
        elif is_ready(pod):
            others[labels.get(VARIANT, "")] = others.get(labels.get(VARIANT, ""), 0) + 1
        found = endpoints_of(pod)
        endpoints += found
        if not found:
            silent.append(metadata["name"])
    return Publishers(pool.uid, tuple(endpoints), tuple(silent), tuple(canary), ready, others)


def endpoints_of(pod: Mapping[str, Any]) -> list[Endpoint]:
    """One for each data-parallel rank; none for an engine that publishes no events."""
    container: Mapping[str, Any] = next(iter((pod.get("spec") or {}).get("containers") or []), {})
    args = [str(arg) for arg in [*(container.get("command") or []), *(container.get("args") or [])]]
    text = _value(args, _FLAG)
    if text is None:
        return []
    try:
        config = json.loads(text)
    except ValueError:
        return []
    if not isinstance(config, dict) or not config.get("enable_kv_cache_events"):
        return []
    ports = {port.get("name"): int(port["containerPort"]) for port in container.get("ports") or []}
    events = ports.get("kv-events") or _port(config.get("endpoint")) or _EVENTS_PORT
    replay = ports.get("kv-replay") or _port(config.get("replay_endpoint"))
    ip = pod["status"]["podIP"]
    host = f"[{ip}]" if ":" in ip else ip
    restarts = sum(int(c.get("restartCount") or 0) for c in pod["status"].get("containerStatuses") or [])
    ranks = int(_value(args, "--data-parallel-size") or 1)
    return [
        Endpoint(
            f"{pod['metadata']['uid']}/{rank}",
            pod["metadata"]["name"],
            f"tcp://{host}:{events + rank}",
            f"tcp://{host}:{replay + rank}" if replay else "",
            restarts,
        )
        for rank in range(min(ranks, 64))
    ]


def _value(args: Sequence[str], flag: str) -> str | None:
    for index, arg in enumerate(args):
        name, equals, value = arg.partition("=")
        if name == flag:
            return value if equals else args[index + 1] if index + 1 < len(args) else None
    return None


def _port(endpoint: Any) -> int | None:
    tail = str(endpoint or "").rpartition(":")[2]
    return int(tail) if tail.isdigit() else None
