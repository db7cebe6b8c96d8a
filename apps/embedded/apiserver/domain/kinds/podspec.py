"""Defaults and validation of a pod's spec, wherever it stands: in a Pod or in a template."""

from __future__ import annotations

from typing import Any

from apps.embedded.apiserver.domain import checks, quantity
from apps.embedded.apiserver.domain.status import Cause

Object = dict[str, Any]
FILE_MODE = 0o644
OVERCOMMIT = ("cpu", "memory", "ephemeral-storage")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_VOLUME_SOURCES = {"name"}


def set_defaults(spec: Object) -> None:
    for volume in spec.get("volumes", ()):
        _default_volume(volume)
    for container in (*spec.get("initContainers", ()), *(spec.get("containers") or ())):
        _default_container(container)
    for name, value in (
        ("restartPolicy", "Always"),
        ("terminationGracePeriodSeconds", 30),
        ("dnsPolicy", "ClusterFirst"),
        ("schedulerName", "default-scheduler"),
    ):
        spec.setdefault(name, value)
    spec.setdefault("securityContext", {})
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account


def _default_volume(volume: Object) -> None:
    if set(volume) <= _VOLUME_SOURCES:
        volume["emptyDir"] = {}
    for source in ("configMap", "secret", "downwardAPI", "projected"):
        if source in volume:
            volume[source].setdefault("defaultMode", FILE_MODE)
    if "hostPath" in volume:
        volume["hostPath"].setdefault("type", "")
    for item in volume.get("downwardAPI", {}).get("items", ()):
        _default_field_ref(item)
    for source in volume.get("projected", {}).get("sources", ()):
        if "serviceAccountToken" in source:
            source["serviceAccountToken"].setdefault("expirationSeconds", 3600)
        for item in source.get("downwardAPI", {}).get("items", ()):
            _default_field_ref(item)


def _default_field_ref(holder: Object) -> None:
    if "fieldRef" in holder:
        holder["fieldRef"].setdefault("apiVersion", "v1")


def _default_container(container: Object) -> None:
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    if "imagePullPolicy" not in container and container.get("image"):
        container["imagePullPolicy"] = "Always" if _is_latest(container["image"]) else "IfNotPresent"
    for port in container.get("ports", ()):
        port.setdefault("protocol", "TCP")
    for variable in container.get("env", ()):
        _default_field_ref(variable.get("valueFrom", {}))
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in container:
            _default_probe(container[probe])
    for hook in container.get("lifecycle", {}).values():
        if isinstance(hook, dict):
            _default_http_get(hook)
    resources = container.get("resources") or {}
    limits = resources.get("limits", {})
    for name in ("requests",):
        if limits and name in resources and not resources[name]:
            del resources[name]


def _is_latest(image: str) -> bool:
    if "@" in image:
        return False
    tag = image.rpartition("/")[2].partition(":")[2]
    return tag in ("", "latest")


