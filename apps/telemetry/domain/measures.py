"""What is read from a window of signals: each measure takes one merged row and answers with a Sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from apps.telemetry.domain.samples import Known, NoTraffic, Sample, Unknown
from apps.telemetry.domain.signals import Signals

__all__ = ["Measure", "count", "gauge", "hit_rate", "quantile", "rate", "replicas"]

Measure: TypeAlias = Callable[[Signals], Sample]


def _unknown(row: Signals) -> Unknown:
    return Unknown(row.reason or "No engine has been scraped twice in this window.")


def rate(name: str) -> Measure:
    """Counts per second of the counter `name` (apps.telemetry.domain.engine.COUNTERS)."""

    def measure(row: Signals) -> Sample:
        return Known(row.rates[name]) if name in row.rates else _unknown(row)

    return measure


def quantile(family: str, q: float) -> Measure:
    """The q-quantile (0..1] of a latency family, in seconds; nothing observed is no traffic."""

    def measure(row: Signals) -> Sample:
        histogram = row.histograms.get(family)
        value = histogram.quantile(q) if histogram is not None else None
        if value is not None:
            return Known(value)
        return NoTraffic() if row.rates else _unknown(row)

    return measure


def hit_rate(row: Signals) -> Sample:
    """Share of prompt tokens, 0..1, that came from a cache (any tier) within the window, never over a lifetime."""
    if "prompt_tokens" not in row.counts or "cached_tokens" not in row.counts:
        return _unknown(row)
    prompt = row.counts["prompt_tokens"]
    return Known(min(1.0, row.counts["cached_tokens"] / prompt)) if prompt > 0 else NoTraffic()


def gauge(name: str) -> Measure:
    """Mean over the window of a gauge (running, waiting, kv_mean; kv_max: the maximum)."""

    def measure(row: Signals) -> Sample:
        return Known(row.gauges[name]) if name in row.gauges else _unknown(row)

    return measure


def replicas(state: str) -> Measure:
    """Replicas in a state (desired, ready, starting, …) at the end of the window."""

    def measure(row: Signals) -> Sample:
        return Known(float(row.replicas[state])) if state in row.replicas else Unknown("No replicas have been counted.")

    return measure


def count(name: str) -> Measure:
    """How many in the window, not per second."""

    def measure(row: Signals) -> Sample:
        return Known(row.counts[name]) if name in row.counts else _unknown(row)

    return measure
