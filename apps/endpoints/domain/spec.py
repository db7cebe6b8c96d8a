"""The `Endpoint` document: public model names in front of pools, by weight."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from apps.core.domain.documents import Name, Spec
from apps.pools.domain.spec import GatewayRef

Served = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./:-]*$", max_length=200)]
Namespace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
SecretName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$")]
KeyName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$")]


class Backend(Spec):
    """A pool that serves a share of the requests. `weight` 0: it takes none for now. `adapter`: the model name that is
    asked of it, where that is not the pool's own (a LoRA adapter)."""

    pool: Name
    weight: Annotated[int, Field(ge=0, le=1_000_000)] = 1
    adapter: Served | None = None


class PublicModel(Spec):
    """A model name that clients use. `failover`: pools that are asked in turn when no backend has a ready replica."""

    name: Served
    backends: Annotated[tuple[Backend, ...], Field(min_length=1, max_length=16)]
    failover: Annotated[tuple[Name, ...], Field(max_length=16)] = ()

    @model_validator(mode="after")
    def _makes_sense(self) -> PublicModel:
        if not any(backend.weight for backend in self.backends):
            raise ValueError(f"all backends of {self.name} have the weight 0: give one of them a share")
        pairs = [(backend.pool, backend.adapter) for backend in self.backends]
        if len(set(pairs)) < len(pairs):
            raise ValueError(f"two backends of {self.name} are the same: add their weights up")
        both = sorted({backend.pool for backend in self.backends if backend.weight} & set(self.failover))
        if both:
            raise ValueError(f"pool {both[0]} is backend and fail-over of {self.name}: leave it out of failover")
        return self


class Limits(Spec):
    """What one key may use in a minute; left out: no limit. `band`: the priority band of its requests, of those that
    the pools have (routing.flowControl.bands); without one they have priority 0."""

    requests_per_minute: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    tokens_per_minute: Annotated[int, Field(ge=1, le=10_000_000_000)] | None = None
    band: Name | None = None


class Keys(Spec):
    """API keys of consumers. `secret`: a Secret of the namespace with one entry a key: its name, and the SHA-256 of the
    key in hex. `entries`: how an entry says it: hash (left out), or json, as a Gateway's policies read it:
    `{"keyHash": "sha256:<hex>", "metadata": {"name": "<the key's name>"}}`. `limits`: by name of the key; `default` for
    those that are not named."""

    secret: SecretName
    entries: Literal["hash", "json"] | None = None
    limits: Annotated[dict[KeyName, Limits], Field(max_length=500)] = {}


class EndpointSpec(Spec):
    """What `spec` of an Endpoint says. Cluster and namespace, of its own objects, cannot change afterwards. Its pools
    may live elsewhere, unless a Gateway routes: one of another cluster is asked at its Gateway's hostname.

    `gateway`: the Gateway that routes to the pools; left out: a data plane of the endpoint's own.
    """

    cluster: Name
    namespace: Namespace
    models: Annotated[tuple[PublicModel, ...], Field(min_length=1, max_length=64)]
    gateway: GatewayRef | None = None
    keys: Keys | None = None

    @field_validator("models")
    @classmethod
    def _distinct(cls, models: tuple[PublicModel, ...]) -> tuple[PublicModel, ...]:
        names = [model.name for model in models]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two models are named {twice[0]}: give each its own name")
        return models

    @property
    def pools(self) -> tuple[str, ...]:
        """Names of all pools that are referred to, each once."""
        named = [b.pool for model in self.models for b in model.backends]
        named += [pool for model in self.models for pool in model.failover]
        return tuple(dict.fromkeys(named))
