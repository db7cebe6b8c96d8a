"""What an option is: when it is on, what it adds, what must hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from apps.pools.domain.context import Context
from apps.pools.domain.invariants import Invariant
from apps.pools.domain.manifests import Manifest
from apps.pools.domain.parts import NOTHING, EngineParts
from apps.pools.domain.scheduling import Scheduling
from apps.pools.domain.spec import PoolSpec, Variant


def _no_parts(context: Context, variant: Variant) -> EngineParts:
    return NOTHING


def _as_it_is(context: Context, scheduling: Scheduling) -> Scheduling:
    return scheduling


def _no_objects(context: Context) -> tuple[Manifest, ...]:
    return ()


@dataclass(frozen=True)
class Option:
    """One option. `on`: whether a pool's declaration asks for it. `about`: a sentence for the docs."""

    name: str
    title: str
    about: str
    on: Callable[[PoolSpec], bool]
    invariants: tuple[Invariant, ...] = ()
    parts: Callable[[Context, Variant], EngineParts] = _no_parts
    scheduling: Callable[[Context, Scheduling], Scheduling] = _as_it_is
    objects: Callable[[Context], tuple[Manifest, ...]] = _no_objects
