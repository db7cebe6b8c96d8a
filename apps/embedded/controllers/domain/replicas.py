"""A ReplicaSet's decisions: which pods to delete first, and its status."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from apps.embedded.controllers.domain.rollout import spec_replicas
from apps.embedded.domain.objects import Object, find_condition, parse_time, rfc3339, without_condition
from apps.embedded.domain.pods import is_available, is_ready, phase, ready_since, restart_count

BURST = 500
"""The most pods created or deleted in one sync."""

DELETION_COST_ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"
_NEVER = datetime.max.replace(tzinfo=UTC)


def _deletion_cost(pod: Mapping[str, Any]) -> int:
    try:
        return int((pod["metadata"].get("annotations") or {}).get(DELETION_COST_ANNOTATION, "0"))
    except ValueError:
        return 0


def victims(active: Sequence[Object], related: Sequence[Mapping[str, Any]], count: int) -> list[Object]:
    """The ``count`` pods of ``active`` to delete first.

    In this order: not assigned to a node, Pending before Unknown before Running, not ready, cheaper by annotation,
    doubled up on a node with ``related`` active pods, ready for a shorter time, restarted more often, younger.
    """
    per_node = Counter(pod["spec"].get("nodeName") for pod in related if pod["spec"].get("nodeName"))
    phases = {"Pending": 0, "Unknown": 1, "Running": 2}

    def rank(pod: Object) -> tuple[Any, ...]:
        node = pod["spec"].get("nodeName")
        since = ready_since(pod) or _NEVER
        created = parse_time(pod["metadata"]["creationTimestamp"])
        return (
            bool(node),
            phases.get(phase(pod), 2),
            is_ready(pod),
            _deletion_cost(pod),
            -per_node.get(node, 0) if node else 0,
            -since.timestamp() if since is not _NEVER else 0.0,
            -restart_count(pod),
            -created.timestamp(),
            pod["metadata"]["name"],
        )

    return sorted(active, key=rank)[:count]


def calculate_status(
    rs: Mapping[str, Any],
    active: Sequence[Object],
    terminating: int,
    failure: str | None,
    now: datetime,
) -> Object:
    """status of a ReplicaSet. ``failure`` is the sentence of a pod that could not be created or deleted."""
    template_labels = (rs["spec"]["template"].get("metadata") or {}).get("labels") or {}
    min_ready = rs["spec"].get("minReadySeconds", 0)
    counts = {
        "fullyLabeledReplicas": sum(
            all((pod["metadata"].get("labels") or {}).get(key) == value for key, value in template_labels.items())
            for pod in active
        ),
        "readyReplicas": sum(is_ready(pod) for pod in active),
        "availableReplicas": sum(is_available(pod, min_ready, now) for pod in active),
    }
    status: Object = {"replicas": len(active), **{key: value for key, value in counts.items() if value}}
    status["terminatingReplicas"] = terminating
    status["observedGeneration"] = rs["metadata"].get("generation", 0)
    conditions = [dict(entry) for entry in (rs.get("status") or {}).get("conditions") or []]
    known = find_condition(conditions, "ReplicaFailure")
    if failure is not None and known is None:
        too_few = len(active) < spec_replicas(rs)
        conditions.append(
            {
                "type": "ReplicaFailure",
                "status": "True",
                "lastTransitionTime": rfc3339(now),
                "reason": "FailedCreate" if too_few else "FailedDelete",
                "message": failure,
            }
        )
    elif failure is None and known is not None:
        conditions = without_condition(conditions, "ReplicaFailure")
    if conditions:
        status["conditions"] = conditions
    return status


def seconds_until_available(rs: Mapping[str, Any], active: Sequence[Object], now: datetime) -> float | None:
    """When the next ready pod will have been ready for minReadySeconds; None when none is waiting for that."""
    min_ready = rs["spec"].get("minReadySeconds", 0)
    waits = [
        min_ready - (now - since).total_seconds()
        for pod in active
        if (since := ready_since(pod)) is not None and not is_available(pod, min_ready, now)
    ]
    return max(0.05, min(waits)) if waits else None
