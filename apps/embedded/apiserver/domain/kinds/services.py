"""Services and EndpointSlices."""

from __future__ import annotations

from typing import Any

from apps.embedded.apiserver.domain import checks
from apps.embedded.apiserver.domain.status import Cause
from apps.embedded.apiserver.domain.strategy import Strategy

Object = dict[str, Any]
TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
CLIENT_IP_TIMEOUT_S = 10800


class ServiceStrategy(Strategy):
    has_status = True
    answers_deleted_object = True
    name_check = staticmethod(checks.label)
    selectable_fields = ("spec.clusterIP", "spec.type")

    def set_defaults(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("sessionAffinity", "None")
        if spec["sessionAffinity"] == "ClientIP":
            spec.setdefault("sessionAffinityConfig", {"clientIP": {"timeoutSeconds": CLIENT_IP_TIMEOUT_S}})
        else:
            spec.pop("sessionAffinityConfig", None)
        kind = spec.setdefault("type", "ClusterIP")
        for port in spec.get("ports", ()):
            port.setdefault("protocol", "TCP")
            if port.get("targetPort") in (None, 0, ""):
                port["targetPort"] = port.get("port", 0)
        if kind in ("NodePort", "LoadBalancer"):
            spec.setdefault("externalTrafficPolicy", "Cluster")
        if kind == "LoadBalancer":
            spec.setdefault("allocateLoadBalancerNodePorts", True)
        if kind != "ExternalName":
            spec.setdefault("internalTrafficPolicy", "Cluster")

    def prepare_create(self, obj: Object) -> None:
        obj["metadata"].pop("generation", None)
        obj["status"] = {"loadBalancer": {}}
        _set_families(obj["spec"])

    def prepare_update(self, new: Object, old: Object) -> None:
        super().prepare_update(new, old)
        spec, before = new["spec"], old["spec"]
        if spec["type"] == "ExternalName":
            for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
                spec.pop(field, None)
        elif before.get("clusterIP") and before["type"] != "ExternalName":
            if not spec.get("clusterIP"):
                spec["clusterIP"] = before["clusterIP"]
            spec["clusterIPs"] = [spec["clusterIP"]]
        _set_families(spec)
        if spec["type"] not in ("NodePort", "LoadBalancer"):
            spec.pop("externalTrafficPolicy", None)
            for port in spec.get("ports", ()):
                port.pop("nodePort", None)
        if spec["type"] != "LoadBalancer":
            spec.pop("allocateLoadBalancerNodePorts", None)

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        causes = checks.one_of("spec.type", spec.get("type"), TYPES)
        ports = spec.get("ports", [])
        if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
            causes.append(checks.required("spec.ports"))
        for index, port in enumerate(ports):
            where = f"spec.ports[{index}]"
            if len(ports) > 1 and not port.get("name"):
                causes.append(checks.required(f"{where}.name"))
            elif port.get("name"):
                causes += checks.label(f"{where}.name", port["name"])
            causes += checks.port_number(f"{where}.port", port.get("port", 0))
            causes += checks.one_of(f"{where}.protocol", port.get("protocol"), ("SCTP", "TCP", "UDP"))
        names = [(f"spec.ports[{i}].name", port["name"]) for i, port in enumerate(ports) if port.get("name")]
        return causes + checks.unique(names)

    def validate_update(self, new: Object, old: Object) -> list[Cause]:
        before, after = old["spec"].get("clusterIP"), new["spec"].get("clusterIP")
        both = "ExternalName" not in (old["spec"].get("type"), new["spec"].get("type"))
        if both and before and after != before:
            return [checks.invalid("spec.clusterIPs[0]", [after], "may not change once set"), *self.validate(new)]
        return self.validate(new)


def _set_families(spec: Object) -> None:
    if spec.get("type") != "ExternalName":
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")


class EndpointSliceStrategy(Strategy):
    has_generation = True
    name_check = staticmethod(checks.subdomain)

    def set_defaults(self, obj: Object) -> None:
        for port in obj.get("ports") or ():
            port.setdefault("name", "")
            port.setdefault("protocol", "TCP")

    def spec_changed(self, new: Object, old: Object) -> bool:
        return any(new.get(field) != old.get(field) for field in ("addressType", "endpoints", "ports"))
