"""From an InferencePool and the pods of its namespace to the replicas that may serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from apps.physics.routing import Endpoint

Object = Mapping[str, Any]


def ready_endpoints(pool: Object | None, pods: Iterable[Object]) -> tuple[Endpoint, ...]:
    """The endpoints of the pods that `pool` selects, that are Ready and are not being deleted: one per target port,
    by key. A pool without labels in its selector selects nothing."""
    spec = (pool or {}).get("spec") or {}
    labels = (spec.get("selector") or {}).get("matchLabels") or {}
    ports = [port["number"] for port in spec.get("targetPorts") or []]
    if not labels:
        return ()
    found = [
        Endpoint(_key(pod, port), _address(pod["status"]["podIP"], port), pod["metadata"].get("labels") or {})
        for pod in pods
        if _selected(pod, labels) and _serves(pod)
        for port in ports
    ]
    return tuple(sorted(found, key=lambda endpoint: endpoint.key))


def _selected(pod: Object, labels: Mapping[str, str]) -> bool:
    present = pod["metadata"].get("labels") or {}
    return all(present.get(name) == value for name, value in labels.items())


def _serves(pod: Object) -> bool:
    status = pod.get("status") or {}
    conditions = {condition["type"]: condition["status"] for condition in status.get("conditions") or []}
    return bool(
        not pod["metadata"].get("deletionTimestamp") and status.get("podIP") and conditions.get("Ready") == "True"
    )


def _key(pod: Object, port: int) -> str:
    return f"{pod['metadata'].get('namespace', '')}/{pod['metadata']['name']}:{port}"


def _address(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
