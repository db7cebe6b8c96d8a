"""Which addresses the service proxy listens on, and where each leads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Address = tuple[str, int]

SERVICE_LABEL = "kubernetes.io/service-name"


@dataclass(frozen=True)
class Route:
    """One port of one Service. ``backends`` are its ready endpoints, in a fixed order."""

    namespace: str
    service: str
    port_name: str
    backends: tuple[Address, ...]


def routes(services: Iterable[Mapping[str, Any]], slices: Iterable[Mapping[str, Any]]) -> dict[Address, Route]:
    """(cluster IP, port) → route, for every TCP port of every Service that has an address."""
    by_service: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for item in slices:
        owner = (item["metadata"].get("labels") or {}).get(SERVICE_LABEL)
        if owner:
            by_service.setdefault((item["metadata"]["namespace"], owner), []).append(item)
    result: dict[Address, Route] = {}
    for service in services:
        spec, metadata = service["spec"], service["metadata"]
        address = spec.get("clusterIP")
        if not address or address == "None" or spec.get("type") == "ExternalName":
            continue
        key = (metadata["namespace"], metadata["name"])
        for port in spec.get("ports") or []:
            if port.get("protocol", "TCP") != "TCP":
                continue
            name = port.get("name", "")
            result[(address, port["port"])] = Route(*key, name, _backends(by_service.get(key, ()), name))
    return result


def _backends(slices: Iterable[Mapping[str, Any]], port_name: str) -> tuple[Address, ...]:
    """Ready endpoints; when none is ready, those that still serve while they terminate."""
    ready: list[Address] = []
    draining: list[Address] = []
    for item in slices:
        number = next((port["port"] for port in item.get("ports") or [] if (port.get("name") or "") == port_name), None)
        if number is None:
            continue
        for endpoint in item.get("endpoints") or []:
            conditions = endpoint.get("conditions") or {}
            target = [(address, number) for address in endpoint["addresses"]]
            if conditions.get("ready", True):
                ready += target
            elif conditions.get("serving") and conditions.get("terminating"):
                draining += target
    return tuple(sorted(ready or draining))
