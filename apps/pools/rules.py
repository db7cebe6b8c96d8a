"""Rules of Prometheus about a pool. What they are is known below this room (SLOs), which registers itself here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

__all__ = ["RuleProvider", "register_rules", "rules_of"]

# pools -> rule groups as a PrometheusRule has them, by uid of the pool
RuleProvider: TypeAlias = Callable[[Sequence[Any]], Mapping[UUID, Iterable[Mapping[str, Any]]]]

_providers: list[RuleProvider] = []


def register_rules(provider: RuleProvider) -> None:
    """Called once at start-up (AppConfig.ready). Whoever's rules of a pool change enqueues the pool."""
    if provider not in _providers:
        _providers.append(provider)


def rules_of(pools: Sequence[Any]) -> dict[UUID, tuple[Mapping[str, Any], ...]]:
    """All rule groups about each pool, in a fixed order, by its uid."""
    found = [provider(pools) for provider in _providers]
    return {pool.uid: tuple(group for groups in found for group in groups.get(pool.uid, ())) for pool in pools}
