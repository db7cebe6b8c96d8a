"""What a cluster must have and allow so that pools can live there, and what is made of what it has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["ok", "warning", "failed", "unknown"]
# server-side apply is stable from here on
OLDEST = (1, 22)

# kinds that every pool needs, and what a pool goes without where one of the others is not served
NEEDED = ("Service.", "ServiceAccount.", "ConfigMap.", "Pod.", "Deployment.apps", "PodDisruptionBudget.policy")
GOES_WITHOUT: Mapping[str, str] = {
    "InferencePool.inference.networking.k8s.io": "no endpoint picker: the Service spreads requests blindly",
    "HTTPRoute.gateway.networking.k8s.io": "pools with routing.gateway are refused",
    "PodMonitor.monitoring.coreos.com": "Prometheus does not find the engines by itself",
    "Role.rbac.authorization.k8s.io": "endpoint pickers get no rights of their own",
    "RoleBinding.rbac.authorization.k8s.io": "endpoint pickers get no rights of their own",
}
_WRITE = ("get", "list", "watch", "create", "patch", "delete")
_READ = ("get", "list", "watch")


@dataclass(frozen=True)
class Right:
    """A verb on a resource. `sub`: a subresource. `everywhere`: asked for the whole cluster, whatever its namespaces.

    `without`: what is missing without it, when pools can do without.
    """

    verb: str
    group: str
    resource: str
    sub: str = ""
    everywhere: bool = False
    without: str = ""


@dataclass(frozen=True)
class Missing:
    """A right that the credentials lack; `namespace` "": in all namespaces."""

    right: Right
    namespace: str

    def to_json(self) -> dict[str, Any]:
        right = self.right
        resource = f"{right.resource}/{right.sub}" if right.sub else right.resource
        row: dict[str, Any] = {"verb": right.verb, "resource": resource, "group": right.group}
        row["namespace"] = self.namespace or None
        return {**row, "without": right.without} if right.without else row

    def __str__(self) -> str:
        row = self.to_json()
        kind = f"{row['resource']}.{row['group']}" if row["group"] else row["resource"]
        return f"{row['verb']} {kind}" + (f" in {self.namespace}" if self.namespace else "")


# what is used beside what pools own, where the cluster serves it
BESIDE: Mapping[str, tuple[tuple[str, bool, str], ...]] = {
    "ResourceClaim.resource.k8s.io": (
        ("list", True, "which accelerators are claimed is not known, and so not their stock"),
        ("get", False, "standby: shared is refused"),
        ("create", False, "standby: shared is refused"),
        ("delete", False, "standby: shared is refused"),
    ),
    "AgentgatewayPolicy.agentgateway.dev": tuple(
        (verb, False, "Endpoints with keys behind agentgateway are not let in") for verb in _WRITE if verb != "watch"
    ),
    "ResourceQuota.": (("list", False, "plans do not know the namespace's quotas"),),
    "LocalQueue.kueue.x-k8s.io": (("list", False, "plans do not know whether a Kueue queue takes pods"),),
}
"""(verb, for the whole cluster, what is missing without it)."""


def rights(
    kinds: Iterable[tuple[str, str, str]], read_only: bool, beside: Iterable[tuple[str, str, str]] = ()
) -> list[Right]:
    """The rights that Lamplight uses. `kinds`: (kind, group, plural) of what pools may own and the cluster serves;
    `beside`: of what else it serves."""
    asked: list[Right] = []
    kinds = list(kinds)
    for kind, group, plural in kinds:
        read = read_only or kind in ("Pod", "ReplicaSet")
        asked += [Right(verb, group, plural) for verb in (_READ if read else _WRITE)]
    if not read_only:
        asked.append(Right("patch", "apps", "deployments", "scale"))
        asked.append(Right("patch", "", "pods", without="no replica leaves the routing before it sleeps or is removed"))
        asked.append(Right("delete", "", "pods", without="an engine that does not wake is not started anew"))
        if any(kind == "LeaderWorkerSet" for kind, _, _ in kinds):
            scaled = ("leaderworkerset.x-k8s.io", "leaderworkersets", "scale")
            asked.append(Right("patch", *scaled, without="pools of path wide-ep are not scaled"))
        asked.append(
            Right("create", "", "namespaces", everywhere=True, without="namespaces must be made by somebody else")
        )
    asked.append(Right("get", "", "pods", "log", without="no logs, and no last words of a container that crashed"))
    asked.append(Right("list", "", "events", without="no events in the object tree"))
    for resource in ("nodes", "pods"):
        asked.append(Right("list", "", resource, everywhere=True, without="accelerators and their stock are not known"))
    for kind, group, plural in beside:
        for verb, everywhere, without in BESIDE.get(f"{kind}.{group}", ()):
            if verb in _READ or not read_only:
                asked.append(Right(verb, group, plural, everywhere=everywhere, without=without))
    return asked


# of missing rights, what is kept in a cluster's status: the gravest first
_MOST_LISTED = 200


@dataclass(frozen=True)
class Check:
    """One finding. `more`: details for programs."""

    name: str
    state: State
    message: str
    more: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "state": self.state, "message": self.message, **self.more}


def version_of(page: Mapping[str, Any]) -> str:
    """As `v1.36.2`, from the page `/version`. A server that was built without a stamp calls itself v0.0.0-master, and
    still tells what it serves by major and minor (`36+` with some vendors)."""
    told = str(page.get("gitVersion") or "unknown")
    major, minor = (re.match(r"\d+", str(page.get(part) or "")) for part in ("major", "minor"))
    if major is None or minor is None or re.match(rf"v?{major[0]}\.{minor[0]}\b", told):
        return told
    return f"v{major[0]}.{minor[0]}"


def check_version(version: str) -> Check:
    """`v1.36.2` and the like."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if found is None:
        return Check("version", "unknown", f"the server calls itself {version}, which is no version")
    if (int(found[1]), int(found[2])) < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return Check("version", "failed", f"Kubernetes {version}: server-side apply needs {oldest} or newer")
    return Check("version", "ok", f"Kubernetes {version}", {"version": version})


