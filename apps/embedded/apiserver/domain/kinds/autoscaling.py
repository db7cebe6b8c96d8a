"""HorizontalPodAutoscalers (autoscaling/v2)."""

from __future__ import annotations

from typing import Any

from apps.embedded.apiserver.domain import checks
from apps.embedded.apiserver.domain.status import Cause
from apps.embedded.apiserver.domain.strategy import Strategy

Object = dict[str, Any]
SOURCES = {
    "Object": "object", "Pods": "pods", "Resource": "resource", "External": "external",
    "ContainerResource": "containerResource",
}  # fmt: skip
_PERIOD_S = 15
_PERCENT = {"type": "Percent", "value": 100, "periodSeconds": _PERIOD_S}
_SCALE_UP = {
    "stabilizationWindowSeconds": 0, "selectPolicy": "Max",
    "policies": [{"type": "Pods", "value": 4, "periodSeconds": _PERIOD_S}, _PERCENT],
}  # fmt: skip
_SCALE_DOWN = {"selectPolicy": "Max", "policies": [_PERCENT]}


class AutoscalerStrategy(Strategy):
    has_status = True
    name_check = staticmethod(checks.subdomain)

    def set_defaults(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("minReplicas", 1)
        if not spec.get("metrics"):
            target = {"type": "Utilization", "averageUtilization": 80}
            spec["metrics"] = [{"type": "Resource", "resource": {"name": "cpu", "target": target}}]
        if "behavior" in spec:
            for direction, defaults in (("scaleUp", _SCALE_UP), ("scaleDown", _SCALE_DOWN)):
                rules = spec["behavior"].setdefault(direction, {})
                for name, value in defaults.items():
                    rules.setdefault(name, value)

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        obj["status"] = {"desiredReplicas": 0, "currentMetrics": None}

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
        causes: list[Cause] = []
        if least < 1:
            causes.append(checks.invalid("spec.minReplicas", least, "must be greater than or equal to 1"))
        if most < 1:
            causes.append(checks.required("spec.maxReplicas", "must be set and greater than 0"))
        if most < least:
            causes.append(checks.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
        target = spec.get("scaleTargetRef") or {}
        for field in ("kind", "name"):
            if not target.get(field):
                causes.append(checks.required(f"spec.scaleTargetRef.{field}"))
        return causes + _metrics(spec["metrics"], least)

    def validate_update(self, new: Object, old: Object) -> list[Cause]:
        return self.validate(new)


def _metrics(metrics: list[Object], least: int) -> list[Cause]:
    causes: list[Cause] = []
    if least == 0 and not any(metric.get("type") in ("Object", "External") for metric in metrics):
        why = "must specify at least one Object or External metric to support scaling to zero replicas"
        causes.append(checks.forbidden("spec.metrics", why))
    for index, metric in enumerate(metrics):
        where = f"spec.metrics[{index}]"
        kind = metric.get("type", "")
        if not kind:
            causes.append(checks.required(f"{where}.type", "must specify a metric source type"))
            continue
        causes += checks.one_of(f"{where}.type", kind, SOURCES)
        if kind in SOURCES and SOURCES[kind] not in metric:
            why = "must populate information for the given metric source"
            causes.append(checks.required(f"{where}.{SOURCES[kind]}", why))
        for other, field in SOURCES.items():
            if other != kind and field in metric:
                why = "must populate the given metric source only"
                causes.append(checks.forbidden(f"{where}.{field}", why))
    return causes
