"""The kinds with few rules of their own."""

from __future__ import annotations

from typing import Any

from apps.embedded.apiserver.domain import checks
from apps.embedded.apiserver.domain.status import Cause
from apps.embedded.apiserver.domain.strategy import Strategy, keep

Object = dict[str, Any]


class PlainStrategy(Strategy):
    name_check = staticmethod(checks.subdomain)


class NodeStrategy(Strategy):
    has_status = True
    name_check = staticmethod(checks.subdomain)
    selectable_fields = ("spec.unschedulable",)

    def prepare_create(self, obj: Object) -> None:
        """A kubelet registers itself with its status."""
        obj["metadata"].pop("generation", None)

    def prepare_status_update(self, new: Object, old: Object) -> None:
        keep(new, old, "spec")


class ClaimStrategy(Strategy):
    has_status = True
    name_check = staticmethod(checks.subdomain)

    def set_defaults(self, obj: Object) -> None:
        obj.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        obj["status"] = {"phase": "Pending"}
        finalizers = obj["metadata"].setdefault("finalizers", [])
        if "kubernetes.io/pvc-protection" not in finalizers:
            finalizers.append("kubernetes.io/pvc-protection")

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        causes = (
            []
            if spec.get("accessModes")
            else [checks.required("spec.accessModes", "at least 1 access mode is required")]
        )
        if "storage" not in (spec.get("resources") or {}).get("requests", {}):
            causes.append(checks.required("spec.resources[storage]"))
        return causes

    def validate_update(self, new: Object, old: Object) -> list[Cause]:
        if new["spec"] == old["spec"]:
            return []
        why = (
            "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
        )
        bound = old["status"].get("phase") == "Bound"
        if bound and checks.only_changed(new["spec"], old["spec"], ("resources", "volumeAttributesClassName")):
            return []
        return [checks.forbidden("spec", why)]


class LeaseStrategy(Strategy):
    create_on_update = True
    version_required = False
    name_check = staticmethod(checks.subdomain)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj.get("spec", {})
        causes = []
        duration = spec.get("leaseDurationSeconds")
        if duration is not None and duration <= 0:
            causes.append(checks.invalid("spec.leaseDurationSeconds", duration, "must be greater than 0"))
        causes += checks.at_least_zero("spec.leaseTransitions", spec.get("leaseTransitions"))
        return causes

    def validate_update(self, new: Object, old: Object) -> list[Cause]:
        return self.validate(new)


class BudgetStrategy(Strategy):
    has_status = True
    has_generation = True
    name_check = staticmethod(checks.subdomain)

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        obj["status"] = dict.fromkeys(("disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"), 0)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj.get("spec", {})
        if "minAvailable" in spec and "maxUnavailable" in spec:
            shown = {
                "MinAvailable": spec["minAvailable"],
                "Selector": spec.get("selector"),
                "MaxUnavailable": spec["maxUnavailable"],
                "UnhealthyPodEvictionPolicy": spec.get("unhealthyPodEvictionPolicy"),
            }
            why = "minAvailable and maxUnavailable cannot be both set"
            return [checks.invalid("spec", checks.InOrder(shown), why)]
        causes = checks.label_selector("spec.selector", spec.get("selector"))
        for field in ("minAvailable", "maxUnavailable"):
            value = spec.get(field)
            if isinstance(value, int):
                causes += checks.at_least_zero(f"spec.{field}", value)
            elif value is not None:
                causes += checks.percent(f"spec.{field}", value)
        return causes

    def validate_update(self, new: Object, old: Object) -> list[Cause]:
        return self.validate(new)


class NetworkPolicyStrategy(Strategy):
    has_generation = True
    name_check = staticmethod(checks.subdomain)

    def set_defaults(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        for rule in (*spec.get("ingress", ()), *spec.get("egress", ())):
            for port in rule.get("ports", ()):
                port.setdefault("protocol", "TCP")
        if "policyTypes" not in spec:
            spec["policyTypes"] = ["Ingress", "Egress"] if "egress" in spec else ["Ingress"]


class IngressStrategy(Strategy):
    has_status = True
    has_generation = True
    name_check = staticmethod(checks.subdomain)

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        obj["status"] = {"loadBalancer": {}}


class PriorityClassStrategy(Strategy):
    has_generation = True
    name_check = staticmethod(checks.subdomain)

    def set_defaults(self, obj: Object) -> None:
        obj.setdefault("preemptionPolicy", "PreemptLowerPriority")

    def spec_changed(self, new: Object, old: Object) -> bool:
        return False


class WithStatus(Strategy):
    has_status = True
    name_check = staticmethod(checks.subdomain)


class LimitRangeStrategy(Strategy):
    name_check = staticmethod(checks.subdomain)

    def set_defaults(self, obj: Object) -> None:
        for item in obj.get("spec", {}).get("limits") or ():
            if item.get("type") != "Container":
                continue
            for name, value in item.get("max", {}).items():
                item.setdefault("default", {}).setdefault(name, value)
            for name, value in (*item.get("default", {}).items(), *item.get("min", {}).items()):
                item.setdefault("defaultRequest", {}).setdefault(name, value)
