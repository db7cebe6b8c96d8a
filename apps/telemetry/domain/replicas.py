"""Which replica of a pool is not as its peers: each one's last minutes against the median of the others of its variant.

A pool's charts are sums: one replica of forty that answers ten times slower hides in them, and its users do not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

from apps.telemetry.domain.deltas import Delta
from apps.telemetry.domain.histogram import Histogram

__all__ = ["WINDOW", "Figure", "Replica", "Report", "Stretch", "compare", "moved_on"]

# seconds that are looked back on
WINDOW = 300.0
_STRETCH = 60.0
COUNTS = ("requests", "errors", "prompt_tokens", "cached_tokens", "generation_tokens")
FAMILIES = ("ttft", "itl")
GAUGES = ("running", "waiting", "kv_mean")

State = Literal["ok", "outlier", "alone", "no_traffic", "silent"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What one replica did in the `seconds` within the minute that begins at `start` (Unix seconds)."""

    start: float
    seconds: float = 0.0
    counts: Mapping[str, float] = field(default_factory=dict)
    histograms: Mapping[str, Histogram] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        histograms = {family: histogram.pack() for family, histogram in self.histograms.items()}
        return {"start": self.start, "seconds": self.seconds, "counts": dict(self.counts), "histograms": histograms}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Stretch:
        histograms = {family: Histogram.from_json(packed) for family, packed in stored["histograms"].items()}
        return cls(stored["start"], stored["seconds"], stored["counts"], histograms)


