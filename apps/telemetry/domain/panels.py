"""The charts of a pool: what each shows, how rows of signals become its points. A new chart is one entry in PANELS."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from apps.telemetry.domain import measures
from apps.telemetry.domain.measures import Measure
from apps.telemetry.domain.samples import NoTraffic, value_of
from apps.telemetry.domain.signals import Signals, merge

__all__ = ["MAX_POINTS", "PANELS", "Chart", "Line", "Panel", "Threshold", "choose_step", "draw"]

MAX_POINTS = 1000
# Quantiles and ratios of ten seconds are noise: each point looks back over at least this long (seconds).
MIN_WINDOW = 60.0
_NICE_STEPS = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)

State = Literal["ok", "no_traffic", "no_data", "stale"]


@dataclass(frozen=True, slots=True)
class Line:
    key: str
    label: str
    measure: Measure


@dataclass(frozen=True, slots=True)
class Panel:
    """`unit`: s | 1 (share 0..1) | requests | tokens/s | requests/s | replicas; `columns`: what it reads of a row."""

    name: str
    title: str
    unit: str
    kind: Literal["line", "stacked"]
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
class Chart:
    panel: Panel
    state: State
    reason: str
    step: float
    window: float
    last_sample_at: float | None
    series: tuple[tuple[Line, tuple[tuple[float, float | None], ...]], ...]
    thresholds: tuple[Threshold, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        return {
            **catalogue_entry(self.panel),
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


def _quantiles(name: str, title: str, family: str) -> Panel:
    return Panel(
        name=name,
        title=title,
        unit="s",
        kind="line",
        lines=tuple(Line(f"p{p}", f"p{p}", measures.quantile(family, p / 100)) for p in (50, 95, 99)),
        columns=frozenset({"histograms", "rates"}),
        family=family,
        min_window=MIN_WINDOW,
    )


_SOURCE_LABELS = {
    "computed": "computed",
    "device": "device cache",
    "host": "host memory",
    "disk": "disk",
    "p2p": "other replica",
    "external": "other external",
}

PANELS: dict[str, Panel] = {
    panel.name: panel
    for panel in (
        _quantiles("ttft", "Time to first token", "ttft"),
        _quantiles("itl", "Inter-token latency", "itl"),
        _quantiles("e2e", "Request latency, end to end", "e2e"),
        Panel(
            name="prompt_tokens_by_source",
            title="Prompt tokens by source",
            unit="tokens/s",
            kind="stacked",
            lines=tuple(Line(key, label, measures.rate(f"source_{key}")) for key, label in _SOURCE_LABELS.items()),
            columns=frozenset({"rates"}),
        ),
        Panel(
            name="hit_rate",
            title="Prefix cache hit rate",
            unit="1",
            kind="line",
            lines=(Line("hit_rate", "prompt tokens from cache", measures.hit_rate),),
            columns=frozenset({"counts"}),
            min_window=MIN_WINDOW,
        ),
        Panel(
            name="queue",
            title="Requests running and waiting",
            unit="requests",
            kind="line",
            lines=(
                Line("waiting", "waiting", measures.gauge("waiting")),
                Line("running", "running", measures.gauge("running")),
            ),
            columns=frozenset({"gauges"}),
        ),
        Panel(
            name="kv_usage",
            title="KV cache in use",
            unit="1",
            kind="line",
            lines=(
                Line("mean", "mean of replicas", measures.gauge("kv_mean")),
                Line("max", "fullest replica", measures.gauge("kv_max")),
            ),
            columns=frozenset({"gauges"}),
        ),
        Panel(
            name="requests",
            title="Requests finished",
            unit="requests/s",
            kind="line",
            lines=(
                Line("requests", "finished", measures.rate("requests")),
                Line("errors", "failed", measures.rate("errors")),
                Line("rejections", "rejected", measures.rate("rejections")),
            ),
            columns=frozenset({"rates"}),
        ),
        Panel(
            name="throughput",
            title="Throughput",
            unit="tokens/s",
            kind="line",
            lines=(
                Line("prompt", "prompt tokens", measures.rate("prompt_tokens")),
                Line("generation", "generated tokens", measures.rate("generation_tokens")),
            ),
            columns=frozenset({"rates"}),
        ),
        Panel(
            name="replicas",
            title="Replicas",
            unit="replicas",
            kind="line",
            lines=(
                Line("desired", "desired", measures.replicas("desired")),
                Line("ready", "ready", measures.replicas("ready")),
            ),
            columns=frozenset({"replicas"}),
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
    idle = False
    for time in times:
        inside = rows[bisect_right(instants, time - window) : bisect_right(instants, time)]
        if not inside:
            for points in drawn.values():
                points.append((time, None))
            continue
        row = merge(inside)
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
        series=tuple((line, tuple(drawn[line.key])) for line in panel.lines),
        thresholds=tuple(thresholds),
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