def check_kinds(present: Iterable[str]) -> Check:
    """`present`: as `Deployment.apps`."""
    served = set(present)
    needed = [kind for kind in NEEDED if kind not in served]
    if needed:
        said = f"{_listed(needed)} not served: pools cannot live there"
        return Check("kinds", "failed", said, {"missing": needed})
    absent = [kind for kind in GOES_WITHOUT if kind not in served]
    if absent:
        effects = dict.fromkeys(GOES_WITHOUT[kind] for kind in absent)
        return Check("kinds", "warning", f"{_listed(absent)} not served: {'; '.join(effects)}", {"missing": absent})
    return Check("kinds", "ok", "every kind that pools may have is served")


def check_rights(missing: Sequence[Missing], asked: int, cluster: str = "NAME") -> Check:
    """`asked`: how many rights were asked about."""
    grave = [entry for entry in missing if not entry.right.without]
    first = [*grave, *(entry for entry in missing if entry.right.without)][:_MOST_LISTED]
    more = {"missing": [entry.to_json() for entry in first], "missingCount": len(missing)}
    if grave:
        some = ", ".join(map(str, grave[:5]))
        if len(grave) > 5:
            some += f" and {len(grave) - 5} more (`lamp preflight cluster {cluster}` lists them)"
        return Check("rights", "failed", f"{_count(len(grave), 'right')} missing: {some}", more)
    if missing:
        effects = dict.fromkeys(f"{entry} ({entry.right.without})" for entry in missing)
        return Check("rights", "warning", f"missing: {'; '.join(effects)}", more)
    return Check("rights", "ok", f"all of {asked} rights are granted" if asked > 1 else "every right is granted")


def check_accelerators(found: Sequence[Mapping[str, Any]] | None) -> Check:
    """`found`: totals by product; None: they could not be read."""
    if found is None:
        return Check("accelerators", "unknown", "nodes cannot be read, so accelerators and their stock are not known")
    rows = [
        {"product": row["product"] or row["resource"], "allocatable": row["allocatable"], "free": row["free"]}
        for row in found
    ]
    more = {"found": rows, "totals": list(found)}
    if not rows:
        return Check("accelerators", "warning", "no accelerators: only CPU variants find a node", more)
    return Check("accelerators", "ok", ", ".join(f"{row['allocatable']} {row['product']}" for row in rows), more)


def check_watches(synced: int, all_: int, errors: Sequence[str]) -> Check:
    """How many of the cluster's watches are in sync."""
    if not all_:
        return Check("watches", "warning", "nobody watches the cluster: pools are looked at every few seconds instead")
    if synced < all_:
        why = f": {errors[0]}" if errors else ""
        return Check("watches", "warning", f"{synced} of {all_} watches are in sync{why}")
    return Check("watches", "ok", f"{all_} watches are in sync")


def _listed(kinds: Sequence[str]) -> str:
    names = ", ".join(kind.rstrip(".") for kind in kinds)
    return f"{names} {'is' if len(kinds) == 1 else 'are'}"


def _count(number: int, what: str) -> str:
    return f"{number} {what} is" if number == 1 else f"{number} {what}s are"
