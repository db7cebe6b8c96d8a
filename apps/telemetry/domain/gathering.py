"""Pods' pages put together again from the series of one answer of a Prometheus, or of several parts of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from apps.catalog.domain.vllm.facts import TABLE_VERSIONS, metrics
from apps.telemetry.domain.classes import CLASS_LINES, TrafficClass, with_classes
from apps.telemetry.domain.engine import TABLE as ENGINE
from apps.telemetry.domain.engine import completed
from apps.telemetry.domain.exposition import Series
from apps.telemetry.domain.gateway import TABLE as GATEWAY
from apps.telemetry.domain.layouts import Ids, Layout, Memory, layout_of
from apps.telemetry.domain.pages import Collector, Page, PageTable
from apps.telemetry.domain.promql import CLOCK, MARK, SAMPLED, PodKey
from apps.telemetry.domain.readings import PageReading
from apps.telemetry.domain.vectors import Columns

__all__ = ["Gathering", "PodSample", "Scrape", "Times", "samples_of", "times_of"]

# the labels of the metrics themselves; every other label is of the scrape that brought them
_GATEWAY_LABELS = (
    "model_name", "target_model_name", "error_code", "fairness_id", "priority", "outcome", "type", "streaming",
    "inference_pool", "stage", "source_type", "endpoint_name", "port", "status", "name",
)  # fmt: skip
_OWN = frozenset(
    {"__name__", "le", MARK, *_GATEWAY_LABELS}
    | {
        label
        for version in TABLE_VERSIONS
        for name, metric in metrics(version).items()
        if name in ENGINE.metrics
        for label in metric.labels
    }
)
_TABLES: Mapping[str, PageTable] = {"engine": ENGINE, "gateway": GATEWAY}


@dataclass(frozen=True, slots=True)
class PodSample:
    """What Prometheus knows of a pod: its newest page, and how many seconds before the query that was scraped."""

    reading: PageReading
    age: float


class Scrape(NamedTuple):
    """Whose scrape a series is of: the pod, and the labels that the scrape put on it."""

    pod: PodKey
    job: tuple[str, ...]


# of the jobs that scrape a pod: has it anything to say, when was that, how much; and no two are alike
_Rank = tuple[bool, float, int, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Times:
    """When pods were scraped, by each job that does, and the clock of the Prometheus that says so (Unix seconds; None
    where it did not)."""

    clock: float | None
    by_pod: Mapping[PodKey, Mapping[Scrape, float]]


def samples_of(
    result: Iterable[Mapping[str, Any]],
    kinds: Mapping[PodKey, str],
    *,
    pod_label: str = "pod",
    namespace_label: str = "namespace",
    classes: Mapping[PodKey, Sequence[TrafficClass]] | None = None,
) -> dict[PodKey, PodSample]:
    """The answer by (namespace, pod) of the pods in `kinds` (engine | gateway); pods that it lacks are missing.

    A pod that several jobs scrape is taken once: from the job whose sample is the newest. Raises ExpositionError when a
    pod has more series than a page may have.
    """
    gathering = Gathering(kinds, pod_label=pod_label, namespace_label=namespace_label, classes=classes)
    gathering.take(result)
    return gathering.samples()


def times_of(
    result: Iterable[Mapping[str, Any]], *, pod_label: str = "pod", namespace_label: str = "namespace"
) -> Times:
    """The answer to `promql.times_query`."""
    names, clock = _Names(pod_label, namespace_label), None
    by_pod: dict[PodKey, dict[Scrape, float]] = {}
    for element in result:
        labels, value = element["metric"], float(element["value"][1])
        if labels.get(MARK) == CLOCK:
            clock = value
        else:
            scrape = names.scrape(labels)
            by_pod.setdefault(scrape.pod, {})[scrape] = value
    return Times(clock, by_pod)


class _Names:
    """Which scrape a series is of, by its labels."""

    def __init__(self, pod_label: str, namespace_label: str) -> None:
        self._pod_label, self._namespace_label = pod_label, namespace_label
        # the labels of the scrape among those of a series: an answer has the same few sets of names many times over
        self._foreign: dict[tuple[str, ...], tuple[str, ...]] = {}

    def scrape(self, labels: Mapping[str, str]) -> Scrape:
        names = tuple(labels)
        others = self._foreign.get(names)
        if others is None:
            others = self._foreign[names] = tuple(sorted(name for name in names if name not in _OWN))
        pod = (labels.get(self._namespace_label, ""), labels.get(self._pod_label, ""))
        return Scrape(pod, (*others, *[labels[name] for name in others]))


class Gathering:
    """Puts series together by pod. `memory`: of earlier answers of the same Prometheus; `times`: when pods were
    scraped, where the series themselves do not say; other arguments as of `samples_of`."""

    def __init__(
        self,
        kinds: Mapping[PodKey, str],
        *,
        pod_label: str = "pod",
        namespace_label: str = "namespace",
        classes: Mapping[PodKey, Sequence[TrafficClass]] | None = None,
        memory: Memory | None = None,
        times: Times | None = None,
    ) -> None:
        self._kinds, self._classes = kinds, classes or {}
        self._names = _Names(pod_label, namespace_label)
        self._memory = memory if memory is not None else Memory()
        self._times = times if times is not None else Times(None, {})
        self._singly: dict[Scrape, _Singly | None] = {}
        self._numbers: list[Ids] = []
        self._values: list[NDArray[np.float64]] = []
        self._asked = -math.inf

    def take(self, result: Iterable[Mapping[str, Any]]) -> None:
        """Series as JSON has them."""
        for element in result:
            labels = element["metric"]
            singly = self._one_by_one(self._names.scrape(labels))
            if singly is not None:
                at, value = element["value"]
                self._asked = max(self._asked, float(at))
                singly.add(labels, float(value))

    def take_columns(self, columns: Columns) -> None:
        """Series as they came. Raises ValueError where labels are no JSON."""
        if columns.labels:
            self._numbers.append(self._memory.numbers(columns.labels, self._scrape_of))
            self._values.append(np.array(columns.values))
            self._asked = max(self._asked, columns.at)

    def samples(self) -> dict[PodKey, PodSample]:
        """Each pod's sample, of the job that has the most to say, then of the newest."""
        found: dict[PodKey, list[tuple[_Rank, PageReading]]] = {}
        for scrape, page in self._pages():
            found.setdefault(scrape.pod, []).append(page)
        for scrape, singly in self._singly.items():
            if singly is not None:
                at = max(singly.at, self._scraped_at(scrape))
                rank = singly.collector.found, at, singly.collector.taken, scrape.job
                found.setdefault(scrape.pod, []).append((rank, singly.reading()))
        samples = {}
        for pod, several in found.items():
            (_, at, _, _), reading = max(several, key=lambda one: one[0])
            samples[pod] = PodSample(reading, max(0.0, self._asked - at) if math.isfinite(at) else 0.0)
        return samples

    def _pages(self) -> Iterable[tuple[Scrape, tuple[_Rank, PageReading]]]:
        """What came as columns, by the scrape, where the numbers are such that a layout tells them."""
        if not self._numbers:
            return
        memory = self._memory
        numbers, values = np.concatenate(self._numbers), np.concatenate(self._values)
        owners = memory.owners[numbers]
        order = np.lexsort((numbers, owners))
        numbers, values, owners = numbers[order], values[order], owners[order]
        starts = np.flatnonzero(np.diff(owners, prepend=-1))
        plain = np.logical_and.reduceat(np.isfinite(values) & (values >= 0), starts).tolist()
        edges, listed = [*starts.tolist(), len(numbers)], values.tolist()
        for (start, end), is_plain in zip(pairwise(edges), plain, strict=True):
            owner = int(owners[start])
            scrape: Scrape = memory.scrapes[owner]
            kind, mine = self._kinds.get(scrape.pod), numbers[start:end]
            if kind is None:
                continue
            layout, sampled = None, None
            if is_plain and scrape not in self._singly and not self._classes.get(scrape.pod):
                layout, sampled = memory.layout(owner, mine, lambda texts, kind=kind: _lay_out(kind, texts))  # type: ignore[misc]
            if layout is None:
                singly = self._one_by_one(scrape)
                assert singly is not None
                for number, value in zip(mine.tolist(), listed[start:end], strict=True):
                    singly.add(orjson.loads(memory.labels[number]), value)
                continue
            at = self._scraped_at(scrape) if sampled is None else listed[start + sampled]
            page = layout.page(listed[start:end])
            yield scrape, ((layout.found, at, end - start, scrape.job), _reading(kind, page))

    def _scraped_at(self, scrape: Scrape) -> float:
        return self._times.by_pod.get(scrape.pod, {}).get(scrape, -math.inf)

    def _scrape_of(self, text: bytes) -> Scrape:
        labels = orjson.loads(text)
        if not isinstance(labels, dict):
            raise ValueError("labels are no object")
        return self._names.scrape(labels)

    def _one_by_one(self, scrape: Scrape) -> _Singly | None:
        """None for pods that nobody asked for."""
        if scrape not in self._singly:
            kind = self._kinds.get(scrape.pod)
            classes = self._classes.get(scrape.pod, ())
            self._singly[scrape] = _Singly(kind, classes) if kind is not None else None
        return self._singly[scrape]


