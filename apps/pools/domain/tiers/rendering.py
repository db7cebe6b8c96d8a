"""What a tier plan adds to engines and to a pool's objects."""

from __future__ import annotations

from apps.pools.domain.context import Context
from apps.pools.domain.manifests import Inputs, Manifest
from apps.pools.domain.parts import NOTHING, EngineParts
from apps.pools.domain.spec import Variant


def engine_parts(context: Context, variant: Variant) -> EngineParts:
    """Connector, memory and mounts of the tiers that every engine of a variant has."""
    return NOTHING


def objects(context: Context) -> tuple[Manifest, ...]:
    """Objects of the tiers beside the engines."""
    return ()


def host_bytes(inputs: Inputs) -> int:
    """Bytes of the host tier of one engine; 0 without one."""
    tier = inputs.tiers.everywhere.tier("host")
    return tier.bytes if tier is not None else 0
