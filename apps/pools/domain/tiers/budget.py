"""How much host memory a tier may take: what its nodes have, less what everything else there asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.clusters.domain.inventory import whole
from apps.pools.domain.engines import COMPONENT_ENGINE
from apps.pools.domain.manifests import COMPONENT, POOL_UID
from apps.pools.domain.spec import PoolSpec, Variant

__all__ = ["Budget", "NodeMemory", "host_budget", "host_faults", "node_memories", "slept_bytes"]

# of what a node has for pods, for those that come and go (Jobs, DaemonSets that grow)
_RESERVED = 0.05
_GIB = 2**30


@dataclass(frozen=True, slots=True)
class NodeMemory:
    """A node that engines of the pool may run on. Bytes that it has for pods, and that others than this pool's engines
    ask for; engines: of this pool that run there."""

    name: str
    allocatable: int
    others: int
    engines: int


@dataclass(frozen=True, slots=True)
class Budget:
    """Bytes of one replica's host tier. why: what kept it below what is declared, "" when nothing did."""

    bytes: int
    why: str = ""


def node_memories(
    nodes: Iterable[Mapping[str, Any]],
    pods: Iterable[Mapping[str, Any]],
    *,
    pool: str,
    resource: str | None,
    selector: Mapping[str, str],
) -> tuple[NodeMemory, ...]:
    """From Node and Pod objects: those with the accelerator. A finished pod asks for nothing."""
    others: dict[str, int] = {}
    engines: dict[str, int] = {}
    for pod in pods:
        spec, status = pod.get("spec") or {}, pod.get("status") or {}
        node = spec.get("nodeName")
        if not node or status.get("phase") in ("Succeeded", "Failed"):
            continue
        labels = pod["metadata"].get("labels") or {}
        if labels.get(POOL_UID) == pool and labels.get(COMPONENT) == COMPONENT_ENGINE:
            engines[node] = engines.get(node, 0) + 1
        else:
            others[node] = others.get(node, 0) + _memory(spec)
    found = []
    for node in nodes:
        name, labels = node["metadata"]["name"], node["metadata"].get("labels") or {}
        has = (node.get("status") or {}).get("allocatable") or {}
        if any(labels.get(key) != value for key, value in selector.items()) or (
            resource and not whole(has.get(resource))
        ):
            continue
        if memory := whole(has.get("memory")):
            found.append(NodeMemory(name, memory, others.get(name, 0), engines.get(name, 0)))
    return tuple(found)


def host_budget(*, declared: int, nodes: Sequence[NodeMemory], engine_memory: int, slept: int = 0) -> Budget:
    """Bytes that the host tier of one replica may take: as declared, and no more than its node has left when each
    engine there has what it asks for, and `slept` bytes more for its weights while it sleeps. Where engines run, the
    tightest of their nodes counts; where none does, the roomiest that one could go to. No nodes: nobody knows.
    """
    running = [node for node in nodes if node.engines]
    rooms = [(_room(node, engine_memory, slept), node) for node in running or nodes]
    if not rooms:
        return Budget(declared)
    room, node = (min if running else max)(rooms, key=lambda one: one[0])
    if room >= declared:
        return Budget(declared)
    weights = f" and {_gib(slept)} for its weights while it sleeps" if slept else ""
    return Budget(
        max(0, room),
        f"node {node.name} has {_gib(node.allocatable)} for pods, others ask for {_gib(node.others)}, and each of "
        f"{max(node.engines, 1)} engines for {_gib(engine_memory)}{weights}",
    )


def slept_bytes(spec: PoolSpec, variant: Variant, parameters: int | None) -> int:
    """Bytes of weights that a sleeper keeps in host memory (level 1), all ranks together, beyond what its engine asks
    for anyway: that has room for them where the declaration was checked with the model's shape known."""
    if spec.autoscaling.idle != "standby" or parameters is None:
        return 0
    return max(0, 2 * parameters - variant.resources.memory)


def host_faults(spec: PoolSpec, nodes: Mapping[str, Sequence[NodeMemory]], parameters: int | None) -> list[str]:
    """Sentences about variants whose nodes (by variant) have no room for the host tier that is declared for good."""
    found: list[str] = []
    declared = sum(int(tier.bytes or 0) for tier in spec.offload.tiers if tier.kind == "host")
    if spec.offload.mode != "fixed" or not declared:
        return found
    for variant in spec.variants:
        budget = host_budget(
            declared=declared,
            nodes=nodes.get(variant.name, ()),
            engine_memory=variant.resources.memory,
            slept=slept_bytes(spec, variant, parameters),
        )
        if budget.bytes < declared:
            found.append(
                f"variant {variant.name} has no room for its host tier of {_gib(declared)}: {budget.why}. Its pods "
                f"will wait for a larger node: lower the tier's bytes to {_gib(budget.bytes)}, or set offload.mode to "
                "auto, which stays within it"
            )
    return found


def _room(node: NodeMemory, engine_memory: int, slept: int) -> int:
    engines = max(node.engines, 1)
    return int((node.allocatable * (1 - _RESERVED) - node.others) / engines) - engine_memory - slept


def _memory(pod_spec: Mapping[str, Any]) -> int:
    def of(container: Mapping[str, Any]) -> int:
        asked = container.get("resources") or {}
        return whole((asked.get("requests") or {}).get("memory") or (asked.get("limits") or {}).get("memory"))

    running = sum(of(c) for c in pod_spec.get("containers") or [])
    return max(running, max((of(c) for c in pod_spec.get("initContainers") or []), default=0))


def _gib(size: int) -> str:
    return f"{size / _GIB:.3g} GiB"