def _lay_out(kind: str, texts: Sequence[bytes]) -> tuple[Any, Any]:
    """What is alike for pods that are laid out alike, and their layout with the place of the time of their scrape."""
    page = [{name: text for name, text in orjson.loads(labels).items() if name in _OWN} for labels in texts]

    def made() -> tuple[Layout | None, int | None]:
        sampled = next((at for at, labels in enumerate(page) if labels.get(MARK) == SAMPLED), None)
        return layout_of(_TABLES[kind], page), sampled

    return (kind, tuple(tuple(labels.items()) for labels in page)), made


def _reading(kind: str, page: Page) -> PageReading:
    return completed(page) if kind == "engine" else page.reading


class _Singly:
    """A page whose series are looked at one by one."""

    def __init__(self, kind: str, classes: Sequence[TrafficClass]) -> None:
        self._kind, self._classes = kind, classes
        self._lines: list[Series] = []
        self.collector = Collector(_TABLES[kind])
        self.at = -math.inf

    def add(self, labels: dict[str, str], number: float) -> None:
        if labels.get(MARK) == SAMPLED:
            self.at = number
            return
        # Prometheus has a series of a job once: there is nothing to look for twins of
        series = Series(labels.get("__name__", ""), labels, number)
        self.collector.add(series)
        if self._classes and series.name in CLASS_LINES:
            self._lines.append(series)

    def reading(self) -> PageReading:
        reading = _reading(self._kind, self.collector.page())
        return with_classes(reading, self._lines, self._classes) if self._classes else reading
