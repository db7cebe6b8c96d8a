"""The well-lit paths: one file each, and one line here."""

from __future__ import annotations

from collections.abc import Iterator

from apps.catalog.domain.dialects import Dialect
from apps.pools.domain.composing import compose, invariants_of
from apps.pools.domain.context import Context
from apps.pools.domain.guarded import with_sleep
from apps.pools.domain.handover import handed_over
from apps.pools.domain.invariants import EVERY_POOL, Invariant, Question, broken
from apps.pools.domain.manifests import Inputs, Manifest, ModelFacts, PoolIdentity, stamped
from apps.pools.domain.monitoring import prometheus_rule
from apps.pools.domain.options import OPTIONS
from apps.pools.domain.paths import (
    flow_control,
    optimized_baseline,
    pd_disaggregation,
    precise_prefix_cache,
    predicted_latency,
    scale_to_zero,
    tiered_prefix_cache,
    wide_ep,
)
from apps.pools.domain.paths.path import Path
from apps.pools.domain.selection import insist_selection
from apps.pools.domain.sharing import with_shared_claim
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.tiers.canary import with_canary

PATHS: dict[str, Path] = {
    module.PATH.name: module.PATH
    for module in (
        optimized_baseline,
        precise_prefix_cache,
        pd_disaggregation,
        wide_ep,
        tiered_prefix_cache,
        predicted_latency,
        flow_control,
        scale_to_zero,
    )
}


def render(
    pool: PoolIdentity, spec: PoolSpec, model: ModelFacts, inputs: Inputs, dialect: Dialect
) -> tuple[Manifest, ...]:
    """The Kubernetes objects of a pool, stamped with their hash and generation, in the order of applying.

    Pure. Raises PlanRefused with a sentence when an invariant of the path is broken: then nothing is applied.
    """
    context = Context(pool, spec, model, inputs, dialect)
    whole = with_canary(context, lambda one: tuple(compose(one, PATHS[spec.path])))
    engines = with_shared_claim(with_sleep(whole, pool, spec, inputs), pool, spec, inputs)
    objects = (*engines, *handed_over(pool, spec, inputs))
    insist_selection(objects)
    if inputs.rules and inputs.has("PrometheusRule", "monitoring.coreos.com"):
        objects = (*objects, prometheus_rule(pool, inputs.rules))
    return tuple(stamped(manifest, pool.generation) for manifest in objects)


def every_invariant() -> tuple[Invariant, ...]:
    """All invariants that there are, each name once."""
    found = [i for path in PATHS.values() for i in path.invariants]
    found += [*EVERY_POOL, *(i for option in OPTIONS for i in option.invariants)]
    return tuple({invariant.name: invariant for invariant in found}.values())


def broken_of(question: Question) -> Iterator[tuple[Invariant, str]]:
    """The invariants of a pool's path and options that do not hold, as far as the question lets tell."""
    return broken(invariants_of(PATHS[question.spec.path], question.spec), question)
