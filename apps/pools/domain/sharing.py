"""Shared standby as it is rendered and checked: pools of a group name one resource claim, and so have the same devices.

A claim that several pods name is allocated once, on one node: Kubernetes puts all of them there and counts their memory
against that node. Which of the engines is awake is ruled in domain/turns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.domain.units import format_bytes
from apps.pools.domain.engines import CLAIM, COMPONENT_ENGINE
from apps.pools.domain.guarded import sleeps
from apps.pools.domain.manifests import COMPONENT, Inputs, Manifest, PlanRefused, PoolIdentity
from apps.pools.domain.spec import PoolSpec, Variant

__all__ = [
    "MOST_SHARERS",
    "SHARES",
    "Sharer",
    "claim_name",
    "differs",
    "faults_of_group",
    "is_engine",
    "may_stand",
    "shared_claim",
    "shares",
    "sharing_sentence",
    "with_shared_claim",
]  # fmt: skip

SHARES = "lamplight.dev/shares"
"""The label of pods and Deployments that share accelerators: the name of their claim."""
MOST_SHARERS = 16
CLAIM_KIND = ("ResourceClaim", "resource.k8s.io")


@dataclass(frozen=True)
class Sharer:
    """A pool of a group, by name."""

    name: str
    spec: PoolSpec

    @property
    def variant(self) -> Variant:
        return self.spec.variants[0]


def shares(spec: PoolSpec) -> bool:
    """Whether a pool takes turns on its accelerators with others."""
    return sleeps(spec) and spec.autoscaling.standby == "shared"


def claim_name(team: str, group: str) -> str:
    return f"{team}-{group}-shared"


def shared_claim(team: str, spec: PoolSpec, device_class: str) -> Manifest:
    """The claim of a group. It belongs to no single pool: it is made when missing, and goes with the last of them."""
    group = spec.autoscaling.group or ""
    name = claim_name(team, group)
    exactly = {
        "deviceClassName": device_class,
        "allocationMode": "ExactCount",
        "count": spec.variants[0].accelerators_per_pod,
    }
    return {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {
            "name": name,
            "namespace": spec.namespace,
            "labels": {"app.kubernetes.io/managed-by": "lamplight", SHARES: name},
        },
        "spec": {"devices": {"requests": [{"name": "accelerators", "exactly": exactly}]}},
    }


def with_shared_claim(
    objects: Iterable[Manifest], pool: PoolIdentity, spec: PoolSpec, inputs: Inputs
) -> tuple[Manifest, ...]:
    """The objects, with engines that name the group's claim where the pool shares. Raises PlanRefused."""
    if not shares(spec):
        return tuple(objects)
    if not inputs.has(*CLAIM_KIND):
        raise PlanRefused(
            "ClaimsMissing",
            "standby: shared gives several pods the same accelerators by one ResourceClaim, and this cluster does not "
            "know that kind: enable dynamic resource allocation there (Kubernetes 1.34 and the vendor's driver), or "
            "write standby: reserved",
        )
    name = claim_name(pool.team, spec.autoscaling.group or "")
    return tuple(_naming(obj, name, inputs) if is_engine(obj) else obj for obj in objects)


def is_engine(obj: Manifest) -> bool:
    return obj["kind"] == "Deployment" and obj["metadata"]["labels"].get(COMPONENT) == COMPONENT_ENGINE


def _naming(deployment: Manifest, claim: str, inputs: Inputs) -> Manifest:
    plugins = {facts.resource for facts in inputs.accelerators.values() if facts.resource}
    template = deployment["spec"]["template"]
    engine, *others = template["spec"]["containers"]
    asked = engine["resources"]
    resources = {
        **{side: {k: v for k, v in asked[side].items() if k not in plugins} for side in ("requests", "limits")},
        "claims": [{"name": CLAIM}],
    }
    spec = {
        **template["spec"],
        "containers": [{**engine, "resources": resources}, *others],
        "resourceClaims": [{"name": CLAIM, "resourceClaimName": claim}],
    }
    marked = {**template["metadata"], "labels": {**template["metadata"]["labels"], SHARES: claim}}
    return {
        **deployment,
        "metadata": {**deployment["metadata"], "labels": {**deployment["metadata"]["labels"], SHARES: claim}},
        "spec": {**deployment["spec"], "template": {**template, "metadata": marked, "spec": spec}},
    }


