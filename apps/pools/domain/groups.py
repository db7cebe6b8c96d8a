"""Replicas that are groups of pods: what a LeaderWorkerSet has in common with a Deployment, and what it has not.

A replica of a LeaderWorkerSet is a leader and its workers, which serve together or not at all; its status counts
groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.pools.domain.manifests import Manifest
from apps.pools.domain.pods import Replica

__all__ = ["GROUP_KIND", "group_size", "groups_rolled_out", "is_group", "pod_template", "ready_and_starting", "rolling"]

GROUP_KIND = "LeaderWorkerSet"
Workload = Mapping[str, Any]


def is_group(workload: Workload) -> bool:
    return workload.get("kind") == GROUP_KIND


def pod_template(workload: Workload) -> Manifest:
    """The pod template of a Deployment, or that of every pod of a LeaderWorkerSet."""
    spec = workload["spec"]
    template: Manifest = spec["leaderWorkerTemplate"]["workerTemplate"] if is_group(workload) else spec["template"]
    return template


def group_size(workload: Workload) -> int:
    """Pods of one replica."""
    if not is_group(workload):
        return 1
    return int(((workload.get("spec") or {}).get("leaderWorkerTemplate") or {}).get("size") or 1)


def rolling(workload: Workload) -> Mapping[str, Any]:
    """maxSurge and maxUnavailable as a live workload has them."""
    spec = workload.get("spec") or {}
    if is_group(workload):
        return (spec.get("rolloutStrategy") or {}).get("rollingUpdateConfiguration") or {}
    return (spec.get("strategy") or {}).get("rollingUpdate") or {}


def groups_rolled_out(live: Workload, desired: int) -> bool:
    """Whether a LeaderWorkerSet's controller has seen its spec, and all groups are of it and ready.

    Releases before v0.7 do not say which generation their status is about: then its counts alone are believed.
    """
    status = live.get("status") or {}
    seen = status.get("observedGeneration")
    if seen is not None and int(seen) < int(live["metadata"].get("generation") or 0):
        return False
    counts = {int(status.get(name) or 0) for name in ("replicas", "readyReplicas", "updatedReplicas")}
    return int((live.get("spec") or {}).get("replicas", 1)) == desired and counts == {desired}


def ready_and_starting(live: Workload | None, pods: Iterable[Replica]) -> tuple[int, int]:
    """Replicas that are ready, and those that are on their way. A group is ready when all of its pods are there and
    ready."""
    if live is None or not is_group(live):
        present = [pod for pod in pods if not pod.terminating]
        ready = sum(pod.ready for pod in present)
        return ready, len(present) - ready
    members: dict[str, list[Replica]] = {}
    for pod in pods:
        members.setdefault(pod.group, []).append(pod)
    size, ready, starting = group_size(live), 0, 0
    for group in members.values():
        present = [pod for pod in group if not pod.terminating]
        if len(present) == size and all(pod.ready for pod in present):
            ready += 1
        elif present:
            starting += 1
    return ready, starting
