"""What becomes of a node whose kubelet is silent, and of its pods."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.embedded.domain.objects import Object, find_condition, rfc3339

UNREACHABLE = "node.kubernetes.io/unreachable"
REPORTED = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
REASON, MESSAGE = "NodeStatusUnknown", "Kubelet stopped posting node status."


def is_ready(node: Mapping[str, Any]) -> bool:
    condition = find_condition((node.get("status") or {}).get("conditions"), "Ready")
    return condition is not None and condition["status"] == "True"


def unknown_conditions(node: Mapping[str, Any], now: datetime) -> list[Object]:
    """The node's conditions when nobody reports them any more: each that the kubelet reports is Unknown."""
    found: list[Object] = []
    for condition in copy.deepcopy((node.get("status") or {}).get("conditions") or []):
        if condition["type"] in REPORTED and condition["status"] != "Unknown":
            condition |= {
                "status": "Unknown", "reason": REASON, "message": MESSAGE, "lastTransitionTime": rfc3339(now)
            }  # fmt: skip
        found.append(condition)
    return found


def taints(node: Mapping[str, Any], *, reachable: bool, now: datetime) -> list[Object] | None:
    """The taints that the node is to have; None when it has them."""
    present = [dict(taint) for taint in node["spec"].get("taints") or []]
    marked = [taint for taint in present if taint["key"] == UNREACHABLE]
    if reachable:
        return [taint for taint in present if taint["key"] != UNREACHABLE] if marked else None
    if len(marked) == 2:
        return None
    others = [taint for taint in present if taint["key"] != UNREACHABLE]
    return [
        *others,
        {"key": UNREACHABLE, "effect": "NoSchedule", "timeAdded": rfc3339(now)},
        {"key": UNREACHABLE, "effect": "NoExecute", "timeAdded": rfc3339(now)},
    ]


def not_ready_conditions(pod: Mapping[str, Any], now: datetime) -> list[Object] | None:
    """The pod's conditions with Ready false; None when it is not ready anyway."""
    conditions: list[Object] = copy.deepcopy((pod.get("status") or {}).get("conditions") or [])
    ready = find_condition(conditions, "Ready")
    if ready is None or ready["status"] != "True":
        return None
    ready |= {"status": "False", "lastTransitionTime": rfc3339(now)}
    return conditions
