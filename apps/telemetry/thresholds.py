"""Lines across charts. What they are is known below this room (SLOs), which registers itself here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from apps.telemetry.domain.charts import Threshold

__all__ = ["ThresholdProvider", "register_thresholds", "thresholds_of"]

# (team, pool name, family: ttft | itl | tpot | e2e) -> lines, in seconds
ThresholdProvider: TypeAlias = Callable[[str, str, str], Iterable[Threshold]]

_providers: list[ThresholdProvider] = []


def register_thresholds(provider: ThresholdProvider) -> None:
    """Called once at start-up (AppConfig.ready) by the room that knows objectives."""
    if provider not in _providers:
        _providers.append(provider)


def thresholds_of(team: str, pool: str, family: str) -> list[Threshold]:
    """All lines for one latency family of a pool, lowest first."""
    found = [line for provider in _providers for line in provider(team, pool, family)]
    return sorted(found, key=lambda line: line.value)
