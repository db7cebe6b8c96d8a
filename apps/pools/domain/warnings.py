"""What a reviewer should know before a plan is applied, beyond what it changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from apps.catalog.domain.accelerators import accelerators as catalogue
from apps.catalog.domain.vllm import FLAG_VERSIONS, table_version, version_of_image
from apps.core.domain.units import format_duration
from apps.pools.domain.cost import CostDelta
from apps.pools.domain.options.compute_domain import spans_machines
from apps.pools.domain.paths.holding import nobody_holds
from apps.pools.domain.review import ReviewedObject, Warned
from apps.pools.domain.spec import DEFAULT_IMAGE, PoolSpec


@dataclass(frozen=True)
class Surroundings:
    """What is known of the cluster around a plan. `free`: accelerators by name, absent where nobody has counted.
    `selection`: what is wrong about the pods that its InferencePool would catch. `bounds`: what quotas and queues of
    the namespace, and the memory of nodes, do not leave room for. `provisioning`: seconds in which a new node comes,
    None where none does."""

    free: Mapping[str, int]
    namespace_missing: bool = False
    read_only: bool = False
    selection: str = ""
    bounds: tuple[str, ...] = ()
    provisioning: float | None = None
    # what a pool shares with whom, "" where it shares nothing
    sharing: str = ""
    # why chunks on a volume may be of other weights than the engines have, "" where they cannot
    weights: str = ""
    # of workloads whose engines no longer look where they keep what they downloaded
    fetches: tuple[str, ...] = ()


def warnings_of(
    spec: PoolSpec, objects: Iterable[ReviewedObject], cost: CostDelta, around: Surroundings
) -> tuple[Warned, ...]:
    """Warnings, the gravest first."""
    held = list(objects)
    found: list[Warned] = []
    if around.read_only:
        found.append(Warned("ReadOnlyCluster", "the cluster is declared readOnly: nothing of this will be written"))
    for obj in held:
        if obj.action == "skipped":
            found.append(Warned(obj.reason, f"{obj.title} is left alone: {obj.message}"))
    for name, delta in cost.accelerators.items():
        free = around.free.get(name)
        if free is not None and delta.change > free:
            said = (
                f"{int(delta.change)} more {name} {'is' if delta.change == 1 else 'are'} asked for and {free} "
                f"{'is' if free == 1 else 'are'} free in the cluster: {'the other' if free else 'these'} replicas "
            )
            if around.provisioning is None:
                found.append(Warned("NotEnoughAccelerators", f"{said}will wait"))
            else:
                wait = format_duration(timedelta(seconds=around.provisioning))
                found.append(Warned("WaitsForNodes", f"{said}wait for new nodes, which take about {wait}"))
    found += [Warned("OverBounds", sentence) for sentence in around.bounds]
    found += _rolling(spec, held, around)
    if why := nobody_holds(spec):
        found.append(Warned("NobodyHolds", f"requests that come while no replica is awake are refused: {why}"))
    if around.selection:
        found.append(Warned("SelectorCatches", around.selection))
    for name in cost.unpriced:
        found.append(Warned("PriceUnknown", _unpriced(name)))
    if any(spans_machines(spec, variant) for variant in spec.variants) and not any(
        o.kind == "ComputeDomain" for o in held
    ):
        found.append(
            Warned(
                "NoComputeDomain",
                "pods on several machines share memory over NVLink through an IMEX channel, and the cluster has no "
                "kind ComputeDomain to make one: install NVIDIA's DRA driver there, or see that the machines' own IMEX "
                "service gives pods a channel",
            )
        )
    found += [Warned("EngineUnknown", sentence) for sentence in _unknown_engines(spec)]
    if around.weights:
        found.append(Warned("WeightsMayMove", around.weights))
    found += [Warned("WeightsFetchedAgain", sentence) for sentence in around.fetches]
    if around.sharing:
        found.append(Warned("SharesAccelerators", around.sharing))
    if around.namespace_missing:
        found.append(Warned("NamespaceMissing", f"namespace {spec.namespace} is not there yet: it will be created"))
    return tuple(found)


def _unknown_engines(spec: PoolSpec) -> Iterable[str]:
    """Why the flags of an image that somebody chose are checked against those of another version, one by one."""
    chosen = {spec.engine.image, *(variant.image for variant in spec.variants)} - {None, DEFAULT_IMAGE}
    for image in sorted(filter(None, chosen)):
        version = version_of_image(image)
        if version is None:
            yield (
                f"the tag of {image} does not say which vLLM is in it: flags are checked against vLLM "
                f"{FLAG_VERSIONS[-1]}, and one that it does not have stops its engines when they start"
            )
        elif (table := table_version(version)) != ".".join(version.split(".")[:2]):
            yield (
                f"the flags of vLLM {version} ({image}) are not known here: they are checked against vLLM {table}, and "
                "one that came or went between the two is noticed only when engines start"
            )


def _unpriced(name: str) -> str:
    row = catalogue().get(name)
    why = f" ({row.price_source})" if row is not None and row.price is None else ""
    return (
        f"nobody has given a price for {name}{why}: the cost leaves it out; set it in prices of the Cluster, "
        f"as {name}: 2.50 USD/h"
    )


def _rolling(spec: PoolSpec, objects: list[ReviewedObject], around: Surroundings) -> Iterable[Warned]:
    for obj in objects:
        variant = spec.variant(obj.variant) if obj.variant else None
        if variant is None or obj.action != "changed" or obj.effect == "inPlace" or not obj.restarts:
            continue
        free = around.free.get(variant.accelerator)
        no_room = free is not None and free < variant.parallelism.accelerators
        surge, unavailable = spec.rollout.declared
        if surge is None and unavailable is None:
            surge, unavailable = (0, 1) if no_room else (1, 0)
        surge, unavailable = surge or 0, unavailable or 0
        if obj.effect == "recreate" or unavailable >= obj.restarts:
            yield Warned("NoReplicaLeft", f"while {obj.title} is replaced, no replica of {variant.name} serves")
            continue
        needed = surge * variant.parallelism.accelerators
        if unavailable == 0 and no_room:
            yield Warned(
                "NoRoomToSurge",
                f"rolling {obj.title} starts up to {surge} replicas beside the present ones, which "
                f"needs {needed} more {variant.accelerator}; {free} are free",
            )
