"""EndpointSlices: which addresses stand behind a Service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.embedded.domain.objects import Object, is_deleting
from apps.embedded.domain.pods import is_ready, is_terminal

MANAGED_BY = "endpointslice-controller.k8s.io"
SERVICE_LABEL = "kubernetes.io/service-name"
MAX_ENDPOINTS = 100
"""Endpoints in one slice, the default of the Kubernetes controller."""


def target_port(port: Mapping[str, Any], pod: Mapping[str, Any]) -> int | None:
    """The number of a Service's targetPort in ``pod``: a name is looked up among its container ports."""
    wanted = port.get("targetPort", port["port"])
    if isinstance(wanted, int):
        return wanted
    containers = [*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or [])]
    for container in containers:
        for candidate in container.get("ports") or []:
            same_protocol = candidate.get("protocol", "TCP") == port.get("protocol", "TCP")
            if candidate.get("name") == wanted and same_protocol:
                return int(candidate["containerPort"])
    return None


def slice_ports(service: Mapping[str, Any], pod: Mapping[str, Any]) -> list[Object]:
    """The ports of a slice that holds ``pod``; a named port that the pod does not have is left out."""
    ports: list[Object] = []
    for port in service["spec"].get("ports") or []:
        number = target_port(port, pod)
        if number is None:
            continue
        entry: Object = {"name": port.get("name", ""), "protocol": port.get("protocol", "TCP"), "port": number}
        if port.get("appProtocol"):
            entry["appProtocol"] = port["appProtocol"]
        ports.append(entry)
    return ports


def endpoint(pod: Mapping[str, Any], node: Mapping[str, Any] | None, *, publish_not_ready: bool) -> Object | None:
    """The endpoint of a pod that has an address and is not finished, else None."""
    status = pod.get("status") or {}
    if not status.get("podIP") or is_terminal(pod):
        return None
    serving, terminating = is_ready(pod), is_deleting(pod)
    result: Object = {
        "addresses": [status["podIP"]],
        "conditions": {
            "ready": publish_not_ready or (serving and not terminating),
            "serving": serving,
            "terminating": terminating,
        },
        "targetRef": {
            "kind": "Pod",
            "namespace": pod["metadata"]["namespace"],
            "name": pod["metadata"]["name"],
            "uid": pod["metadata"]["uid"],
        },
    }
    if pod["spec"].get("hostname") and pod["spec"].get("subdomain"):
        result["hostname"] = pod["spec"]["hostname"]
    if pod["spec"].get("nodeName"):
        result["nodeName"] = pod["spec"]["nodeName"]
    zone = ((node or {}).get("metadata", {}).get("labels") or {}).get("topology.kubernetes.io/zone")
    if zone:
        result["zone"] = zone
    return result


def desired_slices(
    service: Mapping[str, Any], pods: Sequence[Mapping[str, Any]], nodes: Mapping[str, Mapping[str, Any]]
) -> list[Object]:
    """What the slices of a Service shall say: ``{ports, endpoints}`` each; one empty slice when there is no endpoint.

    Pods whose named ports have different numbers come into different slices; none holds more than MAX_ENDPOINTS.
    """
    groups: dict[str, Object] = {}
    publish = bool(service["spec"].get("publishNotReadyAddresses"))
    for pod in sorted(pods, key=lambda pod: pod["metadata"]["name"]):
        entry = endpoint(pod, nodes.get(pod["spec"].get("nodeName", "")), publish_not_ready=publish)
        if entry is None:
            continue
        ports = slice_ports(service, pod)
        group = groups.setdefault(repr(ports), {"ports": ports, "endpoints": []})
        group["endpoints"].append(entry)
    slices = [
        {"ports": group["ports"], "endpoints": group["endpoints"][start : start + MAX_ENDPOINTS]}
        for group in groups.values()
        for start in range(0, len(group["endpoints"]), MAX_ENDPOINTS)
    ]
    return slices or [{"ports": None, "endpoints": None}]
