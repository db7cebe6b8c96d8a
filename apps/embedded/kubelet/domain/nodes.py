"""Node objects for the machines that the kubelet plays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from apps.embedded.domain.objects import Object, find_condition, rfc3339
from apps.embedded.domain.quantity import parse_quantity

ACCELERATOR_LABEL = "lamplight.dev/accelerator"
PROVIDER = "lamplight://"
"""How the providerID of a node that we play begins."""
KUBELET_VERSION = "v1.36.2+lamplight"


def read_nodes(table: Mapping[str, Any]) -> list[Object]:
    """The entries of a node table. ValueError names the first that cannot be used and says how to mend it."""
    entries = table.get("nodes")
    if not isinstance(entries, list) or not entries:
        raise ValueError('a node table needs "nodes": a list with at least one {"name", "labels", "capacity"}')
    names: set[str] = set()
    for position, entry in enumerate(entries):
        name = entry.get("name")
        if not isinstance(name, str) or not name or name in names:
            raise ValueError(f"nodes[{position}]: give it a name that no other node has")
        names.add(name)
        capacity = entry.get("capacity") or {}
        missing = [resource for resource in ("cpu", "memory", "pods") if resource not in capacity]
        if missing:
            raise ValueError(f"node {name}: its capacity lacks {', '.join(missing)}")
        for resource, amount in capacity.items():
            try:
                parse_quantity(amount)
            except ValueError as error:
                raise ValueError(f"node {name}: capacity of {resource}: {error}") from error
    return list(entries)


def node_object(entry: Mapping[str, Any]) -> Object:
    """What is created at registration (without status)."""
    name = entry["name"]
    labels = {
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        **(entry.get("labels") or {}),
    }
    spec: Object = {"providerID": f"{PROVIDER}{name}"}
    if entry.get("taints"):
        spec["taints"] = list(entry["taints"])
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "spec": spec}


def node_status(
    entry: Mapping[str, Any],
    address: str,
    port: int,
    images: Sequence[str],
    previous: Mapping[str, Any] | None,
    now: datetime,
) -> Object:
    """status of a healthy node; transition times of unchanged conditions are kept from ``previous``."""
    moment = rfc3339(now)
    known = (previous or {}).get("conditions")
    conditions = []
    for type_, status, reason, message in (
        ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
    ):
        old = find_condition(known, type_)
        since = old["lastTransitionTime"] if old is not None and old["status"] == status else moment
        conditions.append(
            {
                "type": type_,
                "status": status,
                "lastHeartbeatTime": moment,
                "lastTransitionTime": since,
                "reason": reason,
                "message": message,
            }
        )
    capacity = dict(entry["capacity"])
    return {
        "capacity": capacity,
        "allocatable": capacity,
        "conditions": conditions,
        "addresses": [
            {"type": "InternalIP", "address": address},
            {"type": "Hostname", "address": entry["name"]},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "nodeInfo": {
            "machineID": "",
            "systemUUID": "",
            "bootID": "",
            "kernelVersion": "",
            "osImage": "Lamplight embedded cluster",
            "containerRuntimeVersion": "process://1",
            "kubeletVersion": KUBELET_VERSION,
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": "amd64",
        },
        "images": [{"names": [name], "sizeBytes": 0} for name in images],
    }
