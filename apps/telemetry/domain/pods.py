"""What a list of engine pods says of one pool: whom to scrape, and how many replicas are in which state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "ENGINE_PORTS",
    "PICKER_PORTS",
    "holds_accelerators",
    "is_ready",
    "is_terminating",
    "metrics_url",
    "replica_states",
]

_DEFAULT_PORT = 8000
ENGINE_PORTS = ("http", "metrics", "modelserver", "vllm")
PICKER_PORTS = ("metrics",)


def is_ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def is_terminating(pod: Mapping[str, Any]) -> bool:
    return bool((pod.get("metadata") or {}).get("deletionTimestamp"))


def holds_accelerators(pod: Mapping[str, Any]) -> bool:
    """Whether the pod has been given a node and not left it: from then on its accelerators are nobody else's."""
    placed = (pod.get("spec") or {}).get("nodeName")
    return bool(placed) and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def metrics_url(pod: Mapping[str, Any], names: Sequence[str] = ENGINE_PORTS) -> str | None:
    """Where the metrics are: the first port of one of these `names`; None while the pod has no address."""
    address = (pod.get("status") or {}).get("podIP")
    if not address:
        return None
    host = f"[{address}]" if ":" in address else address
    return f"http://{host}:{_port(pod, names)}/metrics"


def _port(pod: Mapping[str, Any], names: Sequence[str]) -> int:
    ports = [
        port for container in (pod.get("spec") or {}).get("containers") or [] for port in container.get("ports") or []
    ]
    for name in names:
        for port in ports:
            if port.get("name") == name:
                return int(port["containerPort"])
    return int(ports[0]["containerPort"]) if ports else _DEFAULT_PORT


def replica_states(pods: Sequence[Mapping[str, Any]], desired: int | None) -> dict[str, int]:
    """Replicas by state: desired (where known), ready, starting (not ready yet or any more), terminating."""
    living = [pod for pod in pods if not is_terminating(pod)]
    alive = [pod for pod in living if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]
    ready = sum(is_ready(pod) for pod in alive)
    states = {"ready": ready, "starting": len(alive) - ready, "terminating": len(pods) - len(living)}
    return states if desired is None else {"desired": desired, **states}
