"""From totals to what happened between two scrapes: the one place that knows of restarts and of pods that come and go.

- The first reading of a pod is a baseline: its totals are older than our watching and count as nothing.
- A process that restarted (a later start time, or any total that shrank) counts from zero.
- A series missing from one page is not a restart: the last total is carried on.
- A pod that vanished takes its unread rest with it; nothing is ever negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from apps.telemetry.domain.engine import EngineReading
from apps.telemetry.domain.histogram import Histogram

__all__ = ["MAX_GAP", "Delta", "carry", "delta"]

# Seconds without a scrape after which what happened in between belongs to no window of interest: start anew.
MAX_GAP = 900.0
# Start times are floats that a page prints in different precision from one scrape to the next.
_SAME_START = 1.0


@dataclass(frozen=True, slots=True)
class Delta:
    """What one engine did in the `seconds` before its scrape: counts of requests, tokens, observations."""

    seconds: float
    counts: Mapping[str, float] = field(default_factory=dict)
    histograms: Mapping[str, Histogram] = field(default_factory=dict)


def delta(before: EngineReading | None, now: EngineReading, seconds: float) -> Delta | None:
    """Counts between two readings that lie `seconds` apart; None for a baseline (no, or too old, a reading before)."""
    if before is None or not 0 < seconds <= MAX_GAP:
        return None
    if restarted(before, now):
        before = EngineReading()
    counts = {name: total - before.counters.get(name, 0.0) for name, total in now.counters.items()}
    histograms = {
        family: Histogram.from_cumulative(_between(before.cumulative.get(family, {}), edges))
        for family, edges in now.cumulative.items()
    }
    return Delta(seconds, counts, histograms)


def restarted(before: EngineReading, now: EngineReading) -> bool:
    """Whether `now` was counted by a younger process than `before`."""
    if before.started is not None and now.started is not None and now.started > before.started + _SAME_START:
        return True
    if any(total < before.counters.get(name, 0.0) for name, total in now.counters.items()):
        return True
    return any(
        count < before.cumulative.get(family, {}).get(edge, 0.0)
        for family, edges in now.cumulative.items()
        for edge, count in edges.items()
    )


def carry(before: EngineReading | None, now: EngineReading) -> EngineReading:
    """The reading that the next one is compared with: `now`, and what its page left out of a process that goes on."""
    if before is None or restarted(before, now):
        return now
    return EngineReading(
        counters={**before.counters, **now.counters},
        cumulative={**before.cumulative, **now.cumulative},
        started=now.started if now.started is not None else before.started,
    )


def _between(before: Mapping[float, float], now: Mapping[float, float]) -> dict[float, float]:
    """Difference of two cumulative counts on the same edges; another grid without a restart cannot be compared."""
    if before and set(before) != set(now):
        return {}
    return {edge: count - before.get(edge, 0.0) for edge, count in now.items()}
