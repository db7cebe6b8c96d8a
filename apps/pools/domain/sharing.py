"""Shared standby as it is rendered and checked: pools of a group name one resource claim, and so have the same devices.

A claim that several pods name is allocated once, on one node: Kubernetes puts all of them there and counts their memory
against that node. Which of the engines is awake is ruled in domain/turns. A group may have several sets of
accelerators: each has a claim, and each pool a Deployment of one engine for each set on which it sleeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.domain.units import format_bytes
from apps.pools.domain.engines import CLAIM, COMPONENT_ENGINE, deployment_name
from apps.pools.domain.guarded import sleeps
from apps.pools.domain.manifests import COMPONENT, VARIANT, Inputs, Manifest, PlanRefused, PoolIdentity
from apps.pools.domain.pods import SET
from apps.pools.domain.spec import PoolSpec, Variant

__all__ = [
    "MOST_SHARERS",
    "SHARES",
    "Hosts",
    "Sharer",
    "claim_name",
    "differs",
    "faults_of_group",
    "fitting",
    "is_engine",
    "may_stand",
    "set_names",
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

    @property
    def sets(self) -> int:
        return self.spec.autoscaling.sets


@dataclass(frozen=True)
class Hosts:
    """The nodes with an accelerator: how many there are, and of the biggest its accelerators and bytes of memory."""

    nodes: int
    accelerators: int
    memory: int


def shares(spec: PoolSpec) -> bool:
    """Whether a pool takes turns on its accelerators with others."""
    return sleeps(spec) and spec.autoscaling.standby == "shared"


def claim_name(team: str, group: str, place: int = 0) -> str:
    """Of a set of the group's accelerators, from 0."""
    return f"{team}-{group}-shared" + (f"-{place + 1}" if place else "")


def set_names(pool: str, spec: PoolSpec) -> tuple[str, ...]:
    """Names of the Deployments of a pool that shares, by set."""
    name = deployment_name(pool, spec.variants[0].name)
    return tuple(name + (f"-{place + 1}" if place else "") for place in range(spec.autoscaling.sets))


def shared_claim(team: str, spec: PoolSpec, device_class: str, place: int = 0) -> Manifest:
    """The claim of a set. It belongs to no single pool: it is made when missing, and goes with the last of them."""
    group = spec.autoscaling.group or ""
    name = claim_name(team, group, place)
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
    group, sets = spec.autoscaling.group or "", spec.autoscaling.sets
    found: list[Manifest] = []
    for obj in objects:
        if is_engine(obj):
            found += (_on_set(_naming(obj, claim_name(pool.team, group, at), inputs), at) for at in range(sets))
        else:
            found.append(obj)
    return tuple(found)


def is_engine(obj: Manifest) -> bool:
    return obj["kind"] == "Deployment" and obj["metadata"]["labels"].get(COMPONENT) == COMPONENT_ENGINE


def _on_set(deployment: Manifest, place: int) -> Manifest:
    """The Deployment of a further set. Its pods keep the variant's labels, so that routers and telemetry take them; the
    Deployment does not, so that nobody takes it for the variant's own."""
    if not place:
        return deployment
    mark = {SET: str(place + 1)}
    spec, metadata = deployment["spec"], deployment["metadata"]
    template = spec["template"]
    marked = {**template["metadata"], "labels": {**template["metadata"]["labels"], **mark}}
    return {
        **deployment,
        "metadata": {
            **metadata,
            "name": f"{metadata['name']}-{place + 1}",
            "labels": {**{key: value for key, value in metadata["labels"].items() if key != VARIANT}, **mark},
        },
        "spec": {
            **spec,
            "selector": {"matchLabels": {**spec["selector"]["matchLabels"], **mark}},
            "template": {**template, "metadata": marked},
        },
    }


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


