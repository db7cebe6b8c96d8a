"""Reading a whole `/metrics` page into our names, by a table that says which metric is which of ours.

A page has about a thousand lines, most of them buckets of histograms. Families that nobody asked for are skipped, and
the buckets of a histogram are taken, by one regular expression each; only what does not look the way every exporter
writes it is read line by line. The two ways give the same reading: a test on recorded pages and on drawn ones.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple, TypeAlias

from apps.telemetry.domain.exposition import ExpositionError, Series, parse_line
from apps.telemetry.domain.readings import PageReading

__all__ = [
    "EDGES", "MAX_LABELS", "MAX_SERIES", "STARTED", "Collector", "How", "Page", "PageTable", "Where", "preferred",
    "read_page", "together",
]  # fmt: skip

MAX_SERIES = 50_000
# values of one label that become keys of ours; what comes after them is counted under `other`
MAX_LABELS = 100

STARTED = "process_start_time_seconds"

_TYPE = "\n# TYPE "
# the literal comes first: it is what makes the search fast
_BUCKET = re.compile(r'le="(?<=[{,]le=")([^"\n]*)"[^\n]*\} (\S+)\n')
_SUM = re.compile(r"_sum(?:\{[^\n]*\})? (\S+)\n")

How: TypeAlias = Literal["sum", "max", "mean"]


class Where(NamedTuple):
    """Series of a metric; with `label`, only those whose label has this value. `how`: a gauge over what is left of its
    series on one page (ranks); counters are always added up."""

    metric: str
    label: str | None = None
    value: str | None = None
    how: How = "sum"


@dataclass(frozen=True)
class PageTable:
    """Which metric is which of ours.

    `counters`: name -> the series that add up to it, the preferred first (later ones are names of other versions);
    `open_counters`: name -> metric and label: each value of the label is a counter `name:value`;
    `families`: name -> histograms, the preferred first; each also has a counter `name_sum`;
    `infos`: metrics whose labels are what they say, handed on as they are.
    """

    counters: Mapping[str, tuple[Where, ...]] = field(default_factory=dict)
    open_counters: Mapping[str, tuple[Where, ...]] = field(default_factory=dict)
    families: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    gauges: Mapping[str, tuple[Where, ...]] = field(default_factory=dict)
    infos: frozenset[str] = frozenset()

    def _places(self) -> Mapping[str, Mapping[str, tuple[Where, ...]]]:
        return {"counter": self.counters, "open": self.open_counters, "gauge": self.gauges}

    @cached_property
    def metrics(self) -> frozenset[str]:
        """Every metric that is read, histograms by their plain name."""
        plain = {place.metric for group in self._places().values() for places in group.values() for place in places}
        return frozenset(plain | {name for group in self.families.values() for name in group} | self.infos | {STARTED})

    @cached_property
    def blocks(self) -> Mapping[str, tuple[str, int]]:
        """Histogram -> our family, and its preference."""
        return {
            metric: (family, rank) for family, metrics in self.families.items() for rank, metric in enumerate(metrics)
        }

    @cached_property
    def _unwanted(self) -> dict[str, bool]:
        return {}

    def unwanted(self, name: str) -> bool:
        """Whether nothing that is read begins with the name of this family; remembered, as pages are much alike."""
        known = self._unwanted.get(name)
        if known is None:
            known = not any(line.startswith(name) for line in self.lines)
            if len(self._unwanted) < MAX_SERIES:
                self._unwanted[name] = known
        return known

    @cached_property
    def lines(self) -> Mapping[str, list[tuple[str, str, int, str | None, str | None]]]:
        """Name of a sample -> (what it is, our name, preference, label, value)."""
        found: dict[str, list[tuple[str, str, int, str | None, str | None]]] = {}
        for kind, group in self._places().items():
            for name, places in group.items():
                for rank, place in enumerate(places):
                    found.setdefault(place.metric, []).append((kind, name, rank, place.label, place.value))
        for family, metrics in self.families.items():
            for rank, metric in enumerate(metrics):
                found.setdefault(f"{metric}_bucket", []).append(("bucket", family, rank, None, None))
                found.setdefault(f"{metric}_sum", []).append(("counter", f"{family}_sum", rank, None, None))
        for metric in self.infos:
            found.setdefault(metric, []).append(("info", metric, 0, None, None))
        found.setdefault(STARTED, []).append(("started", "", 0, None, None))
        return found


class Page(NamedTuple):
    """A reading, and the info metrics of its page as they are."""

    reading: PageReading
    infos: Mapping[str, list[Series]]


class _Edges(dict[str, float]):
    """`le` -> number; there are a few hundred different ones in a whole installation."""

    def __missing__(self, text: str) -> float:
        edge = float(text)
        if math.isnan(edge):
            raise ValueError(text)
        if len(self) < 10_000:
            self[text] = edge
        return edge


EDGES = _Edges()


def read_page(text: str, table: PageTable, *, max_series: int = MAX_SERIES) -> Page:
    """Parse a page. Raises ExpositionError when it is not the text format, or has more than `max_series` we read."""
    # a line break before the first line too, so that every line begins behind one
    reader = _Reader(Collector(table, max_series=max_series), f"\n{text}" if text.endswith("\n") else f"\n{text}\n")
    text, at = reader.text, 0
    while (found := text.find(_TYPE, at)) >= 0:
        reader.read_lines(at + 1, found + 1)
        first = text.index("\n", found + 1)
        # up to the next comment
        last = text.find("\n#", first)
        last = last if last >= 0 else len(text) - 1
        name = text[found + len(_TYPE) : first].partition(" ")[0]
        if not reader.skip(name, first, last) and not reader.read_histogram(name, first, last):
            reader.read_lines(first + 1, last + 1)
        at = last
    reader.read_lines(at + 1, len(text))
    return reader.collector.page()


class Collector:
    """Adds series up under our names, whatever they were read from."""

    def __init__(self, table: PageTable, *, max_series: int = MAX_SERIES) -> None:
        self.table, self.taken, self._most = table, 0, max_series
        self._seen: set[str] = set()
        self._totals: dict[tuple[str, int], float] = {}
        self._opened: dict[tuple[str, int], dict[str, float]] = {}
        self._buckets: dict[tuple[str, int], dict[float, float]] = {}
        self._gauges: dict[tuple[str, int], list[float]] = {}
        self._infos: dict[str, list[Series]] = {}
        self._started: float | None = None
        self._unreadable: set[str] = set()

    @property
    def found(self) -> bool:
        """Whether anything but the start time of the process has been added."""
        return bool(self._totals or self._opened or self._gauges)

    def add(self, series: Series, *, head: str | None = None) -> None:
        """Take one series; `head` (metric and labels) tells it from others: a second one of the same is left out. None:
        whoever hands it on has none twice."""
        self._count(1)
        if head is not None:
            if head in self._seen:
                return
            self._seen.add(head)
        for kind, name, rank, label, value in self.table.lines.get(series.name, ()):
            if kind == "info":
                self._infos.setdefault(name, []).append(series)
            elif kind == "open":
                self._open(name, rank, series.labels.get(label or "", ""), series.value)
            elif label is None or series.labels.get(label) == value:
                self._take(kind, name, rank, series)

    def add_histogram(self, family: str, rank: int, edges: dict[float, float], total: float) -> bool:
        """Take all buckets of the only series of a family; False when there are others of it."""
        if (family, rank) in self._buckets:
            return False
        self._count(len(edges) + 1)
        self._buckets[(family, rank)] = edges
        self._totals[(f"{family}_sum", rank)] = total
        return True

    def _take(self, kind: str, name: str, rank: int, series: Series) -> None:
        value = series.value
        if not math.isfinite(value):
            if kind != "gauge":
                self._unreadable.add(name)
        elif kind == "counter":
            self._totals[(name, rank)] = self._totals.get((name, rank), 0.0) + value
        elif kind == "gauge":
            self._gauges.setdefault((name, rank), []).append(value)
        elif kind == "bucket":
            edges = self._buckets.setdefault((name, rank), {})
            try:
                edge = EDGES[series.labels.get("le", "nan")]
            except ValueError:
                return
            edges[edge] = edges.get(edge, 0.0) + value
        else:
            self._started = value if self._started is None else max(self._started, value)

    def _open(self, name: str, rank: int, label: str, value: float) -> None:
        values = self._opened.setdefault((name, rank), {})
        key = f"{name}:{label}"
        if key not in values and len(values) >= MAX_LABELS:
            key = f"{name}:other"
        if math.isfinite(value):
            values[key] = values.get(key, 0.0) + value
        else:
            self._unreadable.add(key)

    def _count(self, series: int) -> None:
        self.taken += series
        if self.taken > self._most:
            raise ExpositionError(f"The page has more than {self._most} series of the metrics that are read.")

    def page(self) -> Page:
        """What was added, together."""
        counters = {
            name: total for name, total in preferred(self._totals).items() if total >= 0 or name.endswith("_sum")
        }
        for values in preferred(self._opened).values():
            counters.update((key, total) for key, total in values.items() if total >= 0)
        for name in self._unreadable:
            counters.pop(name, None)
        how = {name: places[0].how for name, places in self.table.gauges.items()}
        return Page(
            PageReading(
                counters=counters,
                cumulative={
                    family: edges
                    for family, edges in preferred(self._buckets).items()
                    if edges and family not in self._unreadable
                },
                gauges={name: together(values, how[name]) for name, values in preferred(self._gauges).items()},
                started=self._started,
                unreadable=frozenset(self._unreadable),
            ),
            self._infos,
        )


class _Reader:
    """Hands the series of a page's text to a collector."""

    def __init__(self, collector: Collector, text: str) -> None:
        self.collector, self.text = collector, text

    def skip(self, name: str, first: int, last: int) -> bool:
        """Whether a block is of a family that nobody asked for, all of it."""
        if not self.collector.table.unwanted(name):
            return False
        lines = self.text.count("\n", first, last)
        return lines == self.text.count(f"\n{name}", first, last)

    def read_histogram(self, name: str, first: int, last: int) -> bool:
        """Take a whole histogram of one series; False when it has to be read by the line."""
        family = self.collector.table.blocks.get(name)
        if family is None:
            return False
        block = self.text[first : last + 1]
        pairs = _BUCKET.findall(block)
        if not pairs or "\\" in block or len(pairs) != block.count(f"\n{name}_bucket{{"):
            return False
        others = block.count("\n") - 1 - len(pairs)
        if others != block.count(f"\n{name}_sum") + block.count(f"\n{name}_count"):
            return False
        sums = _SUM.findall(block)
        try:
            edges = {EDGES[edge]: float(value) for edge, value in pairs}
            total = float(sums[0]) if len(sums) == 1 else math.nan
        except ValueError:
            return False
        # several ranks, a series twice, or no number: with more care
        if len(edges) != len(pairs) or not math.isfinite(sum(edges.values()) + total):
            return False
        return self.collector.add_histogram(*family, edges, total)

    def read_lines(self, start: int, end: int) -> None:
        at = start
        while at < end:
            stop = self.text.index("\n", at)
            if self.text[at] != "#":
                self._read_line(self.text[at:stop], at)
            at = stop + 1

    def _read_line(self, line: str, at: int) -> None:
        try:
            series = parse_line(line, self.collector.table.lines)
        except ValueError:
            number = self.text.count("\n", 0, at)
            raise ExpositionError(
                f"Line {number} is not a metric in the Prometheus text format: {line.strip()[:80]!r}."
            ) from None
        if series is not None:
            self.collector.add(series, head=line[: line.rfind("}") + 1] or series.name)


def preferred(found: Mapping[tuple[str, int], Any]) -> dict[str, Any]:
    """Of the names that versions have given one thing, the newest that the page has: it may have several."""
    chosen: dict[str, Any] = {}
    for name, rank in sorted(found, reverse=True):
        chosen[name] = found[(name, rank)]
    return chosen


def together(values: Sequence[float], how: How) -> float:
    """A gauge of several series of one page."""
    if how == "max":
        return max(values)
    return sum(values) / (len(values) if how == "mean" else 1)
