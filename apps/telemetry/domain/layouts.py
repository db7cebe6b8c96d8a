"""Where the numbers of a pod's page belong, worked out once: its series are called the same in every tick.

`Layout` says which of our names each of a number of series is, as `pages.Collector` would find by looking at them one
by one; a test holds the two to the same readings. Pages of one kind of engine are laid out alike, whatever pod they are
of.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.telemetry.domain.exposition import Series
from apps.telemetry.domain.pages import EDGES, MAX_LABELS, MAX_SERIES, Page, PageTable, preferred, together
from apps.telemetry.domain.readings import PageReading

__all__ = ["Labels", "Layout", "Memory", "layout_of"]

Labels = Mapping[str, str]
Take = Callable[[Sequence[float]], tuple[float, ...]]
Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Layout:
    """A page whose numbers are all finite and not negative. `found`: whether there is anything but its start time."""

    found: bool
    counters: tuple[tuple[str, ...], Take]
    sums: tuple[tuple[str, Take], ...]
    families: tuple[tuple[str, tuple[float, ...], Take], ...]
    gauges: tuple[tuple[str, str, Take], ...]
    infos: tuple[tuple[str, int, Series], ...]
    started: Take | None

    def page(self, values: Sequence[float]) -> Page:
        """`values`: of the series that the layout was made for, in their order."""
        names, take = self.counters
        counters = dict(zip(names, take(values), strict=True))
        for name, several in self.sums:
            counters[name] = sum(several(values))
        infos: dict[str, list[Series]] = {}
        for metric, at, series in self.infos:
            infos.setdefault(metric, []).append(Series(series.name, series.labels, values[at]))
        return Page(
            PageReading(
                counters=counters,
                cumulative={
                    family: dict(zip(edges, take(values), strict=True)) for family, edges, take in self.families
                },
                gauges={name: together(take(values), how) for name, how, take in self.gauges},  # type: ignore[arg-type]
                started=None if self.started is None else max(self.started(values)),
            ),
            infos,
        )


def layout_of(table: PageTable, page: Sequence[Labels]) -> Layout | None:
    """The layout of series with these labels (and `__name__`), each once; None where they have to be looked at one by
    one (two series of one bucket, more values of a label than are kept apart, an edge that is no number)."""
    totals: dict[tuple[str, int], list[int]] = {}
    opened: dict[tuple[str, int], dict[str, list[int]]] = {}
    buckets: dict[tuple[str, int], dict[float, int]] = {}
    gauges: dict[tuple[str, int], list[int]] = {}
    infos: list[tuple[str, int, Series]] = []
    started: list[int] = []
    if len(page) > MAX_SERIES:
        return None
    for at, labels in enumerate(page):
        for kind, name, rank, label, value in table.lines.get(labels.get("__name__", ""), ()):
            if kind == "info":
                infos.append((name, at, Series(labels["__name__"], dict(labels), math.nan)))
            elif kind == "open":
                of_label = opened.setdefault((name, rank), {})
                of_label.setdefault(f"{name}:{labels.get(label or '', '')}", []).append(at)
                if len(of_label) > MAX_LABELS:
                    return None
            elif label is not None and labels.get(label) != value:
                continue
            elif kind == "counter":
                totals.setdefault((name, rank), []).append(at)
            elif kind == "gauge":
                gauges.setdefault((name, rank), []).append(at)
            elif kind == "bucket":
                try:
                    edge = EDGES[labels.get("le", "nan")]
                except ValueError:
                    return None
                if edge in buckets.setdefault((name, rank), {}):
                    return None
                buckets[name, rank][edge] = at
            else:
                started.append(at)
    counted = preferred(totals)
    for several in preferred(opened).values():
        counted.update(several)
    single = {name: where[0] for name, where in counted.items() if len(where) == 1}
    how = {name: places[0].how for name, places in table.gauges.items()}
    return Layout(
        found=bool(totals or opened or gauges),
        counters=(tuple(single), _take(list(single.values()))),
        sums=tuple((name, _take(where)) for name, where in counted.items() if len(where) > 1),
        families=tuple(_family(family, edges) for family, edges in preferred(buckets).items()),
        gauges=tuple((name, how[name], _take(where)) for name, where in preferred(gauges).items()),
        infos=tuple(infos),
        started=_take(started) if started else None,
    )


def _family(family: str, where: Mapping[float, int]) -> tuple[str, tuple[float, ...], Take]:
    edges = sorted(where)
    return family, tuple(edges), _take([where[edge] for edge in edges])


def _take(where: Sequence[int]) -> Take:
    if len(where) == 1:
        (only,) = where
        return lambda values: (values[only],)
    return itemgetter(*where) if where else _nothing


def _nothing(values: Sequence[float]) -> tuple[float, ...]:
    return ()


class Memory:
    """What is known of series by the bytes of their labels, over the answers of one Prometheus. Not for two threads.

    A series has a number; `owners`: number -> number of the scrape that it is of, which `scrape_of` names.
    """

    def __init__(self) -> None:
        self.labels: list[bytes] = []
        self.scrapes: list[Any] = []
        self.owners: Ids = np.zeros(1 << 12, np.int64)
        self._numbers: dict[bytes, int] = {}
        self._scrape_numbers: dict[Any, int] = {}
        self._layouts: list[dict[bytes, Any]] = []
        self._alike: dict[Any, Any] = {}
        self._asked = 0
        self._seen = np.zeros(1 << 12, np.bool_)

    def numbers(self, labels: Sequence[bytes], scrape_of: Callable[[bytes], Any]) -> Ids:
        """Numbers of series; `scrape_of` says of which scrape one is that is new, and raises ValueError for none."""
        found = list(map(self._numbers.get, labels))
        if None in found:
            found = [
                self._learn(text, scrape_of) if number is None else number
                for text, number in zip(labels, found, strict=True)
            ]
        numbers = np.array(found, np.int64)
        self._seen[numbers] = True
        return numbers

    def _learn(self, text: bytes, scrape_of: Callable[[bytes], Any]) -> int:
        known = self._numbers.get(text)
        if known is not None:
            return known
        scrape = scrape_of(text)
        owner = self._scrape_numbers.setdefault(scrape, len(self.scrapes))
        if owner == len(self.scrapes):
            self.scrapes.append(scrape)
            self._layouts.append({})
        number = self._numbers[text] = len(self.labels)
        self.labels.append(text)
        if number >= len(self.owners):
            self.owners = np.concatenate((self.owners, np.zeros_like(self.owners)))
            self._seen = np.concatenate((self._seen, np.zeros_like(self._seen)))
        self.owners[number] = owner
        return number

    def layout(self, owner: int, numbers: Ids, make: Callable[[list[bytes]], tuple[Any, Callable[[], Any]]]) -> Any:
        """What was made for these series of a scrape; else, of what is alike by the first that `make` says of their
        labels, the same, or what the second makes."""
        known, key = self._layouts[owner], numbers.tobytes()
        if key not in known:
            like, new = make([self.labels[number] for number in numbers.tolist()])
            if like not in self._alike:
                self._alike[like] = new()
            if len(known) >= _MOST_LAYOUTS:
                known.clear()
            known[key] = self._alike[like]
        return known[key]

    @property
    def stale(self) -> bool:
        """Whether most of what is known has not come for long: time to begin anew. Asked once for each question."""
        self._asked += 1
        if self._asked % _ASKED:
            return False
        used = int(self._seen.sum())
        self._seen[:] = False
        return len(self.labels) > 2 * used + _LITTLE


# sets of series of one scrape: what is asked for differs from tick to tick, and begins anew each minute
_MOST_LAYOUTS = 16
_ASKED = 64
_LITTLE = 10_000
