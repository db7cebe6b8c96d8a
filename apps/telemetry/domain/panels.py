"""The charts of a pool: what each shows, how rows of signals become its points. A new chart is one entry in PANELS."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

from apps.telemetry.domain import measures, queries
from apps.telemetry.domain.failures import failures
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.measures import Measure
from apps.telemetry.domain.samples import Known, NoTraffic, Sample, Unknown, value_of
from apps.telemetry.domain.signals import Signals, merge

__all__ = ["MAX_POINTS", "PANELS", "Chart", "Line", "Panel", "Threshold", "choose_step", "draw"]

MAX_POINTS = 1000
# Quantiles and ratios of ten seconds are noise: each point looks back over at least this long (seconds).
MIN_WINDOW = 60.0
_NICE_STEPS = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)

_MONEY = "money"
_PRICED = "cost_per_hour:"

Kind = Literal["line", "stacked", "heatmap"]
State = Literal["ok", "no_traffic", "no_data", "stale"]


@dataclass(frozen=True, slots=True)
class Line:
    """`promql`: the same as a query, "" where Prometheus has no such series."""

    key: str
    label: str
    measure: Measure
    promql: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """`unit`: s | 1 (share 0..1) | requests | tokens/s | requests/s | replicas | B/s | accelerators | money/h |
    money/Mtok; a drawn chart has the currency in the place of `money`.

    `columns`: what it reads of a row. A heatmap has no series but counts by bucket.
    """

    name: str
    title: str
    unit: str
    kind: Kind
    lines: tuple[Line, ...]
    columns: frozenset[str]
    family: str | None = None
    min_window: float = 0.0

    def window(self, step: float, interval: float) -> float:
        """Seconds that each point looks back over. Two scrapes at least: their times drift against the points'."""
        return max(step, 2 * interval, self.min_window)


@dataclass(frozen=True, slots=True)
class Threshold:
    """A line across the chart, in the panel's unit."""

    label: str
    value: float


@dataclass(frozen=True, slots=True)
class Heat:
    """Observations by bucket over time. `buckets`: (low, high), rising; `columns`: (time, a count for each bucket)."""

    buckets: tuple[tuple[float, float], ...]
    columns: tuple[tuple[float, tuple[float, ...]], ...]

    def to_json(self) -> dict[str, Any]:
        """`{"buckets": [[low, high | null], …], "columns": [[time, [count, …]], …]}`; an open bucket ends with null."""
        return {
            "buckets": [
                [low if isfinite(low) else None, high if isfinite(high) else None] for low, high in self.buckets
            ],
            "columns": [[time, list(counts)] for time, counts in self.columns],
        }


@dataclass(frozen=True, slots=True)
class Chart:
    panel: Panel
    state: State
    reason: str
    step: float
    window: float
    last_sample_at: float | None
    series: tuple[tuple[Line, tuple[tuple[float, float | None], ...]], ...]
    thresholds: tuple[Threshold, ...] = field(default=())
    heat: Heat | None = None
    currency: str = ""

    @property
    def unit(self) -> str:
        """The panel's, with the currency of the prices where they are known."""
        return self.panel.unit.replace(_MONEY, self.currency) if self.currency else self.panel.unit

    def to_json(self) -> dict[str, Any]:
        return {
            **({"heatmap": self.heat.to_json()} if self.heat is not None else {}),
            **catalogue_entry(self.panel),
            "unit": self.unit,
            "state": self.state,
            "reason": self.reason,
            "step": self.step,
            "window": self.window,
            "lastSampleAt": self.last_sample_at,
            "series": [
                {"key": line.key, "label": line.label, "points": _short(points)} for line, points in self.series
            ],
            "thresholds": [{"label": t.label, "value": t.value} for t in self.thresholds],
        }


def _short(points: Iterable[tuple[float, float | None]]) -> list[tuple[float, float | None]]:
    """Values to six significant digits: more than a chart can show, at half the bytes."""
    return [(time, None if value is None else float(f"{value:.6g}")) for time, value in points]


