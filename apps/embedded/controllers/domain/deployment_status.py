"""The status of a Deployment: counts and conditions in the words and the order of the Kubernetes controller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from apps.embedded.controllers.domain.rollout import (
    available,
    max_unavailable,
    spec_replicas,
    status_count,
    total,
)
from apps.embedded.domain.objects import Object, find_condition, parse_time, rfc3339, without_condition

NO_DEADLINE = 2**31 - 1

NEW_REPLICA_SET = "NewReplicaSetCreated"
FOUND_REPLICA_SET = "FoundNewReplicaSet"
FAILED_CREATE = "ReplicaSetCreateError"
UPDATED = "ReplicaSetUpdated"
COMPLETE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"


def progress_deadline(deployment: Mapping[str, Any]) -> timedelta | None:
    """spec.progressDeadlineSeconds, None when the rollout may take forever."""
    seconds = deployment["spec"].get("progressDeadlineSeconds")
    return None if seconds is None or seconds == NO_DEADLINE else timedelta(seconds=seconds)


def condition(type_: str, status: str, reason: str, message: str, now: datetime) -> Object:
    moment = rfc3339(now)
    return {
        "type": type_,
        "status": status,
        "lastUpdateTime": moment,
        "lastTransitionTime": moment,
        "reason": reason,
        "message": message,
    }


def set_condition(status: Object, new: Object) -> None:
    """Put ``new`` last, unless status and reason are unchanged; the transition time survives an unchanged status."""
    current = find_condition(status.get("conditions"), new["type"])
    if current is not None and current["status"] == new["status"] and current["reason"] == new["reason"]:
        return
    if current is not None and current["status"] == new["status"]:
        new = {**new, "lastTransitionTime": current["lastTransitionTime"]}
    status["conditions"] = [*without_condition(status.get("conditions"), new["type"]), new]


def remove_condition(status: Object, type_: str) -> None:
    left = without_condition(status.get("conditions"), type_)
    if left:
        status["conditions"] = left
    else:
        status.pop("conditions", None)


def calculate(
    deployment: Mapping[str, Any], new: Object | None, replica_sets: Sequence[Object], now: datetime
) -> Object:
    """The counts and the Available condition; the other conditions are carried over. ``replica_sets`` includes new."""
    have = available(replica_sets)
    status: Object = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": sum(status_count(rs, "replicas") for rs in replica_sets),
        "updatedReplicas": status_count(new, "replicas") if new else 0,
        "readyReplicas": sum(status_count(rs, "readyReplicas") for rs in replica_sets),
        "availableReplicas": have,
        "unavailableReplicas": max(0, total(replica_sets) - have),
    }
    status = {key: value for key, value in status.items() if value}
    terminating = _terminating(replica_sets)
    if terminating is not None:
        status["terminatingReplicas"] = terminating
    old_status = deployment.get("status") or {}
    if old_status.get("collisionCount") is not None:
        status["collisionCount"] = old_status["collisionCount"]
    if old_status.get("conditions"):
        status["conditions"] = [dict(entry) for entry in old_status["conditions"]]
    if have >= spec_replicas(deployment) - max_unavailable(deployment):
        found = condition("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.", now)
    else:
        found = condition(
            "Available",
            "False",
            "MinimumReplicasUnavailable",
            "Deployment does not have minimum availability.",
            now,
        )
    set_condition(status, found)
    return status


def _terminating(replica_sets: Sequence[Object]) -> int | None:
    """The sum over ReplicaSets; None when a synced one does not report the number."""
    count = 0
    for rs in replica_sets:
        status = rs.get("status") or {}
        if "terminatingReplicas" in status:
            count += status["terminatingReplicas"]
        elif status.get("observedGeneration") or status.get("replicas"):
            return None
    return count


def is_complete(deployment: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """All replicas are updated and available, no old one is left, and this generation was seen."""
    wanted = spec_replicas(deployment)
    return bool(
        status.get("updatedReplicas", 0) == wanted
        and status.get("replicas", 0) == wanted
        and status.get("availableReplicas", 0) == wanted
        and status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 0)
    )


def is_progressing(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Whether the counts moved towards the goal between two statuses."""

    def count(status: Mapping[str, Any], field: str) -> int:
        return int(status.get(field) or 0)

    def left(status: Mapping[str, Any]) -> int:
        return count(status, "replicas") - count(status, "updatedReplicas")

    return (
        count(new, "updatedReplicas") > count(old, "updatedReplicas")
        or left(new) < left(old)
        or count(new, "readyReplicas") > count(old, "readyReplicas")
        or count(new, "availableReplicas") > count(old, "availableReplicas")
    )