def _default_probe(probe: Object) -> None:
    for name, value in (("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)):
        probe.setdefault(name, value)
    _default_http_get(probe)
    if "grpc" in probe:
        probe["grpc"].setdefault("service", "")


def _default_http_get(holder: Object) -> None:
    if "httpGet" in holder:
        holder["httpGet"].setdefault("path", "/")
        holder["httpGet"].setdefault("scheme", "HTTP")


def validate(
    spec: Object, path: str, restart_policies: tuple[str, ...] = ("Always", "OnFailure", "Never")
) -> list[Cause]:
    causes: list[Cause] = []
    volumes = [volume.get("name", "") for volume in spec.get("volumes", ())]
    for index, name in enumerate(volumes):
        field = f"{path}.volumes[{index}].name"
        causes += checks.label(field, name) if name else [checks.required(field)]
    causes += checks.unique((f"{path}.volumes[{i}].name", name) for i, name in enumerate(volumes))
    containers = spec.get("containers") or []
    if not containers:
        causes.append(checks.required(f"{path}.containers"))
    names: set[str] = set()
    for group, members in (("containers", containers), ("initContainers", spec.get("initContainers", ()))):
        for index, container in enumerate(members):
            where = f"{path}.{group}[{index}]"
            causes += _validate_container(container, where, volumes)
            if container.get("name") in names:
                causes.append(checks.duplicate(f"{where}.name", container["name"]))
            names.add(container.get("name", ""))
    causes += checks.one_of(f"{path}.restartPolicy", spec.get("restartPolicy"), restart_policies)
    causes += checks.at_least_zero(f"{path}.terminationGracePeriodSeconds", spec.get("terminationGracePeriodSeconds"))
    return causes


def _validate_container(container: Object, path: str, volumes: list[str]) -> list[Cause]:
    causes: list[Cause] = []
    name = container.get("name", "")
    causes += checks.label(f"{path}.name", name) if name else [checks.required(f"{path}.name")]
    if not container.get("image"):
        causes.append(checks.required(f"{path}.image"))
    causes += _validate_ports(container.get("ports", ()), f"{path}.ports")
    for index, variable in enumerate(container.get("env", ())):
        if not variable.get("name"):
            causes.append(checks.required(f"{path}.env[{index}].name"))
    for index, mount in enumerate(container.get("volumeMounts", ())):
        if mount.get("name") not in volumes:
            causes.append(checks.not_found(f"{path}.volumeMounts[{index}].name", mount.get("name", "")))
        if not mount.get("mountPath"):
            causes.append(checks.required(f"{path}.volumeMounts[{index}].mountPath"))
    if "imagePullPolicy" in container:
        causes += checks.one_of(f"{path}.imagePullPolicy", container["imagePullPolicy"], PULL_POLICIES)
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        if probe in container:
            causes += _validate_probe(container[probe], f"{path}.{probe}", probe)
    return causes + _validate_resources(container.get("resources") or {}, f"{path}.resources")


def _validate_ports(ports: Any, path: str) -> list[Cause]:
    causes: list[Cause] = []
    for index, port in enumerate(ports):
        where = f"{path}[{index}]"
        if len(port.get("name", "")) > 15:
            causes.append(checks.invalid(f"{where}.name", port["name"], "must be no more than 15 characters"))
        number = port.get("containerPort", 0)
        causes += (
            checks.port_number(f"{where}.containerPort", number)
            if number
            else [checks.required(f"{where}.containerPort")]
        )
        causes += checks.one_of(f"{where}.protocol", port.get("protocol"), ("SCTP", "TCP", "UDP"))
    return causes


def _validate_probe(probe: Object, path: str, kind: str) -> list[Cause]:
    handlers = [name for name in ("exec", "httpGet", "tcpSocket", "grpc") if name in probe]
    causes = [] if handlers else [checks.required(path, "must specify a handler type")]
    for extra in handlers[1:]:
        causes.append(checks.forbidden(f"{path}.{extra}", "may not specify more than 1 handler type"))
    for name in ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold"):
        causes += checks.at_least_zero(f"{path}.{name}", probe.get(name))
    if kind != "readinessProbe" and probe.get("successThreshold", 1) != 1:
        causes.append(checks.invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1"))
    return causes


def _validate_resources(resources: Object, path: str) -> list[Cause]:
    causes: list[Cause] = []
    limits, requests = resources.get("limits", {}), resources.get("requests", {})
    for name, wanted in requests.items():
        limit = limits.get(name)
        if limit is not None and quantity.parse(wanted) > quantity.parse(limit):
            why = f"must be less than or equal to {name} limit of {limit}"
            causes.append(checks.invalid(f"{path}.requests", wanted, why))
        elif limit is None and name not in OVERCOMMIT and not name.startswith("hugepages-"):
            causes.append(checks.required(f"{path}.limits", "Limit must be set for non overcommitable resources"))
        elif limit is not None and name not in OVERCOMMIT and quantity.parse(wanted) != quantity.parse(limit):
            causes.append(checks.invalid(f"{path}.requests", wanted, f"must be equal to {name} limit of {limit}"))
    return causes


DEPRECATED_LABELS = {
    "beta.kubernetes.io/arch": "kubernetes.io/arch",
    "beta.kubernetes.io/os": "kubernetes.io/os",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "beta.kubernetes.io/instance-type": "node.kubernetes.io/instance-type",
}


def warnings(spec: Object, path: str) -> list[str]:
    """What the server warns of: old label names, and ports and variables that are there twice."""
    found = [
        f'{path}.nodeSelector[{label}]: deprecated since v1.14; use "{DEPRECATED_LABELS[label]}" instead'
        for label in spec.get("nodeSelector", {})
        if label in DEPRECATED_LABELS
    ]
    for index, container in enumerate(spec.get("containers") or ()):
        ports: dict[tuple[int, str], int] = {}
        for position, port in enumerate(container.get("ports", ())):
            identity = port.get("containerPort", 0), port.get("protocol", "TCP")
            if identity in ports:
                where = f"{path}.containers[{index}].ports"
                found.append(f"{where}[{position}]: duplicate port definition with {where}[{ports[identity]}]")
            ports.setdefault(identity, position)
        seen: set[str] = set()
        for position, variable in enumerate(container.get("env", ())):
            name = variable.get("name", "")
            if name in seen:
                where = f"{path}.containers[{index}].env[{position}]"
                found.append(f'{where}: hides previous definition of "{name}", which may be dropped when using apply')
            seen.add(name)
    return found
