"""What named resource claims ask for, on which node each is allocated, and what a pod that names one asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.embedded.domain.objects import Object

Key = tuple[str, str]
"""Namespace and name of a claim."""
# the device classes of the vendors' drivers, and what the same accelerators are called as extended resources
CLASSES = {"gpu.nvidia.com": "nvidia.com/gpu", "gpu.amd.com": "amd.com/gpu"}


def claim_names(pod: Mapping[str, Any]) -> list[Key]:
    """The claims that a pod names."""
    rows = pod["spec"].get("resourceClaims") or []
    return [(pod["metadata"]["namespace"], row["resourceClaimName"]) for row in rows if row.get("resourceClaimName")]


def amounts(claim: Mapping[str, Any]) -> dict[str, str]:
    """Extended resources that a claim takes, as a pod's overhead is written. Unknown device classes take nothing."""
    found: dict[str, int] = {}
    for request in claim["spec"].get("devices", {}).get("requests") or []:
        exactly = request.get("exactly") or {}
        resource = CLASSES.get(str(exactly.get("deviceClassName")))
        if resource:
            found[resource] = found.get(resource, 0) + int(exactly.get("count", 1))
    return {resource: str(count) for resource, count in found.items()}


@dataclass
class Claims:
    """`objects`: all claims; `pods`: those that live, bound and pending. `nodes`: where each claim in use is."""

    objects: Sequence[Object]
    pods: Sequence[Object]
    nodes: dict[Key, str] = field(init=False)

    def __post_init__(self) -> None:
        self._by_key = {(c["metadata"]["namespace"], c["metadata"]["name"]): c for c in self.objects}
        self.nodes = {}
        for pod in self.pods:
            if pod["spec"].get("nodeName"):
                for key in claim_names(pod):
                    self.nodes.setdefault(key, pod["spec"]["nodeName"])

    def counted(self, pods: Iterable[Object]) -> list[Object]:
        """The pods, of which the first user of each claim carries what the claim takes."""
        seen: set[Key] = set()
        found = []
        for pod in pods:
            mine = [key for key in claim_names(pod) if key in self.nodes and key not in seen]
            seen.update(mine)
            found.append(self._with(pod, mine))
        return found

    def asking(self, pod: Object) -> tuple[Object, str | None, str]:
        """(the pod with what it asks for, the node that it has to go to or None, why it has to wait or "")."""
        keys = claim_names(pod)
        missing = [name for namespace, name in keys if (namespace, name) not in self._by_key]
        if missing:
            return pod, None, f'waiting for resource claim "{missing[0]}" to be created'
        at = next((self.nodes[key] for key in keys if key in self.nodes), None)
        return self._with(pod, [key for key in keys if key not in self.nodes]), at, ""

    def bound(self, pod: Object, node: str) -> None:
        """A pod was bound: what it names is allocated there."""
        self.pods = [*(p for p in self.pods if p["metadata"]["uid"] != pod["metadata"]["uid"]), _on(pod, node)]
        for key in claim_names(pod):
            self.nodes.setdefault(key, node)

    def users(self, key: Key) -> list[Object]:
        return [pod for pod in self.pods if pod["spec"].get("nodeName") and key in claim_names(pod)]

    def _with(self, pod: Object, keys: Iterable[Key]) -> Object:
        extra = {
            name: count for key in keys if key in self._by_key for name, count in amounts(self._by_key[key]).items()
        }
        if not extra:
            return pod
        return {**pod, "spec": {**pod["spec"], "overhead": {**(pod["spec"].get("overhead") or {}), **extra}}}


def status_of(claim: Mapping[str, Any], claims: Claims) -> dict[str, Any]:
    """`status` of a claim: its allocation and who uses it; empty when nobody does."""
    key = (claim["metadata"]["namespace"], claim["metadata"]["name"])
    users = claims.users(key)
    if not users:
        return {}
    node = claims.nodes[key]
    results = []
    for request in claim["spec"].get("devices", {}).get("requests") or []:
        exactly = request.get("exactly") or {}
        results += [
            {
                "request": request["name"],
                "driver": exactly.get("deviceClassName"),
                "pool": node,
                "device": f"{claim['metadata']['name']}-{number}",
            }
            for number in range(int(exactly.get("count", 1)))
        ]
    named = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}]
    return {
        "allocation": {"devices": {"results": results}, "nodeSelector": {"nodeSelectorTerms": named}},
        "reservedFor": sorted(
            ({"resource": "pods", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]} for pod in users),
            key=lambda row: row["name"],
        ),
    }


def _on(pod: Object, node: str) -> Object:
    return {**pod, "spec": {**pod["spec"], "nodeName": node}}