@dataclass(frozen=True, slots=True)
class Replica:
    """One replica's last minutes. `reason`: why it could not be read by the last tick, empty where it was."""

    name: str
    variant: str
    read_at: float | None
    reason: str = ""
    stretches: tuple[Stretch, ...] = ()
    gauges: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` of a replica beside `peers`, the median of the others; None where it is not known."""

    value: float | None
    unit: str
    peers: float | None = None
    outlier: bool = False

    def to_json(self) -> dict[str, Any]:
        ratio = self.value / self.peers if self.value is not None and self.peers else None
        return {"value": self.value, "unit": self.unit, "peers": self.peers, "ratio": ratio, "outlier": self.outlier}


@dataclass(frozen=True, slots=True)
class Report:
    """A replica beside its peers; `findings`: a sentence for each figure that is out of line."""

    replica: Replica
    state: State
    figures: Mapping[str, Figure]
    findings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.replica.name,
            "variant": self.replica.variant,
            "state": self.state,
            "lastSampleAt": self.replica.read_at,
            "reason": self.replica.reason,
            "figures": {name: figure.to_json() for name, figure in self.figures.items()},
            "findings": list(self.findings),
        }


def moved_on(stretches: Sequence[Stretch], at: float, change: Delta | None) -> tuple[Stretch, ...]:
    """The stretches with what a tick found added, without those that are older than the window."""
    start = at // _STRETCH * _STRETCH
    kept = [stretch for stretch in stretches if stretch.start + _STRETCH > at - WINDOW and stretch.start <= start]
    if change is None:
        return tuple(kept)
    last = kept.pop() if kept and kept[-1].start == start else Stretch(start)
    kept.append(
        Stretch(
            start,
            last.seconds + change.seconds,
            _added(last.counts, {name: change.counts[name] for name in COUNTS if name in change.counts}),
            {
                family: last.histograms.get(family, Histogram()) + change.histograms[family]
                if family in change.histograms
                else last.histograms[family]
                for family in FAMILIES
                if family in change.histograms or family in last.histograms
            },
        )
    )
    return tuple(kept)


def _added(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {name: one.get(name, 0.0) + other.get(name, 0.0) for name in {*one, *other}}


@dataclass(frozen=True, slots=True)
class _Measure:
    """How a figure is read, and when it is out of line: by more than `least` (in its unit), on the bad side(s)."""

    title: str
    unit: str
    read: Callable[[Replica], float | None]
    least: float
    high: bool = True
    low: bool = False


def _rate(name: str) -> Callable[[Replica], float | None]:
    def read(replica: Replica) -> float | None:
        seconds = sum(stretch.seconds for stretch in replica.stretches)
        if seconds <= 0 or not any(name in stretch.counts for stretch in replica.stretches):
            return None
        return sum(stretch.counts.get(name, 0.0) for stretch in replica.stretches) / seconds

    return read


def _share(part: str, whole: str) -> Callable[[Replica], float | None]:
    def read(replica: Replica) -> float | None:
        total = sum(stretch.counts.get(whole, 0.0) for stretch in replica.stretches)
        if total <= 0 or not any(part in stretch.counts for stretch in replica.stretches):
            return None
        return min(1.0, sum(stretch.counts.get(part, 0.0) for stretch in replica.stretches) / total)

    return read


def _p95(family: str) -> Callable[[Replica], float | None]:
    def read(replica: Replica) -> float | None:
        seen = [stretch.histograms[family] for stretch in replica.stretches if family in stretch.histograms]
        return Histogram.sum(seen).quantile(0.95)

    return read


def _gauge(name: str) -> Callable[[Replica], float | None]:
    return lambda replica: None if replica.reason else replica.gauges.get(name)


MEASURES: Mapping[str, _Measure] = {
    "requests": _Measure("Requests finished", "requests/s", _rate("requests"), 0.1, low=True),
    "ttft_p95": _Measure("Time to first token (p95)", "s", _p95("ttft"), 0.05),
    "itl_p95": _Measure("Inter-token latency (p95)", "s", _p95("itl"), 0.005),
    "errors": _Measure("Share of requests that failed", "1", _share("errors", "requests"), 0.01),
    "hit_rate": _Measure(
        "Prefix cache hit rate", "1", _share("cached_tokens", "prompt_tokens"), 0.2, high=False, low=True
    ),
    "running": _Measure("Requests running", "requests", _gauge("running"), 8.0),
    "waiting": _Measure("Requests waiting", "requests", _gauge("waiting"), 4.0),
    "kv": _Measure("KV cache in use", "1", _gauge("kv_mean"), 0.25),
}
# half as much again, or two thirds
_RATIO = 1.5
# Modified z-score (Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993), and the least that a deviation is
# taken for: peers that agree by chance to the last digit would make an outlier of anybody.
_SCORE, _NORMAL, _LEAST_DEVIATION = 3.5, 0.6745, 0.1
_ORDER: Mapping[State, int] = {"outlier": 0, "silent": 1, "ok": 2, "no_traffic": 3, "alone": 4}


def compare(replicas: Sequence[Replica]) -> tuple[Report, ...]:
    """Each replica beside the others of its variant: outliers first, then silent ones, then by name."""
    values = {
        name: [(replica, None if replica.reason else measure.read(replica)) for replica in replicas]
        for name, measure in MEASURES.items()
    }
    reports = []
    for at, replica in enumerate(replicas):
        figures, findings, peers_known = {}, [], False
        for name, measure in MEASURES.items():
            value = values[name][at][1]
            peers = [
                other
                for position, (peer, other) in enumerate(values[name])
                if position != at and peer.variant == replica.variant and other is not None
            ]
            peers_known = peers_known or len(peers) >= 2
            figure = _beside(value, peers, measure)
            figures[name] = figure
            if figure.outlier and value is not None and figure.peers is not None:
                findings.append(
                    f"{measure.title} is {_said(value, measure.unit)}; "
                    f"its {len(peers)} peers have {_said(figure.peers, measure.unit)}."
                )
        state = _state(replica, figures, bool(findings), peers_known=peers_known)
        reports.append(Report(replica, state, figures, tuple(findings)))
    return tuple(sorted(reports, key=lambda report: (_ORDER[report.state], report.replica.name)))


def _beside(value: float | None, peers: Sequence[float], measure: _Measure) -> Figure:
    if len(peers) < 2:
        return Figure(value, measure.unit)
    middle = median(peers)
    if value is None:
        return Figure(None, measure.unit, middle)
    apart = value - middle
    wrong_side = (apart > 0 and measure.high) or (apart < 0 and measure.low)
    spread = max(median(abs(peer - middle) for peer in peers), _LEAST_DEVIATION * abs(middle))
    far = abs(apart) >= measure.least and (spread == 0 or _NORMAL * abs(apart) / spread > _SCORE)
    many_times = max(value, middle) >= _RATIO * min(value, middle)
    return Figure(value, measure.unit, middle, bool(wrong_side and far and many_times))


def _state(replica: Replica, figures: Mapping[str, Figure], found: bool, *, peers_known: bool) -> State:
    if replica.reason:
        return "silent"
    if found:
        return "outlier"
    if not figures["requests"].value and not figures["requests"].peers and not figures["running"].value:
        return "no_traffic"
    return "ok" if peers_known else "alone"


def _said(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value * 1000:.3g} ms" if value < 1 else f"{value:.3g} s"
    if unit == "1":
        return f"{value:.1%}"
    return f"{value:.3g} {unit}"
