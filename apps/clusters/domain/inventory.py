"""What a cluster has: accelerators by product, allocatable, used and free, counted from its nodes and pods."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal, InvalidOperation
from importlib import resources
from typing import Any

_SUFFIXES = {"": Decimal(1), "m": Decimal("0.001"), **{p: Decimal(1000) ** i for i, p in enumerate("kMGTPE", 1)}}
_SUFFIXES |= {f"{p}i": Decimal(1024) ** i for i, p in enumerate("KMGTPE", 1)}

# drivers of dynamic resource allocation, whose pools of devices are named after the node
_DRIVERS = {"gpu.nvidia.com": "nvidia.com/gpu", "gpu.amd.com": "amd.com/gpu"}


@dataclass(frozen=True)
class NodeAccelerators:
    """Accelerators of one node. `product`: what its label calls them, "" without one; `memory`: the host's bytes."""

    node: str
    resource: str
    product: str
    allocatable: int
    used: int
    schedulable: bool
    memory: int = 0

    @property
    def free(self) -> int:
        return max(0, self.allocatable - self.used) if self.schedulable else 0


@dataclass(frozen=True)
class AcceleratorTotal:
    """One product over all nodes. `largest_node`: how many the biggest node has, the most one pod can ask for;
    `node_memory`: bytes of the host with most."""

    resource: str
    vendor: str
    product: str
    nodes: int
    allocatable: int
    used: int
    free: int
    largest_node: int
    node_memory: int = 0

    def to_json(self) -> dict[str, Any]:
        row = asdict(self)
        row["largestNode"], row["nodeMemory"] = row.pop("largest_node"), row.pop("node_memory")
        return row


def count(
    nodes: Iterable[Mapping[str, Any]],
    pods: Iterable[Mapping[str, Any]],
    claims: Iterable[Mapping[str, Any]] = (),
) -> list[NodeAccelerators]:
    """Accelerators by node, from Node, Pod and ResourceClaim objects (plain dicts). Finished pods use nothing; a claim
    uses what is allocated to it, however many pods name it."""
    used: dict[tuple[str, str], int] = {}
    for claim in claims:
        devices = ((claim.get("status") or {}).get("allocation") or {}).get("devices") or {}
        for device in devices.get("results") or []:
            resource = _DRIVERS.get(device.get("driver", ""))
            if resource:
                used[(device["pool"], resource)] = used.get((device["pool"], resource), 0) + 1
    for pod in pods:
        spec, status = pod.get("spec") or {}, pod.get("status") or {}
        if not spec.get("nodeName") or status.get("phase") in ("Succeeded", "Failed"):
            continue
        for resource in _known():
            asked = _asked(spec, resource)
            if asked:
                key = (spec["nodeName"], resource)
                used[key] = used.get(key, 0) + asked
    rows = []
    for node in nodes:
        metadata, status = node["metadata"], node.get("status") or {}
        for resource, (_, labels) in _known().items():
            allocatable = whole((status.get("allocatable") or {}).get(resource))
            if allocatable:
                product = next((v for k in labels if (v := (metadata.get("labels") or {}).get(k))), "")
                rows.append(
                    NodeAccelerators(
                        node=metadata["name"],
                        resource=resource,
                        product=product,
                        allocatable=allocatable,
                        used=used.get((metadata["name"], resource), 0),
                        schedulable=_schedulable(node),
                        memory=whole((status.get("allocatable") or {}).get("memory")),
                    )
                )
    return rows


def totals(rows: Iterable[NodeAccelerators]) -> list[AcceleratorTotal]:
    """Sums by resource and product, ordered by them."""
    groups: dict[tuple[str, str], list[NodeAccelerators]] = {}
    for row in rows:
        groups.setdefault((row.resource, row.product), []).append(row)
    return [
        AcceleratorTotal(
            resource=resource,
            vendor=_known()[resource][0],
            product=product,
            nodes=len(members),
            allocatable=sum(row.allocatable for row in members),
            used=sum(row.used for row in members),
            free=sum(row.free for row in members),
            largest_node=max(row.allocatable for row in members),
            node_memory=max(row.memory for row in members),
        )
        for (resource, product), members in sorted(groups.items())
    ]


def amount(quantity: object) -> Decimal | None:
    """A Kubernetes quantity (`500m`, `64Gi`, 8) as a number; None for what is no quantity."""
    text = str(quantity)
    number = text.rstrip("mkKMGTPEi")
    try:
        return Decimal(number) * _SUFFIXES[text[len(number) :]]
    except (InvalidOperation, KeyError):
        return None


def whole(quantity: object) -> int:
    """A Kubernetes quantity as a whole number, rounded down; 0 for what is no quantity."""
    return int(amount(quantity) or 0)


def _asked(pod_spec: Mapping[str, Any], resource: str) -> int:
    def of(container: Mapping[str, Any]) -> int:
        asked = container.get("resources") or {}
        return whole((asked.get("requests") or {}).get(resource) or (asked.get("limits") or {}).get(resource))

    running = sum(of(c) for c in pod_spec.get("containers") or [])
    starting = max((of(c) for c in pod_spec.get("initContainers") or []), default=0)
    return max(running, starting)


def _schedulable(node: Mapping[str, Any]) -> bool:
    if (node.get("spec") or {}).get("unschedulable"):
        return False
    conditions = (node.get("status") or {}).get("conditions") or []
    return next((c.get("status") == "True" for c in conditions if c.get("type") == "Ready"), True)


@functools.cache
def _known() -> dict[str, tuple[str, tuple[str, ...]]]:
    text = resources.files("apps.clusters").joinpath("data", "accelerators-on-nodes.json").read_text(encoding="utf-8")
    return {row["resource"]: (row["vendor"], tuple(row["productLabels"])) for row in json.loads(text)["resources"]}