def catalogue_entry(panel: Panel) -> dict[str, Any]:
    return {"name": panel.name, "title": panel.title, "unit": panel.unit, "kind": panel.kind}


def _of(key: str, label: str, kind: str, *names: str) -> Line:
    """A line whose measure and PromQL are made from the same names: `kind` is a function of both modules."""
    return Line(key, label, getattr(measures, kind)(*names), getattr(queries, kind)(*names))


def _quantiles(name: str, title: str, family: str) -> Panel:
    return Panel(
        name=name,
        title=title,
        unit="s",
        kind="line",
        lines=tuple(
            Line(f"p{p}", f"p{p}", measures.quantile(family, p / 100), queries.quantile(family, p / 100))
            for p in (50, 95, 99)
        ),
        columns=frozenset({"histograms", "rates", "counts"}),
        family=family,
        min_window=MIN_WINDOW,
    )


def _heatmap(name: str, title: str, family: str) -> Panel:
    return Panel(
        name=name,
        title=title,
        unit="s",
        kind="heatmap",
        lines=(Line("buckets", "observations", measures.quantile(family, 0.5), queries.bucket_rate(family)),),
        columns=frozenset({"histograms", "rates", "counts"}),
        family=family,
    )


def _panel(
    name: str,
    title: str,
    unit: str,
    *lines: Line,
    columns: str = "rates",
    kind: Kind = "line",
    min_window: float = 0.0,
) -> Panel:
    return Panel(name, title, unit, kind, lines, frozenset(columns.split()), None, min_window)


def _failed_at_gateway(row: Signals) -> Sample:
    """Share of requests that were shed, failed or timed out; what was the client's fault is in neither."""
    if "gateway.requests" not in row.counts:
        return Unknown(row.reason or "The endpoint picker has not been read twice in this window.")
    asked = row.counts["gateway.requests"]
    return Known(min(1.0, failures(row.counts) / asked)) if asked > 0 else NoTraffic()


_SOURCE_LABELS = {
    "computed": "computed",
    "device": "device cache",
    "host": "host memory",
    "disk": "disk",
    "p2p": "other replica",
    "external": "other external",
}
_TIERS = ("device", "host", "disk", "p2p", "external")
_FINISHED_LABELS = {"stop": "stop", "length": "length", "abort": "given up by the client", "error": "failed"}
_WIDE = "counts rates"

