"""Who writes the replicas of a Deployment: we, another scaler that is declared, or somebody who is never fought."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from apps.core.domain.conditions import Condition
from apps.pools.domain.managers import Writer, newest, writers_of
from apps.pools.domain.manifests import WORKLOADS
from apps.pools.domain.plan import OURS

Owner = Literal["lamplight", "external", "hpa", "keda", "manual", "other"]
_WORDS: Mapping[str, tuple[str, str]] = {
    "hpa": ("HorizontalPodAutoscaler", "a HorizontalPodAutoscaler"),
    "keda": ("ScaledObject", "KEDA"),
    "manual": ("ScaledByHand", "a person"),
    "other": ("OtherManager", "another manager"),
}


@dataclass(frozen=True)
class Scaler:
    """An object that scales a Deployment: a HorizontalPodAutoscaler or a KEDA ScaledObject."""

    kind: str
    name: str
    deployment: str


@dataclass(frozen=True)
class ReplicasOwner:
    """Who writes one Deployment's replicas. `scaler`: the object that does, where one is known."""

    owner: Owner
    deployment: str
    manager: str = ""
    at: str | None = None
    scaler: str = ""

    @property
    def ours(self) -> bool:
        return self.owner == "lamplight"

    def to_json(self) -> dict[str, Any]:
        return {
            "owner": self.owner,
            "deployment": self.deployment,
            "manager": self.manager or None,
            "at": self.at,
            "object": self.scaler or None,
        }


def scalers_of(objects: Iterable[Mapping[str, Any]]) -> list[Scaler]:
    """Which Deployments these HorizontalPodAutoscalers and ScaledObjects scale; an HPA that KEDA made is KEDA's."""
    found = []
    for obj in objects:
        kind, name = obj.get("kind", ""), obj["metadata"]["name"]
        target = (obj.get("spec") or {}).get("scaleTargetRef") or {}
        if target.get("kind", "Deployment") not in WORKLOADS:
            continue
        for owner in obj["metadata"].get("ownerReferences") or []:
            if owner.get("kind") == "ScaledObject":
                kind, name = "ScaledObject", owner.get("name", name)
        found.append(Scaler(kind, name, str(target.get("name", ""))))
    return found


def foreign_writer(live: Mapping[str, Any]) -> Writer | None:
    """The manager that took spec.replicas from us; None while the value is ours or nobody's.

    A write of another value takes the field from all who owned it, so whoever of us still owns it wrote the value.
    """
    writers = writers_of(live, ("spec", "replicas"))
    if any(writer.manager in OURS for writer in writers):
        return None
    return newest(writers)


def owner_of(
    live: Mapping[str, Any], scalers: Iterable[Scaler], *, external: bool, allowed: frozenset[str] = frozenset()
) -> ReplicasOwner:
    """Who writes the replicas of a live Deployment.

    `scalers`: known ones of its namespace. `external`: the pool declares that another scaler does. `allowed`: managers
    whose fields a person allows to be taken over.
    """
    name = live["metadata"]["name"]
    scaler = next((s for s in sorted(scalers, key=lambda s: s.kind, reverse=True) if s.deployment == name), None)
    writer = foreign_writer(live)
    manager, at = (writer.manager, writer.at) if writer is not None else ("", None)
    what = f"{scaler.kind} {scaler.name}" if scaler is not None else ""
    if external:
        return ReplicasOwner("external", name, manager, at, what)
    if scaler is not None:
        return ReplicasOwner("keda" if scaler.kind == "ScaledObject" else "hpa", name, manager, at, what)
    if writer is None or manager in allowed:
        return ReplicasOwner("lamplight", name)
    return ReplicasOwner(_by_name(writer), name, manager, at)


def _by_name(writer: Writer) -> Owner:
    if writer.manager.startswith("keda"):
        return "keda"
    if writer.manager == "kube-controller-manager":
        return "hpa"  # the one controller there that writes another object's replicas
    return "manual" if writer.manager.startswith(("kubectl", "k9s", "lens", "oc")) else "other"


def taken_back(owner: ReplicasOwner, seen_at: datetime | None, asked_at: datetime | None) -> bool:
    """Whether a person asked for replicas here after somebody else's write was seen: then they are ours again.

    `seen_at`: when that write was first seen; `asked_at`: when a person last set the target. Never from a scaler that
    is an object of its own: it would write again.
    """
    if owner.ours or owner.owner == "external" or owner.scaler or seen_at is None or asked_at is None:
        return False
    return asked_at > seen_at


def condition(owners: Iterable[ReplicasOwner], generation: int) -> Condition:
    """`ReplicasOwner`: True while the replicas have the writer that the pool declares."""
    held = list(owners)
    others = [owner for owner in held if owner.owner not in ("lamplight", "external")]
    if not others:
        if any(owner.owner == "external" for owner in held):
            who = next((o.scaler or o.manager for o in held if o.scaler or o.manager), "")
            said = f"another scaler writes the replicas, as declared{f': {who}' if who else ''}"
            return Condition("ReplicasOwner", "True", "External", said, generation)
        return Condition("ReplicasOwner", "True", "Lamplight", "Lamplight alone writes the replicas", generation)
    reason = _WORDS[others[0].owner][0]
    return Condition("ReplicasOwner", "False", reason, "; ".join(_said(owner) for owner in others), generation)


def _said(owner: ReplicasOwner) -> str:
    who = owner.scaler or _WORDS[owner.owner][1]
    wrote = f" (manager {owner.manager}{f', at {owner.at}' if owner.at else ''})" if owner.manager else ""
    if owner.scaler:
        way_out = "delete it, or set autoscaling.mode to external"
    elif owner.owner in ("hpa", "keda"):
        return (
            f"{who}{wrote} has written the replicas of Deployment {owner.deployment}, and none is seen in its "
            "namespace now: `lamp scale` takes them back; where there is one after all, set autoscaling.mode to "
            "external"
        )
    else:
        way_out = "`lamp scale` takes them back"
    return f"{who}{wrote} writes the replicas of Deployment {owner.deployment}, and Lamplight does not: {way_out}"
