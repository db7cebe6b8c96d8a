"""Who writes the replicas of a pool's Deployments, asked of the cluster only when there is a reason to ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.clusters.errors import Forbidden, NotFound
from apps.clusters.kube import Kube
from apps.core import clock
from apps.core.domain.conditions import Condition, format_time
from apps.pools.actions import allowed_managers
from apps.pools.desired import Desired
from apps.pools.domain import replicas
from apps.pools.domain.manifests import VARIANT, WORKLOADS, Manifest
from apps.pools.domain.plan import address_of
from apps.pools.domain.replicas import ReplicasOwner, Scaler
from apps.pools.models import Pool, ReplicaTarget

SCALER_KINDS = ("HorizontalPodAutoscaler.autoscaling", "ScaledObject.keda.sh")


@dataclass(frozen=True)
class Owners:
    """Owners of replicas by Deployment, and since when the foreign ones are known."""

    held: Mapping[str, ReplicasOwner]
    remembered: Mapping[str, Any]

    def ours(self, deployment: str) -> bool:
        owner = self.held.get(deployment)
        return owner is None or owner.ours

    def condition(self, pool: Pool) -> Condition | None:
        """`ReplicasOwner`, of a pool whose replicas are or once were somebody else's."""
        if all(owner.ours for owner in self.held.values()) and pool.condition("ReplicasOwner") is None:
            return None
        return replicas.condition(self.held.values(), pool.generation)


@dataclass(frozen=True)
class _Wrote:
    """Somebody's write of replicas. Through /scale it may carry no time: then two of one manager differ in what they
    wrote alone."""

    manager: str
    at: str | None
    replicas: int

    def known(self, before: Mapping[str, Any]) -> bool:
        """Whether it is the one that is remembered. (What was remembered before numbers were has none.)"""
        same = (before.get("manager"), before.get("at")) == (self.manager or None, self.at)
        return same and before.get("replicas", self.replicas) == self.replicas


def owners_of(
    kube: Kube,
    pool: Pool,
    desired: Desired,
    live: Mapping[str, Manifest],
    targets: Mapping[str, ReplicaTarget],
    *,
    external: bool,
) -> Owners:
    """Look at each present Deployment of the pool. Raises KubeError."""
    memory = pool.status.get("replicasOwner") or {}
    scalers: Sequence[Scaler] | None = None
    held: dict[str, ReplicasOwner] = {}
    remembered: dict[str, Any] = {}
    for manifest in desired.objects:
        present = live.get(address_of(manifest))
        if manifest["kind"] not in WORKLOADS or present is None:
            continue
        name, variant = manifest["metadata"]["name"], manifest["metadata"]["labels"].get(VARIANT)
        wanted = desired.replicas[variant] if variant else int(manifest["spec"]["replicas"])
        before = memory.get(name) or {}
        target = targets.get(variant or "")
        if scalers is None and _must_ask(present, before, wanted, external=external, target=target):
            scalers = list_scalers(kube, pool.namespace)
        known = scalers if scalers is not None else _known(before, name)
        owner = replicas.owner_of(
            present,
            known,
            external=external and variant is not None,
            allowed=allowed_managers(pool.annotations),
        )
        wrote = _Wrote(owner.manager, owner.at, _count(present))
        seen_at = None if owner.ours else _seen_at(wrote, before)
        declared = owner.owner == "external" or (before.get("declared") and before.get("manager") == owner.manager)
        asked = replicas.taken_back(owner, seen_at, _asked_at(target))
        kept = {**owner.to_json(), "replicas": wrote.replicas, **({"declared": True} if declared else {})}
        if asked or (declared and not owner.ours and owner.owner != "external" and not owner.scaler):
            # a scaler that the pool declared, and does not any more, has nothing to say
            remembered[name] = {**kept, "seenAt": format_time(seen_at), "takenBack": True} if seen_at else {}
            owner = ReplicasOwner("lamplight", name)
        elif not owner.ours and seen_at is not None:
            remembered[name] = {**kept, "seenAt": format_time(seen_at)}
        held[name] = owner
    return Owners(held, remembered)


def list_scalers(kube: Kube, namespace: str) -> list[Scaler]:
    """What scales Deployments in a namespace; nothing where that may not be seen."""
    found: list[Scaler] = []
    for kind in SCALER_KINDS:
        resource = kube.resources().get(kind)
        if resource is None:
            continue
        try:
            found += replicas.scalers_of(kube.list(resource, namespace))
        except (Forbidden, NotFound):
            continue
    return found


def _must_ask(
    live: Manifest, before: Mapping[str, Any], wanted: int, *, external: bool, target: ReplicaTarget | None
) -> bool:
    """Before replicas are written, when somebody new has written them, and as long as an object is said to."""
    writer = replicas.foreign_writer(live)
    differs = _count(live) != wanted
    if writer is None:
        return differs
    if not external and before.get("object"):
        return True  # what is said of an object that is gone would be wrong until the numbers differ
    asked, seen = _asked_at(target), before.get("seenAt")
    if asked is not None and seen and asked > datetime.fromisoformat(seen):
        return True  # they are about to be taken back from a person: a scaler may have come since
    wrote = _Wrote(writer.manager, writer.at, _count(live))
    return not wrote.known(before) or bool(before.get("takenBack"))


def _known(before: Mapping[str, Any], deployment: str) -> list[Scaler]:
    kind, _, name = str(before.get("object") or "").partition(" ")
    return [Scaler(kind, name, deployment)] if name else []


def _seen_at(wrote: _Wrote, before: Mapping[str, Any]) -> datetime:
    if wrote.known(before) and before.get("seenAt"):
        return datetime.fromisoformat(before["seenAt"])
    return clock.now()


def _asked_at(target: ReplicaTarget | None) -> datetime | None:
    return target.updated_at if target is not None and target.source == "person" else None


def _count(live: Manifest) -> int:
    return int((live.get("spec") or {}).get("replicas", 1))
