"""How rows of signals become the points of a chart, and what a chart says where there is nothing to draw."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal

from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.measures import Measure, reads_of
from apps.telemetry.domain.samples import NoTraffic, value_of
from apps.telemetry.domain.signals import Signals, merge

__all__ = [
    "MAX_POINTS", "MIN_WINDOW", "Chart", "Kind", "Line", "Origin", "Panel", "Threshold", "catalogue_entry",
    "choose_step", "draw", "failed",
]  # fmt: skip

MAX_POINTS = 1000
# Quantiles and ratios of ten seconds are noise: each point looks back over at least this long (seconds).
MIN_WINDOW = 60.0
_NICE_STEPS = (10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)

_MONEY = "money"
_PRICED = "cost_per_hour:"

Kind = Literal["line", "stacked", "heatmap"]
# who tells what a panel shows
Origin = Literal["engine", "gateway", "cluster"]
State = Literal["ok", "no_traffic", "no_data", "stale", "error"]
# of the state error: Lamplight could not read its signals, or nobody could be asked for new ones
Cause = Literal["query", "source"]


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

    A heatmap has no series but counts by bucket. `absent`: why engines that are read well may never report it.
    """

    name: str
    title: str
    unit: str
    kind: Kind
    lines: tuple[Line, ...]
    origin: Origin
    family: str | None = None
    min_window: float = 0.0
    absent: str = "The engines are read, and do not report it."

    @property
    def reads(self) -> frozenset[str]:
        """What it reads of a row, as `column:name`."""
        told_by = {"sources:*", "replicas:*"} if self.origin == "cluster" else {"sources:*"}
        return frozenset(told_by) | (reads_of(line.measure for line in self.lines) or frozenset())

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
    """`reason`: a sentence for every state but ok; `cause`: of the state error."""

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
    cause: Cause | None = None

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
            "cause": self.cause,
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
    last = max((row.at for row in rows if _told(panel.origin, row)), default=None)
    state, reason = _state(panel, rows, last, has_values=has_values, idle=idle, end=end, now=now, interval=interval)
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
        cause="source" if state == "error" else None,
    )


def failed(panel: Panel, reason: str, *, step: float, interval: float) -> Chart:
    """The chart where our own signals could not be read: no points, and why."""
    series = tuple((line, ()) for line in panel.lines if panel.kind != "heatmap")
    heat = Heat((), ()) if panel.kind == "heatmap" else None
    return Chart(panel, "error", reason, step, panel.window(step, interval), None, series, heat=heat, cause="query")


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


def _told(origin: Origin, row: Signals) -> bool:
    """Whether in this row somebody told what panels of this origin show."""
    if origin == "cluster":
        return bool(row.replicas)
    return bool(row.scraped) if origin == "engine" else _picker(row).get("scraped", 0) > 0


def _picker(row: Signals) -> Mapping[str, Any]:
    found: Mapping[str, Any] = row.sources.get("gateway", {})
    return found


def _why(origin: Origin, row: Signals) -> str:
    """Why this row lacks what panels of this origin show; empty where it does not say."""
    if origin == "gateway" and row.targets == row.scraped:
        return str(_picker(row).get("reason", ""))
    return row.reason


def _refused(origin: Origin, row: Signals) -> str:
    """The sentence of a source that failed as a whole: the cluster that was asked for its pods, its Prometheus."""
    told = row.sources.get("failed", {})
    return str(told.get("cluster", "") or ("" if origin == "cluster" else told.get("prometheus", "")))


_NOBODY: Mapping[Origin, tuple[str, str]] = {
    "engine": ("No engine of this pool has been scraped in this range: no replica was ready.", "No replica is ready."),
    "gateway": ("No endpoint picker of this pool has been read in this range.", "No endpoint picker is ready."),
    "cluster": ("The cluster has not been asked for the pods of this pool in this range.", ""),
}


def _state(
    panel: Panel,
    rows: Sequence[Signals],
    last: float | None,
    *,
    has_values: bool,
    idle: bool,
    end: float,
    now: float,
    interval: float,
) -> tuple[State, str]:
    origin = panel.origin
    never, gone = _NOBODY[origin]
    why = next((told for row in reversed(rows) if (told := _why(origin, row))), "")
    current, late = end >= now - 3 * interval, 3 * interval
    newest = rows[-1] if rows else None
    if current and newest is not None and now - newest.at <= late and (last is None or now - last > late):
        refused = _refused(origin, newest)
        if refused:
            return "error", refused
    if last is None:
        return "no_data", why or never
    if current and now - last > late:
        return "stale", f"The last measurement is {int(now - last)} s old. {why or gone}".strip()
    if has_values:
        return "ok", ""
    if idle:
        who = "The endpoint picker answers, and nothing was requested of it" if origin == "gateway" else ""
        return "no_traffic", f"{who or 'The engines answer, and nothing was requested of them'} in this range."
    read = [row.at for row in rows if row.scraped]
    if origin == "engine" and len(read) > 2 and read[-1] - read[0] > late:
        return "no_data", panel.absent
    return "no_data", "Two scrapes of the same engine are needed; the next ones will show."
