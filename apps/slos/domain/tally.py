"""Counting good and bad: how one row of signals counts for one promise, and sums of such counts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from apps.slos.domain.slo import Metric, Source
from apps.telemetry.domain.classes import of_class
from apps.telemetry.domain.failures import failures
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.signals import Signals

__all__ = ["Promise", "Tally", "count"]


@dataclass(frozen=True, slots=True)
class Promise:
    """What is counted: a metric at the gateway or the engines, good within `threshold` seconds (None for errors).

    `traffic`: the key of a class of requests (apps.telemetry.domain.classes); empty for all of them.
    """

    source: Source
    metric: Metric
    threshold: float | None
    traffic: str = ""


@dataclass(frozen=True, slots=True)
class Tally:
    """Events (requests or tokens) of a span of time: `good` for certain, `good_most` at most, of `total`.

    The two differ where a threshold lies inside of a bucket. `known`: seconds that were measured; `idle`: those of them
    in which nothing was asked. What is neither is unknown time: it counts neither for nor against a promise.
    """

    total: float = 0.0
    good: float = 0.0
    good_most: float = 0.0
    known: float = 0.0
    idle: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.total + other.total,
            self.good + other.good,
            self.good_most + other.good_most,
            self.known + other.known,
            self.idle + other.idle,
        )

    def __sub__(self, other: Tally) -> Tally:
        """Counts of cumulative tallies; rounding never makes one negative."""
        return Tally(
            max(0.0, self.total - other.total),
            max(0.0, self.good - other.good),
            max(0.0, self.good_most - other.good_most),
            max(0.0, self.known - other.known),
            max(0.0, self.idle - other.idle),
        )


def count(row: Signals, promise: Promise) -> Tally:
    """How a row of a pool counts. Shed, failed and timed out requests are never good.

    At the gateway they are in no latency histogram, so they are added to it. vLLM observes the latency of requests
    that ended in an error too (`vllm/v1/metrics/loggers.py`), and does not say on which side of the threshold they
    were: they are taken from the good ones, for certain (`good`) or as far as they must be (`good_most`). Requests
    that the client gave up count neither way. A token has no error: itl counts tokens only.
    """
    if promise.traffic:
        row = _of_class(row, promise.traffic)
    total, good, most = _events(row, promise)
    known = row.seconds * (_gateway_share(row) if promise.source == "gateway" else _engine_share(row))
    return Tally(total, good, max(good, most), known, known if total == 0 else 0.0)


def _of_class(row: Signals, key: str) -> Signals:
    """The row as if its gateway had seen one class of requests only; nothing of it is known before it was counted."""
    counts = of_class(row.counts, key)
    e2e = row.histograms.get(f"gateway.e2e@{key}", Histogram())
    sources = row.sources if "gateway.requests" in counts else {}
    return replace(row, counts=counts, histograms={"gateway.e2e": e2e}, sources=sources)


def _events(row: Signals, promise: Promise) -> tuple[float, float, float]:
    counts = row.counts
    if promise.source == "gateway":
        failed = failures(counts)
        if promise.metric == "errors":
            whole = row.histograms.get("gateway.e2e", Histogram()).total
            return whole + failed, whole, whole
        within, within_most, observed = _within(row.histograms.get(f"gateway.{promise.metric}", Histogram()), promise)
        lost = 0.0 if promise.metric == "itl" else failed
        return observed + lost, within, within_most
    errors, shed = counts.get("errors", 0.0), counts.get("rejections", 0.0)
    if promise.metric == "errors":
        ended = max(counts.get("requests", 0.0) - counts.get("aborts", 0.0), errors)
        return ended + shed, ended - errors, ended - errors
    within, within_most, observed = _within(row.histograms.get(promise.metric, Histogram()), promise)
    if promise.metric == "itl":
        return observed, within, within_most
    # an error before the first token is in no histogram: it is an event all the same
    total = max(observed, errors) + shed
    return total, max(0.0, within - errors), min(within_most, total - shed - errors)


def _within(histogram: Histogram, promise: Promise) -> tuple[float, float, float]:
    """Observations within the threshold: for certain, at most; and all of them."""
    assert promise.threshold is not None
    # counts, not shares of the total: on the grid they are whole numbers
    low = sum(count for (_, high), count in histogram.counts.items() if high <= promise.threshold)
    most = low + sum(count for (lower, high), count in histogram.counts.items() if lower < promise.threshold < high)
    return low, most, histogram.total


def _engine_share(row: Signals) -> float:
    if row.targets:
        return min(1.0, row.scraped / row.targets)
    # nothing is meant to run: nothing is missed
    return 1.0 if row.replicas.get("desired") == 0 else 0.0


def _gateway_share(row: Signals) -> float:
    pickers = row.sources.get("gateway") or {}
    targets = pickers.get("targets") or 0
    return min(1.0, (pickers.get("scraped") or 0) / targets) if targets else 0.0
