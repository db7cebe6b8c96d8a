"""`spec.offload` of a Pool: which tiers may hold KV blocks, how large, and who decides."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from apps.core.domain.documents import Name, Spec
from apps.core.domain.units import ByteSize, Duration, MoneyRate

TierKind = Literal["host", "filesystem", "object", "peer"]


_ONLY_OF = (
    ("claim", "filesystem"),
    ("size", "filesystem"),
    ("storage_class", "filesystem"),
    ("bucket", "object"),
    ("endpoint", "object"),
    ("secret", "object"),
)


class DeclaredTier(Spec):
    """One tier. `bytes`: the most that it may take (mode fixed: what it takes), of host memory per replica, of the
    others for the whole pool. `claim`: a ReadWriteMany PersistentVolumeClaim of the namespace; with a `size` (and
    `storage_class`) Lamplight makes it, and it goes with the pool; without one it is somebody's and stays. `ttl`:
    blocks that nobody asked for go. `gib_price`: what a GiB costs per hour; without one it is paid for already."""

    kind: TierKind
    bytes: ByteSize | None = None
    claim: Name | None = None
    size: ByteSize | None = None
    storage_class: Name | None = None
    ttl: Duration | None = None
    bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,62}$")] | None = None
    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.:/_-]+$", max_length=500)] | None = None
    secret: Name | None = None
    gib_price: MoneyRate | None = None

    @model_validator(mode="after")
    def _whole(self) -> DeclaredTier:
        if self.kind != "peer" and not self.bytes:
            raise ValueError(f"tier {self.kind} has no bytes: say how much it may take, as 128Gi")
        if self.kind == "filesystem" and self.claim is None:
            raise ValueError(
                "tier filesystem has no claim: name a ReadWriteMany PersistentVolumeClaim of the namespace"
            )
        if self.kind == "object" and (self.bucket is None or self.endpoint is None):
            raise ValueError("tier object needs bucket and endpoint")
        for name, of in _ONLY_OF:
            if getattr(self, name) is not None and self.kind != of:
                raise ValueError(f"tier {self.kind} has no {name}: that belongs to a tier {of}")
        if self.storage_class is not None and self.size is None:
            raise ValueError("storageClass is of a claim that Lamplight makes: say its size too, or leave it out")
        if self.size is not None and (self.bytes or 0) > self.size:
            raise ValueError(
                "tier filesystem may take more bytes than the size of its claim: lower bytes, or raise size"
            )
        if self.ttl is not None and (self.kind in ("host", "peer") or self.ttl < timedelta(seconds=10)):
            raise ValueError("ttl is of filesystem and object tiers, and at least 10s")
        return self


class Offload(Spec):
    """Tiers below the accelerator's memory for KV blocks, and who decides on them.

    `auto`: Lamplight, one replica first. `advisory`: it decides, explains and stores, and changes nothing. `fixed`: the
    tiers as declared. `off`: none. `min_prefix_tokens`: what is shorter is computed, not loaded (mode fixed; otherwise
    decided). `prompt_only`: blocks of generated tokens stay out of the tiers.
    """

    mode: Literal["off", "auto", "advisory", "fixed"] = "off"
    tiers: Annotated[tuple[DeclaredTier, ...], Field(max_length=4)] = ()
    min_prefix_tokens: Annotated[int, Field(ge=0, le=1_048_576)] = 256
    prompt_only: bool = True
    connector: Literal["native", "lmcache"] = "native"

    @model_validator(mode="after")
    def _has_tiers(self) -> Offload:
        kinds = [tier.kind for tier in self.tiers]
        twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
        if twice:
            raise ValueError(f"two tiers are {twice[0]}: a pool has one of each kind")
        if self.mode != "off" and not self.tiers:
            raise ValueError(f"mode {self.mode} needs tiers: name what may be used, as {{kind: host, bytes: 128Gi}}")
        return self

    def tier(self, kind: str) -> DeclaredTier | None:
        return next((tier for tier in self.tiers if tier.kind == kind), None)
