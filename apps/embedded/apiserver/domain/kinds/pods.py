"""Pods: defaults, what may change after creation, graceful deletion."""

from __future__ import annotations

import copy
from typing import Any

from apps.embedded.apiserver.domain import checks
from apps.embedded.apiserver.domain.kinds import podspec
from apps.embedded.apiserver.domain.status import Cause
from apps.embedded.apiserver.domain.strategy import Strategy, keep

Object = dict[str, Any]
MUTABLE = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations`"
UPDATE_FORBIDDEN = (
    f"pod updates may not change fields other than {MUTABLE} (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)


class PodStrategy(Strategy):
    has_status = True
    has_generation = True
    graceful = True
    answers_deleted_object = True
    name_check = staticmethod(checks.subdomain)
    selectable_fields = (
        "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
        "status.phase", "status.podIP", "status.nominatedNodeName", "status.podIPs",
    )  # fmt: skip

    def set_defaults(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        podspec.set_defaults(spec)
        spec.setdefault("enableServiceLinks", True)
        for container in (*spec.get("initContainers", ()), *(spec.get("containers") or ())):
            resources = container.setdefault("resources", {})
            for name, limit in resources.get("limits", {}).items():
                resources.setdefault("requests", {}).setdefault(name, limit)

    def prepare_create(self, obj: Object) -> None:
        obj["metadata"]["generation"] = 1
        status: Object = {"phase": "Pending", "qosClass": qos_class(obj["spec"])}
        if obj["spec"].get("schedulingGates"):
            status["conditions"] = [
                {
                    "type": "PodScheduled",
                    "status": "False",
                    "lastProbeTime": None,
                    "lastTransitionTime": obj["metadata"]["creationTimestamp"],
                    "reason": "SchedulingGated",
                    "message": "Scheduling is blocked due to non-empty scheduling gates",
                }
            ]
        obj["status"] = status

    def prepare_status_update(self, new: Object, old: Object) -> None:
        keep(new, old, "spec")
        new["metadata"].pop("deletionTimestamp", None)
        for field in ("deletionTimestamp", "ownerReferences"):
            if field in old["metadata"]:
                new["metadata"][field] = copy.deepcopy(old["metadata"][field])
            else:
                new["metadata"].pop(field, None)
        new["status"].setdefault("qosClass", old["status"].get("qosClass", qos_class(new["spec"])))

    def grace_period(self, obj: Object, asked: int | None) -> int:
        if not obj["spec"].get("nodeName") or obj["status"].get("phase") in ("Succeeded", "Failed"):
            return 0
        period = asked if asked is not None else obj["spec"].get("terminationGracePeriodSeconds", 30)
        return max(0, period) if period != 0 else 0

    def validate(self, obj: Object) -> list[Cause]:
        return podspec.validate(obj["spec"], "spec")

    def validate_update(self, new: Object, old: Object) -> list[Cause]:
        before, after = copy.deepcopy(old["spec"]), copy.deepcopy(new["spec"])
        for spec in (before, after):
            for container in (*(spec.get("containers") or ()), *spec.get("initContainers", ())):
                container.pop("image", None)
        known = before.pop("tolerations", [])
        added = after.pop("tolerations", [])
        before.pop("activeDeadlineSeconds", None)
        after.pop("activeDeadlineSeconds", None)
        if old["spec"].get("schedulingGates"):
            for field in ("schedulingGates", "nodeSelector", "affinity"):
                before.pop(field, None)
                after.pop(field, None)
        if before != after or any(toleration not in added for toleration in known):
            return [checks.forbidden("spec", UPDATE_FORBIDDEN)]
        return []


def qos_class(spec: Object) -> str:
    """Guaranteed, Burstable or BestEffort: by the cpu and memory of all containers."""
    asked, guaranteed = False, True
    for container in (*(spec.get("containers") or ()), *spec.get("initContainers", ())):
        resources = container.get("resources") or {}
        limits, requests = resources.get("limits", {}), resources.get("requests", {})
        for name in ("cpu", "memory"):
            limit, request = limits.get(name), requests.get(name)
            asked = asked or limit is not None or request is not None
            guaranteed = guaranteed and limit is not None and limit == (request if request is not None else limit)
    if not asked:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"
