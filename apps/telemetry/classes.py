"""Traffic classes that are counted on their own. Who asks for them (SLOs) is below this room, and registers itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from apps.telemetry.domain.classes import TrafficClass

__all__ = ["MAX_CLASSES", "ClassProvider", "classes_of", "register_classes"]

# of one pool: each costs some sixty names in every row
MAX_CLASSES = 20
PoolName: TypeAlias = tuple[str, str]
# pools as (team, name) -> classes of those that have any
ClassProvider: TypeAlias = Callable[[Iterable[PoolName]], Mapping[PoolName, Sequence[TrafficClass]]]

_providers: list[ClassProvider] = []


def register_classes(provider: ClassProvider) -> None:
    """Called once at start-up (AppConfig.ready) by the room that knows them."""
    if provider not in _providers:
        _providers.append(provider)


def classes_of(pools: Iterable[PoolName]) -> dict[PoolName, tuple[TrafficClass, ...]]:
    """The classes of each pool that has any, in a fixed order."""
    wanted = list(pools)
    found: dict[PoolName, set[TrafficClass]] = {}
    for provider in _providers:
        for pool, classes in provider(wanted).items():
            found.setdefault(pool, set()).update(classes)
    return {pool: tuple(sorted(several, key=lambda one: one.key)[:MAX_CLASSES]) for pool, several in found.items()}