PANELS: dict[str, Panel] = {
    panel.name: panel
    for panel in (
        _quantiles("ttft", "Time to first token", "ttft"),
        _quantiles("itl", "Inter-token latency", "itl"),
        _quantiles("tpot", "Time per output token, by request", "tpot"),
        _quantiles("e2e", "Request latency, end to end", "e2e"),
        _quantiles("gateway_ttft", "Time to first token, at the gateway", "gateway.ttft"),
        _quantiles("gateway_itl", "Inter-token latency, at the gateway", "gateway.itl"),
        _quantiles("gateway_e2e", "Request latency, at the gateway", "gateway.e2e"),
        _quantiles("gateway_hold", "Time held at the gateway", "gateway.hold"),
        _heatmap("ttft_heatmap", "Time to first token, distribution", "ttft"),
        _heatmap("itl_heatmap", "Inter-token latency, distribution", "itl"),
        _heatmap("e2e_heatmap", "Request latency, distribution", "e2e"),
        _panel(
            "breakdown",
            "Where the time goes, mean of a request",
            "s",
            *(
                _of(key, label, "mean", key)
                for key, label in (("queue", "waiting"), ("prefill", "prefill"), ("decode", "decode"))
            ),
            columns="histograms counts rates",
            kind="stacked",
            min_window=MIN_WINDOW,
        ),
        _panel(
            "prompt_tokens_by_source",
            "Prompt tokens by source",
            "tokens/s",
            *(_of(key, label, "rate", f"source_{key}") for key, label in _SOURCE_LABELS.items()),
            kind="stacked",
        ),
        _panel(
            "hit_rate",
            "Prefix cache hit rate",
            "1",
            _of("hit_rate", "prompt tokens from cache", "ratio", "cached_tokens", "prompt_tokens"),
            columns="counts",
            min_window=MIN_WINDOW,
        ),
        _panel(
            "hit_rate_by_tier",
            "Hit rate by tier",
            "1",
            *(_of(tier, _SOURCE_LABELS[tier], "ratio", f"source_{tier}", "prompt_tokens") for tier in _TIERS),
            columns="counts",
            kind="stacked",
            min_window=MIN_WINDOW,
        ),
        _panel(
            "queue",
            "Requests running and waiting",
            "requests",
            _of("waiting", "waiting", "gauge", "waiting"),
            _of("running", "running", "gauge", "running"),
            columns="gauges",
        ),
        _panel(
            "waiting_by_reason",
            "Requests waiting, by reason",
            "requests",
            _of("capacity", "for KV blocks", "gauge", "waiting_capacity"),
            _of("deferred", "for a slower tier", "gauge", "waiting_deferred"),
            columns="gauges",
            kind="stacked",
        ),
        _panel(
            "gateway_queue",
            "Requests at the gateway",
            "requests",
            _of("queue", "held", "gauge", "gateway.queue"),
            _of("running", "in flight", "gauge", "gateway.running"),
            columns="gauges",
        ),
        _panel(
            "kv_usage",
            "KV cache in use",
            "1",
            _of("mean", "mean of replicas", "gauge", "kv_mean"),
            _of("max", "fullest replica", "gauge", "kv_max"),
            columns="gauges",
        ),
        _panel("preemptions", "Preemptions", "requests/s", _of("preemptions", "preempted", "rate", "preemptions")),
        _panel(
            "requests",
            "Requests finished",
            "requests/s",
            _of("requests", "finished", "rate", "requests"),
            _of("errors", "failed", "rate", "errors"),
            _of("rejections", "rejected", "rate", "rejections"),
        ),
        _panel(
            "finished_by_reason",
            "Requests finished, by reason",
            "requests/s",
            *(_of(reason, label, "rate", f"finished_{reason}") for reason, label in _FINISHED_LABELS.items()),
            kind="stacked",
        ),
        _panel(
            "error_rate",
            "Requests failed",
            "1",
            Line("gateway", "at the gateway", _failed_at_gateway, queries.failed_at_gateway()),
            _of("engine", "at the engines", "ratio", "errors", "requests"),
            columns="counts",
            min_window=MIN_WINDOW,
        ),
        _panel(
            "throughput",
            "Throughput",
            "tokens/s",
            _of("prompt", "prompt tokens", "rate", "prompt_tokens"),
            _of("generation", "generated tokens", "rate", "generation_tokens"),
        ),
        _panel(
            "offload_bandwidth",
            "KV offload, moved",
            "B/s",
            _of("load", "loaded to the device", "rate", "offload_load_bytes"),
            _of("store", "stored from the device", "rate", "offload_store_bytes"),
        ),
        _panel(
            "speculation",
            "Draft tokens accepted",
            "1",
            _of("accepted", "accepted", "ratio", "spec_accepted_tokens", "spec_draft_tokens"),
            columns="counts",
            min_window=MIN_WINDOW,
        ),
        _panel(
            "replicas",
            "Replicas",
            "replicas",
            Line("desired", "desired", measures.replicas("desired")),
            Line("ready", "ready", measures.replicas("ready"), f"count({queries.counter('requests')})"),
            Line("starting", "starting", measures.replicas("starting")),
            Line("asleep", "asleep", measures.replicas("asleep")),
            columns="replicas",
        ),
        _panel(
            "accelerators",
            "Accelerators held",
            "accelerators",
            Line("accelerators", "held by pods", measures.gauge("accelerators")),
            columns="gauges",
        ),
        _panel(
            "cost",
            "Cost of the accelerators held",
            f"{_MONEY}/h",
            Line("cost", "per hour", measures.cost_per_hour),
            columns="gauges counts",
        ),
        _panel(
            "cost_per_mtok",
            "Cost of a million tokens",
            f"{_MONEY}/Mtok",
            Line("all", "prompt and generated", measures.cost_per_million("prompt_tokens", "generation_tokens")),
            Line("generated", "generated only", measures.cost_per_million("generation_tokens")),
            columns="gauges counts rates",
            min_window=MIN_WINDOW,
        ),
    )
}


