"""What is read from a window of signals: each measure takes one merged row and answers with a Sample."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from apps.telemetry.domain.failures import failures
from apps.telemetry.domain.gateway import PREFIX
from apps.telemetry.domain.samples import Known, NoTraffic, Sample, Unknown
from apps.telemetry.domain.signals import Signals

__all__ = [
    "Measure",
    "cost_per_hour",
    "cost_per_million",
    "count",
    "failed_at_gateway",
    "gauge",
    "hit_rate",
    "mean",
    "quantile",
    "rate",
    "ratio",
    "reads",
    "reads_of",
    "replicas",
]

Measure: TypeAlias = Callable[[Signals], Sample]


def reads(*names: str) -> Callable[[Measure], Measure]:
    """Says what a measure reads of a row, as `column:name`: so that charts fetch that and no more.

    A name that ends with `*` stands for all that begin so.
    """

    def mark(measure: Measure) -> Measure:
        measure.reads = frozenset(names)  # type: ignore[attr-defined]
        return measure

    return mark


def reads_of(measures: Iterable[Measure]) -> frozenset[str] | None:
    """What these measures read; None when one does not say: whole columns."""
    names: set[str] = set()
    for measure in measures:
        known: frozenset[str] | None = getattr(measure, "reads", None)
        if known is None:
            return None
        names |= known
    return frozenset(names)


def _unknown(row: Signals) -> Unknown:
    return Unknown(row.reason or "No engine has been scraped twice in this window.")


def _sign_of_life(name: str) -> str:
    """A count that is there whenever two pages have been compared."""
    return f"counts:{PREFIX}requests" if name.startswith(PREFIX) else "counts:requests"


def rate(name: str) -> Measure:
    """Counts per second of the counter `name` (apps.telemetry.domain.engine.COUNTERS)."""

    @reads(f"counts:{name}", f"rates:{name}")
    def measure(row: Signals) -> Sample:
        return Known(row.rates[name]) if name in row.rates else _unknown(row)

    return measure


def quantile(family: str, q: float) -> Measure:
    """The q-quantile (0..1] of a latency family, in seconds; nothing observed is no traffic."""

    @reads(f"histograms:{family}", f"counts:{family}_sum", _sign_of_life(family))
    def measure(row: Signals) -> Sample:
        histogram = row.histograms.get(family)
        value = histogram.quantile(q) if histogram is not None else None
        if value is not None:
            return Known(value)
        return NoTraffic() if _compared(row, family) else _unknown(row)

    return measure


def _compared(row: Signals, name: str) -> bool:
    """Whether two pages of what this is measured at (engines, or endpoint pickers) have been compared."""
    gateway = name.startswith(PREFIX)
    return any(known.startswith(PREFIX) == gateway for known in row.rates)


def mean(family: str) -> Measure:
    """Mean observation of a family in its unit: sum over count within the window, never of a mean of means."""

    @reads(f"histograms:{family}", f"counts:{family}_sum", _sign_of_life(family))
    def measure(row: Signals) -> Sample:
        histogram = row.histograms.get(family)
        total = histogram.total if histogram is not None else 0.0
        if total and f"{family}_sum" in row.counts:
            return Known(row.counts[f"{family}_sum"] / total)
        return NoTraffic() if not total and _compared(row, family) else _unknown(row)

    return measure


def ratio(part: str, whole: str) -> Measure:
    """Share 0..1 of one counter in another within the window; nothing of the whole is no traffic."""

    @reads(f"counts:{part}", f"counts:{whole}")
    def measure(row: Signals) -> Sample:
        if part not in row.counts or whole not in row.counts:
            return _unknown(row)
        total = row.counts[whole]
        return Known(min(1.0, row.counts[part] / total)) if total > 0 else NoTraffic()

    return measure


@reads("gauges:cost_per_hour:*", "gauges:accelerators", "counts:unpriced_accelerator_seconds")
def cost_per_hour(row: Signals) -> Sample:
    """Money per hour for the accelerators that pods held; a price that nobody knows makes it unknown, never less."""
    known = {name: value for name, value in row.gauges.items() if name.startswith("cost_per_hour:")}
    if row.counts.get("unpriced_accelerator_seconds"):
        return Unknown("An accelerator of this pool has no price: give its cluster one (spec.prices).")
    if len(known) > 1:
        return Unknown(f"Accelerators are priced in several currencies: {', '.join(sorted(known))}.")
    if known:
        return Known(next(iter(known.values())))
    return (
        Known(0.0) if row.gauges.get("accelerators") == 0 else Unknown("The cluster could not be asked for its pods.")
    )


def cost_per_million(*tokens: str) -> Measure:
    """Money for a million of these tokens (counters): what the accelerators cost in the window over what was read or
    made in it. Paying for nothing is no traffic."""

    @reads(*cost_per_hour.reads, *(f"{column}:{name}" for name in tokens for column in ("counts", "rates")))  # type: ignore[attr-defined]
    def measure(row: Signals) -> Sample:
        cost = cost_per_hour(row)
        if not isinstance(cost, Known):
            return cost
        if any(name not in row.rates for name in tokens):
            return _unknown(row)
        rate = sum(row.rates[name] for name in tokens)
        return Known(cost.value / (rate * 3600) * 1e6) if rate > 0 else NoTraffic()

    return measure


@reads("counts:gateway.requests", "counts:gateway.errors", "counts:gateway.error:*")
def failed_at_gateway(row: Signals) -> Sample:
    """Share of requests that were shed, failed or timed out; what was the client's fault is in neither."""
    if "gateway.requests" not in row.counts:
        return Unknown(row.reason or "The endpoint picker has not been read twice in this window.")
    asked = row.counts["gateway.requests"]
    return Known(min(1.0, failures(row.counts) / asked)) if asked > 0 else NoTraffic()


hit_rate = ratio("cached_tokens", "prompt_tokens")
"""Share of prompt tokens, 0..1, that came from a cache (any tier) within the window, never over a lifetime."""


def gauge(name: str) -> Measure:
    """Mean over the window of a gauge (running, waiting, kv_mean; kv_max: the maximum)."""

    @reads(f"gauges:{name}")
    def measure(row: Signals) -> Sample:
        return Known(row.gauges[name]) if name in row.gauges else _unknown(row)

    return measure


def replicas(state: str) -> Measure:
    """Replicas in a state (desired, ready, starting, …) at the end of the window."""

    @reads(f"replicas:{state}")
    def measure(row: Signals) -> Sample:
        return Known(float(row.replicas[state])) if state in row.replicas else Unknown("No replicas have been counted.")

    return measure


def count(name: str) -> Measure:
    """How many in the window, not per second."""

    @reads(f"counts:{name}")
    def measure(row: Signals) -> Sample:
        return Known(row.counts[name]) if name in row.counts else _unknown(row)

    return measure
