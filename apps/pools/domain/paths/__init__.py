"""The well-lit paths: one file each, and one line here."""

from __future__ import annotations

from collections.abc import Callable

from apps.catalog.domain.dialects import Dialect
from apps.pools.domain.guarded import with_sleep
from apps.pools.domain.manifests import Inputs, Manifest, ModelFacts, PoolIdentity, stamped
from apps.pools.domain.monitoring import prometheus_rule
from apps.pools.domain.paths import optimized_baseline
from apps.pools.domain.spec import PoolSpec

Render = Callable[[PoolIdentity, PoolSpec, ModelFacts, Inputs, Dialect], tuple[Manifest, ...]]

Check = Callable[[PoolSpec], None]

PATHS: dict[str, Render] = {optimized_baseline.NAME: optimized_baseline.render}
CHECKS: dict[str, Check] = {optimized_baseline.NAME: optimized_baseline.check}


def render(
    pool: PoolIdentity, spec: PoolSpec, model: ModelFacts, inputs: Inputs, dialect: Dialect
) -> tuple[Manifest, ...]:
    """The Kubernetes objects of a pool, stamped with their hash and generation, in the order of applying.

    Pure. Raises PlanRefused with a sentence when an invariant of the path is broken: then nothing is applied.
    """
    objects = with_sleep(PATHS[spec.path](pool, spec, model, inputs, dialect), pool, spec, inputs)
    if inputs.rules and inputs.has("PrometheusRule", "monitoring.coreos.com"):
        objects = (*objects, prometheus_rule(pool, inputs.rules))
    return tuple(stamped(manifest, pool.generation) for manifest in objects)