def faults_of_group(mine: Sharer, others: Sequence[Sharer], hosts: Hosts | None) -> list[tuple[str, str]]:
    """What a pool cannot share, as (pointer, sentence). `others`: the pools of its group; `hosts`: the nodes with its
    accelerator, None where nobody has looked."""
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
    most = mine.sets
    if variant.replicas.min != 0 or not 1 <= variant.replicas.max <= most:
        upto = "" if most == 1 else f" (or a max of up to {most}, one on each of its sets)"
        found.append(
            (
                f"{first}/replicas",
                "of the pools that take turns one is awake on a set of accelerators, with one replica: set replicas "
                f"to {{min: 0, max: 1}}{upto}",
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
    found += _host_memory(mine, others, hosts)
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


def _host_memory(mine: Sharer, others: Sequence[Sharer], hosts: Hosts | None) -> Iterable[tuple[str, str]]:
    """The weights of all that sleep on a set lie on the node that holds its accelerators, beside those of other sets
    there. What is refused fits nowhere even if all nodes were as big as the biggest; the scheduler counts the rest."""
    if hosts is None:
        return
    asked = [_asked((*others, mine), at) for at in range(mine.sets)]
    first = asked[0]
    rows = ", ".join(f"{name} {format_bytes(size)}" for name, size in sorted(first.items()))
    group, accelerator = mine.spec.autoscaling.group, mine.variant.accelerator
    together = sum(first.values())
    where = "/spec/variants/0/resources/memory"
    if together > hosts.memory:
        yield (
            where,
            f"engines that sleep keep their weights in the memory of the one node that holds the accelerators: group "
            f"{group} needs {format_bytes(together)} ({rows}), and the biggest node with {accelerator} has "
            f"{format_bytes(hosts.memory)}: lower resources.memory, or name another group",
        )
        return
    fit = fitting([sum(each.values()) for each in asked], mine.variant.accelerators_per_pod, hosts)
    if fit < mine.sets:
        yield (
            "/spec/autoscaling/sets",
            f"group {group} needs {format_bytes(together)} ({rows}) of one node's memory and "
            f"{mine.variant.accelerators_per_pod} {accelerator} for each set, and the {hosts.nodes} nodes with "
            f"{accelerator} (the biggest has {hosts.accelerators}, and {format_bytes(hosts.memory)}) have room for "
            f"{fit} such sets, not {mine.sets}: lower sets or resources.memory, or name another group",
        )


def _asked(sharers: Iterable[Sharer], place: int) -> dict[str, int]:
    """Bytes of host memory on a set, by pool that sleeps there."""
    return {each.name: each.variant.resources.memory for each in sharers if each.sets > place}


def fitting(sets: Sequence[int], accelerators: int, hosts: Hosts) -> int:
    """How many sets, from the first, nodes like the biggest have room for. `sets`: bytes of host memory of each, none
    smaller than the one after it; `accelerators`: of each."""
    left = [(hosts.accelerators, hosts.memory)] * min(hosts.nodes, len(sets))
    for placed, size in enumerate(sets):
        at = next((i for i, (free, room) in enumerate(left) if free >= accelerators and room >= size), None)
        if at is None:
            return placed
        left[at] = (left[at][0] - accelerators, left[at][1] - size)
    return len(sets)


def sharing_sentence(mine: Sharer, others: Iterable[str]) -> str:
    """What shares with what, for people who look at a plan."""
    count = mine.variant.accelerators_per_pod
    devices = f"{count} {mine.variant.accelerator}"
    where = devices if mine.sets == 1 else f"{mine.sets} sets of {devices}"
    names = sorted(others)
    if not names:
        return (
            f"group {mine.spec.autoscaling.group}: {mine.name} is alone on {where} so far; pools of the team that "
            "name this group will take turns with it"
        )
    awake = "of them is awake" if mine.sets == 1 else "is awake on each set, any of them on any"
    return (
        f"group {mine.spec.autoscaling.group}: {mine.name} takes turns with {_listed(names)} on the same {where}; at "
        f"most one {awake}, and requests for the others wait at their pickers"
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
