"""What controllers ask of a Pod: is it active, ready, available, terminating?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from apps.embedded.domain.objects import Object, find_condition, is_deleting, parse_time

TERMINAL_PHASES = ("Succeeded", "Failed")


def phase(pod: Mapping[str, Any]) -> str:
    return (pod.get("status") or {}).get("phase", "")


def is_terminal(pod: Mapping[str, Any]) -> bool:
    return phase(pod) in TERMINAL_PHASES


def is_active(pod: Mapping[str, Any]) -> bool:
    """Counts as a replica: neither finished nor being deleted."""
    return not is_terminal(pod) and not is_deleting(pod)


def is_terminating(pod: Mapping[str, Any]) -> bool:
    """Being deleted and not finished yet (status.terminatingReplicas counts these)."""
    return not is_terminal(pod) and is_deleting(pod)


def _ready_condition(pod: Mapping[str, Any]) -> Object | None:
    return find_condition((pod.get("status") or {}).get("conditions"), "Ready")


def is_ready(pod: Mapping[str, Any]) -> bool:
    condition = _ready_condition(pod)
    return condition is not None and condition.get("status") == "True"


def ready_since(pod: Mapping[str, Any]) -> datetime | None:
    """When the Ready condition last became what it is; None when the pod is not ready."""
    condition = _ready_condition(pod)
    if condition is None or condition.get("status") != "True" or not condition.get("lastTransitionTime"):
        return None
    return parse_time(condition["lastTransitionTime"])


def is_available(pod: Mapping[str, Any], min_ready_seconds: int, now: datetime) -> bool:
    """Ready for at least ``min_ready_seconds``."""
    if not is_ready(pod):
        return False
    if min_ready_seconds == 0:
        return True
    since = ready_since(pod)
    return since is not None and since + timedelta(seconds=min_ready_seconds) <= now


def restart_count(pod: Mapping[str, Any]) -> int:
    """The highest restart count among the pod's containers."""
    statuses: Iterable[Mapping[str, Any]] = (pod.get("status") or {}).get("containerStatuses") or []
    return max((status.get("restartCount", 0) for status in statuses), default=0)
