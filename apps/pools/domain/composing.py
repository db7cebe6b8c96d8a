"""Putting a pool together: its path, its options and its tiers, in the order in which objects are applied."""

from __future__ import annotations

from collections.abc import Iterator

from apps.pools.domain.context import Context
from apps.pools.domain.engines import device_claims, engine_disruption_budget, engines_service
from apps.pools.domain.invariants import EVERY_POOL, Invariant, Question, insist
from apps.pools.domain.manifests import Manifest, PlanRefused
from apps.pools.domain.options import OPTIONS
from apps.pools.domain.options.option import Option
from apps.pools.domain.parts import EngineParts, together
from apps.pools.domain.paths.holding import holding
from apps.pools.domain.paths.path import Path
from apps.pools.domain.picker import inference_pool, picker_objects
from apps.pools.domain.routes import GATEWAY_GROUP, front_service, http_route, pod_monitor
from apps.pools.domain.scheduling import config_text
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.tiers import rendering as tiers

RBAC_GROUP = "rbac.authorization.k8s.io"


def options_of(spec: PoolSpec) -> tuple[Option, ...]:
    """The options that a pool's declaration asks for. Asked several times a rendering, of specs that never change."""
    held = _options_of.get(id(spec))
    if held is None or held[0] is not spec:
        if len(_options_of) >= _MOST_SPECS:
            _options_of.clear()
        held = _options_of[id(spec)] = (spec, tuple(option for option in OPTIONS if option.on(spec)))
    return held[1]


# by identity, since a spec's own hash goes through all of it; the spec is kept, so that nothing else has its place
_options_of: dict[int, tuple[PoolSpec, tuple[Option, ...]]] = {}
_MOST_SPECS = 1024


def invariants_of(path: Path, spec: PoolSpec) -> tuple[Invariant, ...]:
    """All that must hold of a pool on a path, the path's own first."""
    own = (invariant for option in options_of(spec) for invariant in option.invariants)
    return (*path.invariants, *EVERY_POOL, *own)


def compose(context: Context, path: Path) -> Iterator[Manifest]:
    """The objects of a pool on a path. Raises PlanRefused on a broken invariant."""
    spec, pool, inputs, dialect = context.spec, context.pool, context.inputs, context.dialect
    insist(invariants_of(path, spec), Question(spec, context.model, inputs, dialect))
    yield engines_service(pool, spec, dialect)
    yield from tiers.objects(context)
    for option in options_of(spec):
        yield from option.objects(context)
    for variant in spec.variants:
        parts = engine_parts(context, path, variant.name)
        manifest = path.workload(context, variant, parts)
        accelerator = inputs.accelerators[variant.accelerator]
        if variant.devices == "claim":
            yield device_claims(pool, spec, variant, accelerator)
        yield manifest
        yield engine_disruption_budget(pool, spec, variant, accelerator)
    if context.picks:
        yield inference_pool(pool, dialect, path.ports(context))
        config = config_text(picker_document(context, path), dialect)
        rbac = inputs.has("Role", RBAC_GROUP)
        yield from picker_objects(pool, dialect, config, path.picker(context), rbac=rbac)
        yield from path.objects(context)
    yield front_service(pool, dialect, picker=context.picks)
    if spec.routing.gateway is not None:
        if not inputs.has("HTTPRoute", GATEWAY_GROUP) or not context.picks:
            raise PlanRefused(
                "GatewayNotAvailable",
                "routing.gateway needs the HTTPRoute and InferencePool kinds, which this cluster does not have: "
                "install the Gateway API and its inference extension there, or leave routing.gateway out",
            )
        yield http_route(pool, spec.routing.gateway)
    if inputs.has("PodMonitor", "monitoring.coreos.com"):
        yield pod_monitor(pool, dialect, len(path.ports(context)))


def engine_parts(context: Context, path: Path, name: str) -> EngineParts:
    """All that is added to the engines of a variant: by the path, then its options, then the tiers."""
    variant = context.spec.variant(name)
    assert variant is not None
    parts = together(
        [
            path.parts(context, variant),
            *(option.parts(context, variant) for option in options_of(context.spec)),
            EngineParts(kv_events=context.inputs.tiers.events),
        ]
    )
    return parts + tiers.engine_parts(context, variant, parts.args)


def picker_document(context: Context, path: Path) -> dict[str, object]:
    """The EndpointPickerConfig of a pool: its own where it has one, else the path's with what options add."""
    if context.spec.routing.scheduler is not None:
        return context.spec.routing.scheduler
    scheduling = holding(path.scheduling(context), context)
    for option in options_of(context.spec):
        scheduling = option.scheduling(context, scheduling)
    return scheduling.document(context.dialect)