def faults_of_group(mine: Sharer, others: Sequence[Sharer], node_memory: int | None) -> list[tuple[str, str]]:
    """What a pool cannot share, as (pointer, sentence). `others`: the pools of its group; `node_memory`: bytes of the
    biggest node with its accelerator, None where nobody has looked."""
    spec = mine.spec
    if not shares(spec):
        return []
    found: list[tuple[str, str]] = []
    at = "/spec/variants"
    if len(spec.variants) != 1:
        found.append(
            (at, f"a pool with standby: shared has one variant, not {len(spec.variants)}: leave out all but one")
        )
        return found
    variant = mine.variant
    first = f"{at}/0"
    if (variant.replicas.min, variant.replicas.max) != (0, 1):
        found.append(
            (
                f"{first}/replicas",
                "of the pools that take turns one is awake, with one replica: set replicas to {min: 0, max: 1}",
            )
        )
    if variant.group_size != 1 or variant.role != "both":
        found.append((first, "a replica that takes turns is one pod with role both: set groupSize to 1, role to both"))
    if variant.devices is not None:
        found.append((f"{first}/devices", "the group has one claim for all of its pools: leave devices out"))
    if spec.rollout.max_surge not in ("auto", 0):
        found.append(
            (
                "/spec/rollout/maxSurge",
                "there is room for one engine that is awake, so a second one cannot start beside it: set maxSurge to "
                "auto or 0",
            )
        )
    found += _unlike(mine, others)
    found += _host_memory(mine, others, node_memory)
    if len(others) >= MOST_SHARERS:
        found.append(
            (
                "/spec/autoscaling/group",
                f"group {spec.autoscaling.group} has {len(others)} pools already, the most that take turns: "
                "name another group",
            )
        )
    return found


def _unlike(mine: Sharer, others: Iterable[Sharer]) -> Iterable[tuple[str, str]]:
    variant, group = mine.variant, mine.spec.autoscaling.group
    for other in others:
        theirs = other.variant
        if (theirs.accelerator, theirs.accelerators_per_pod) != (variant.accelerator, variant.accelerators_per_pod):
            yield (
                "/spec/variants/0/accelerator",
                f"pool {other.name} of group {group} runs on {theirs.accelerators_per_pod} {theirs.accelerator}, this "
                f"one on {variant.accelerators_per_pod} {variant.accelerator}, and they are to be the same: choose the "
                "same, or name another group",
            )
            return
        if theirs.capacity_type != variant.capacity_type:
            yield (
                "/spec/variants/0/capacityType",
                f"pool {other.name} of group {group} is {theirs.capacity_type}: choose the same, or name another group",
            )
            return


def _host_memory(mine: Sharer, others: Sequence[Sharer], node_memory: int | None) -> Iterable[tuple[str, str]]:
    if node_memory is None:
        return
    asked = {each.name: each.variant.resources.memory for each in (*others, mine)}
    together = sum(asked.values())
    if together > node_memory:
        rows = ", ".join(f"{name} {format_bytes(size)}" for name, size in sorted(asked.items()))
        yield (
            "/spec/variants/0/resources/memory",
            f"engines that sleep keep their weights in the memory of the one node that holds the accelerators: group "
            f"{mine.spec.autoscaling.group} needs {format_bytes(together)} ({rows}), and the biggest node with "
            f"{mine.variant.accelerator} has {format_bytes(node_memory)}: lower resources.memory, or name another "
            "group",
        )


def sharing_sentence(mine: Sharer, others: Iterable[str]) -> str:
    """What shares with what, for people who look at a plan."""
    count = mine.variant.accelerators_per_pod
    devices = f"{count} {mine.variant.accelerator}"
    names = sorted(others)
    if not names:
        return (
            f"group {mine.spec.autoscaling.group}: {mine.name} is alone on {devices} so far; pools of the team that "
            "name this group will take turns with it"
        )
    return (
        f"group {mine.spec.autoscaling.group}: {mine.name} takes turns with {_listed(names)} on the same {devices}; at "
        "most one of them is awake, and requests for the others wait at their pickers"
    )


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def may_stand(wanted: Mapping[str, int], standing: Mapping[str, int], *, awake: bool, known: bool) -> dict[str, int]:
    """Replicas that a pool's Deployments may have now. With the turn: what is wanted. Without it no engine is started,
    and one that is not known to sleep, and cannot be put to sleep yet (it starts), goes."""
    if awake:
        return dict(wanted)
    return {name: min(count, standing.get(name, 0)) if known else 0 for name, count in wanted.items()}


def differs(todo: Iterable[Any]) -> bool:
    """Whether writes of a plan are about engines, which would then be started anew."""
    return any(is_engine(write.manifest) for write in todo)