def has_timed_out(deployment: Mapping[str, Any], status: Mapping[str, Any], now: datetime) -> bool:
    deadline = progress_deadline(deployment)
    current = find_condition(status.get("conditions"), "Progressing")
    if deadline is None or current is None or current["reason"] == COMPLETE:
        return False
    if current["reason"] == TIMED_OUT:
        return True
    return parse_time(current["lastUpdateTime"]) + deadline < now


def progress(
    deployment: Mapping[str, Any], new: Object | None, replica_sets: Sequence[Object], now: datetime
) -> Object:
    """The status during a rollout: ``calculate`` plus the Progressing and ReplicaFailure conditions."""
    status = calculate(deployment, new, replica_sets, now)
    has_deadline = progress_deadline(deployment) is not None
    if not has_deadline:
        remove_condition(status, "Progressing")
    old_status = deployment.get("status") or {}
    current = find_condition(old_status.get("conditions"), "Progressing")
    settled = (
        status.get("replicas", 0) == status.get("updatedReplicas", 0)
        and current is not None
        and current["reason"] == COMPLETE
    )
    if has_deadline and not settled:
        what = f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
        if is_complete(deployment, status):
            set_condition(
                status, condition("Progressing", "True", COMPLETE, f"{what} has successfully progressed.", now)
            )
        elif is_progressing(old_status, status):
            moved = condition("Progressing", "True", UPDATED, f"{what} is progressing.", now)
            if current is not None:
                if current["status"] == "True":
                    moved["lastTransitionTime"] = current["lastTransitionTime"]
                remove_condition(status, "Progressing")
            set_condition(status, moved)
        elif has_timed_out(deployment, status, now):
            set_condition(
                status, condition("Progressing", "False", TIMED_OUT, f"{what} has timed out progressing.", now)
            )
    failure = _replica_failure(new, replica_sets)
    if failure is not None:
        set_condition(status, failure)
    else:
        remove_condition(status, "ReplicaFailure")
    return status


def _replica_failure(new: Object | None, replica_sets: Sequence[Object]) -> Object | None:
    for rs in [*([new] if new else []), *replica_sets]:
        found = find_condition((rs.get("status") or {}).get("conditions"), "ReplicaFailure")
        if found is not None:
            return {
                "type": "ReplicaFailure",
                "status": found["status"],
                "lastUpdateTime": found["lastTransitionTime"],
                "lastTransitionTime": found["lastTransitionTime"],
                "reason": found.get("reason", ""),
                "message": found.get("message", ""),
            }
    return None


def seconds_until_timeout(deployment: Mapping[str, Any], status: Mapping[str, Any], now: datetime) -> float | None:
    """When the progress deadline must be looked at again; None when no deadline is running."""
    deadline = progress_deadline(deployment)
    current = find_condition(status.get("conditions"), "Progressing")
    if deadline is None or current is None or is_complete(deployment, status) or current["reason"] == TIMED_OUT:
        return None
    if current["reason"] == COMPLETE:
        return None
    left = parse_time(current["lastUpdateTime"]) + deadline - now
    return max(0.0, left.total_seconds()) + 1.0