def choose_step(seconds: float, interval: float) -> float:
    """A round step for a range of `seconds`: about 240 points, never finer than the scrape `interval`."""
    wanted = max(seconds / 240, interval)
    return float(next((step for step in _NICE_STEPS if step >= wanted), _NICE_STEPS[-1]))


def draw(
    panel: Panel,
    rows: Sequence[Signals],
    *,
    start: float,
    end: float,
    step: float,
    now: float,
    interval: float,
    thresholds: Iterable[Threshold] = (),
) -> Chart:
    """Points at the multiples of `step` in [start, end] (Unix seconds), each over the window that ends there.

    `rows`: signals in order of time, from at least one window before `start`; `interval`: seconds between scrapes.
    """
    window = panel.window(step, interval)
    instants = [row.at for row in rows]
    times = [tick * step for tick in range(int(-(-start // step)), int(end // step) + 1)]
    drawn: dict[str, list[tuple[float, float | None]]] = {line.key: [] for line in panel.lines}
    found: dict[float, Histogram] = {}
    idle = False
    for time in times:
        inside = rows[bisect_right(instants, time - window) : bisect_right(instants, time)]
        if not inside:
            for points in drawn.values():
                points.append((time, None))
            continue
        row = merge(inside)
        if panel.kind == "heatmap" and panel.family is not None:
            found[time] = row.histograms.get(panel.family, Histogram())
        for line in panel.lines:
            sample = line.measure(row)
            idle = idle or isinstance(sample, NoTraffic)
            drawn[line.key].append((time, value_of(sample)))
    has_values = any(value is not None for points in drawn.values() for _, value in points)
    last = max((row.at for row in rows if row.scraped or panel.columns == {"replicas"}), default=None)
    state, reason = _state(rows, last, has_values=has_values, idle=idle, end=end, now=now, interval=interval)
    return Chart(
        panel=panel,
        state=state,
        reason=reason,
        step=step,
        window=window,
        last_sample_at=last,
        series=tuple((line, tuple(drawn[line.key])) for line in panel.lines if panel.kind != "heatmap"),
        thresholds=tuple(thresholds),
        heat=_heat(found) if panel.kind == "heatmap" else None,
        currency=_currency(rows) if _MONEY in panel.unit else "",
    )


def _currency(rows: Sequence[Signals]) -> str:
    """Of the prices in these rows; empty where there is none, or more than one."""
    found = {name.removeprefix(_PRICED) for row in rows for name in row.gauges if name.startswith(_PRICED)}
    return found.pop() if len(found) == 1 else ""


def _heat(found: Mapping[float, Histogram]) -> Heat:
    buckets = sorted({bucket for histogram in found.values() for bucket in histogram.counts})
    return Heat(
        tuple(buckets),
        tuple(
            (time, tuple(histogram.counts.get(bucket, 0.0) for bucket in buckets)) for time, histogram in found.items()
        ),
    )


def _state(
    rows: Sequence[Signals],
    last: float | None,
    *,
    has_values: bool,
    idle: bool,
    end: float,
    now: float,
    interval: float,
) -> tuple[State, str]:
    if last is None:
        why = next((row.reason for row in reversed(rows) if row.reason), "")
        return "no_data", why or "No engine of this pool has been scraped in this range: no replica was ready."
    if end >= now - 3 * interval and now - last > 3 * interval:
        why = next((row.reason for row in reversed(rows) if row.reason), "") or "No replica is ready."
        return "stale", f"The last measurement is {int(now - last)} s old. {why}"
    if has_values:
        return "ok", ""
    if idle:
        return "no_traffic", "The engines answer, and nothing was requested of them in this range."
    return "no_data", "Two scrapes of the same engine are needed; the next ones will show."
