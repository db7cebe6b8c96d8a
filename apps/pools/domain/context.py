"""All that rendering and checking a pool may look at."""

from __future__ import annotations

from dataclasses import dataclass

from apps.catalog.domain.dialects import Dialect
from apps.pools.domain.manifests import Inputs, ModelFacts, PoolIdentity
from apps.pools.domain.spec import PoolSpec, Variant


@dataclass(frozen=True)
class Context:
    """One pool about to be rendered."""

    pool: PoolIdentity
    spec: PoolSpec
    model: ModelFacts
    inputs: Inputs
    dialect: Dialect

    @property
    def picks(self) -> bool:
        """Whether there is an endpoint picker: asked for, and the cluster has InferencePool."""
        group = self.dialect.inference_pool_api_version.partition("/")[0]
        return self.spec.routing.picker and self.inputs.has("InferencePool", group)

    def of_role(self, *roles: str) -> tuple[Variant, ...]:
        return tuple(variant for variant in self.spec.variants if variant.role in roles)
