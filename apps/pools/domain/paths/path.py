"""What a well-lit path is: how requests are scheduled, what its engines and picker need, what must hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from apps.pools.domain.context import Context
from apps.pools.domain.engines import ENGINE_PORT, engine_deployment
from apps.pools.domain.invariants import Invariant, Question
from apps.pools.domain.manifests import Manifest
from apps.pools.domain.parts import NOTHING, EngineParts
from apps.pools.domain.picker import PickerParts
from apps.pools.domain.scheduling import Plugin, Scheduling, Step
from apps.pools.domain.spec import Variant

# the index of an approximate picker follows prompts so far (tokens): the current guide's value
LONGEST_MATCH = 131072


def no_parts(context: Context, variant: Variant) -> EngineParts:
    return NOTHING


def plain_picker(context: Context) -> PickerParts:
    return PickerParts()


def no_objects(context: Context) -> tuple[Manifest, ...]:
    return ()


def one_port(context: Context) -> tuple[int, ...]:
    return (ENGINE_PORT,)


def deployment(context: Context, variant: Variant, parts: EngineParts) -> Manifest:
    return engine_deployment(context.pool, context.spec, variant, context.model, context.inputs, context.dialect, parts)


@dataclass(frozen=True)
class Path:
    """One well-lit path. `about`: a sentence for the docs. `ports`: of the endpoints of a pod. `workload`: what makes
    the pods of a variant."""

    name: str
    title: str
    about: str
    scheduling: Callable[[Context], Scheduling]
    invariants: tuple[Invariant, ...]
    parts: Callable[[Context, Variant], EngineParts] = no_parts
    picker: Callable[[Context], PickerParts] = plain_picker
    objects: Callable[[Context], tuple[Manifest, ...]] = no_objects
    ports: Callable[[Context], tuple[int, ...]] = one_port
    workload: Callable[[Context, Variant, EngineParts], Manifest] = deployment


def load_and_prefix(context: Context) -> Scheduling:
    """Queue, KV-cache usage and prefix affinity, by the pool's weights; the prefix index is approximate."""
    weights = context.spec.routing.weights
    scorers: tuple[Step, ...] = (
        ("queue-scorer", weights.queue),
        ("kv-cache-utilization-scorer", weights.kv_cache_utilization),
        ("prefix-cache-scorer", weights.prefix_cache),
    )
    names = (*context.dialect.picker_plugins, *(name for name, _ in scorers), "max-score-picker")
    steps: tuple[Step, ...] = (*scorers, ("max-score-picker", None))
    return Scheduling(tuple(Plugin(name) for name in names), {"default": steps})


# --- invariants that several paths share ---------------------------------------------------------------------------
def _roles(q: Question) -> str | None:
    for variant in q.spec.variants:
        if variant.role != "both":
            return (
                f"variant {variant.name} has role {variant.role}, but every replica of {q.spec.path} does prefill and "
                "decode: set role to both"
            )
    return None


def _groups(q: Question) -> str | None:
    for variant in q.spec.variants:
        if variant.group_size != 1:
            return (
                f"variant {variant.name} has groupSize {variant.group_size}, but a replica of {q.spec.path} is one "
                "pod: set groupSize to 1"
            )
    return None


def _picker(q: Question) -> str | None:
    if not q.spec.routing.picker:
        return f"path {q.spec.path} is the endpoint picker's work: set routing.picker to true"
    if q.inputs is not None and q.dialect is not None:
        group = q.dialect.inference_pool_api_version.partition("/")[0]
        if not q.inputs.has("InferencePool", group):
            return (
                f"path {q.spec.path} needs the kind InferencePool, which this cluster does not have: install the "
                "inference extension of the Gateway API there"
            )
    return None


BOTH_ROLES = Invariant("RoleNotInPath", "Every replica does prefill and decode.", _roles)
ONE_POD = Invariant("GroupNotInPath", "A replica is one pod.", _groups)
NEEDS_PICKER = Invariant(
    "PickerMissing",
    "There is an endpoint picker, and the cluster knows InferencePool.",
    _picker,
    "/spec/routing/picker",
)
