"""PodDisruptionBudget: how many pods may be taken away on purpose now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from apps.embedded.domain.objects import Object, find_condition, is_deleting, parse_time, rfc3339, scaled_value

DISRUPTION_TIMEOUT = timedelta(minutes=2)


def desired_healthy(spec: Mapping[str, Any], expected: int) -> int:
    """How many of ``expected`` pods must stay healthy. Percentages round up."""
    if "maxUnavailable" in spec:
        return max(0, expected - scaled_value(spec["maxUnavailable"], expected, round_up=True))
    if "minAvailable" in spec:
        return scaled_value(spec["minAvailable"], expected, round_up=True)
    return 0


def still_disrupted(
    disrupted: Mapping[str, str], pods: Mapping[str, Mapping[str, Any]], now: datetime
) -> dict[str, str]:
    """Of the evictions that the API server granted (pod name → time), those whose pod is not yet seen to go.

    A pod that still lives after DISRUPTION_TIMEOUT counts as healthy again.
    """
    return {
        name: since
        for name, since in disrupted.items()
        if name in pods and not is_deleting(pods[name]) and now - parse_time(since) < DISRUPTION_TIMEOUT
    }


def calculate_status(
    budget: Mapping[str, Any],
    *,
    healthy: int,
    expected: int,
    desired: int,
    disrupted: Mapping[str, str],
    now: datetime,
) -> Object:
    """status of a budget from the number of healthy pods (disrupted ones excluded), of expected and of needed ones."""
    allowed = max(0, healthy - desired) if expected > 0 else 0
    generation = budget["metadata"].get("generation", 0)
    granted = {
        "type": "DisruptionAllowed",
        "status": "True" if allowed > 0 else "False",
        "observedGeneration": generation,
        "lastTransitionTime": rfc3339(now),
        "reason": "SufficientPods" if allowed > 0 else "InsufficientPods",
        "message": "",
    }
    known = find_condition((budget.get("status") or {}).get("conditions"), "DisruptionAllowed")
    if known is not None and known["status"] == granted["status"]:
        granted["lastTransitionTime"] = known["lastTransitionTime"]
    status: Object = {
        "observedGeneration": generation,
        "disruptionsAllowed": allowed,
        "currentHealthy": healthy,
        "desiredHealthy": desired,
        "expectedPods": expected,
        "conditions": [granted],
    }
    if disrupted:
        status["disruptedPods"] = dict(disrupted)
    return status
