"""Small Kubernetes objects for unit tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)


def stamp(seconds_ago: float = 0) -> str:
    return (NOW - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def deployment(replicas: int = 3, surge: Any = "25%", unavailable: Any = "25%", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "ns", "uid": "d", "generation": 1},
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": 600,
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
            },
            **spec,
        },
    }


def replica_set(
    name: str, replicas: int, available: int = 0, *, age: float = 0, desired: int | None = None, **annotations: str
) -> dict[str, Any]:
    notes = {key.replace("_", "-"): value for key, value in annotations.items()}
    if desired is not None:
        notes["deployment.kubernetes.io/desired-replicas"] = str(desired)
    return {
        "metadata": {"name": name, "namespace": "ns", "creationTimestamp": stamp(age), "annotations": notes},
        "spec": {"replicas": replicas, "template": {"metadata": {"labels": {"app": "web"}}}},
        "status": {
            "replicas": replicas,
            "readyReplicas": available,
            "availableReplicas": available,
            "observedGeneration": 1,
            "terminatingReplicas": 0,
        },
    }


def pod(
    name: str = "p",
    *,
    node: str | None = "n1",
    phase: str = "Running",
    ready: bool = True,
    age: float = 100,
    ready_age: float = 50,
    restarts: int = 0,
    annotations: dict[str, str] | None = None,
    **requests: str,
) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "containers": [{"name": "main", "image": "busybox", "resources": {"requests": dict(requests)}}]
    }
    if node:
        spec["nodeName"] = node
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "ns",
            "uid": name,
            "generation": 1,
            "labels": {"app": "web"},
            "creationTimestamp": stamp(age),
            "annotations": annotations or {},
        },
        "spec": spec,
        "status": {
            "phase": phase,
            "podIP": "10.0.0.1",
            "conditions": [
                {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": stamp(ready_age)}
            ],
            "containerStatuses": [{"name": "main", "restartCount": restarts}],
        },
    }


def node(name: str = "n1", labels: dict[str, str] | None = None, **capacity: str) -> dict[str, Any]:
    amounts = {"cpu": "8", "memory": "32Gi", "pods": "110"} | {key.replace("__", "/"): v for key, v in capacity.items()}
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "spec": {},
        "status": {"capacity": amounts, "allocatable": amounts},
    }
