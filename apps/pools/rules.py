"""Rules of Prometheus about a pool. What they are is known below this room (SLOs), which registers itself here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

__all__ = ["RuleProvider", "register_rules", "rules_of"]

# pool -> rule groups as a PrometheusRule has them
RuleProvider: TypeAlias = Callable[[Any], Iterable[Mapping[str, Any]]]

_providers: list[RuleProvider] = []


def register_rules(provider: RuleProvider) -> None:
    """Called once at start-up (AppConfig.ready). Whoever's rules of a pool change enqueues the pool."""
    if provider not in _providers:
        _providers.append(provider)


def rules_of(pool: Any) -> tuple[Mapping[str, Any], ...]:
    """All rule groups about a pool, in a fixed order."""
    return tuple(group for provider in _providers for group in provider(pool))
