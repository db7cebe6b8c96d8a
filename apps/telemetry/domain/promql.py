"""Reading the pages of all pods of a cluster out of one Prometheus query.

What comes back are the samples that Prometheus scraped, by pod, with the time of that scrape: the same totals that a
page has, so that everything behind (restarts, deltas, rows) is the same for both sources. Functions like `rate()` are
not used: they extrapolate, and hide which pod said what.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from apps.catalog.domain.vllm.facts import TABLE_VERSIONS, metrics
from apps.telemetry.domain.classes import CLASS_LINES, TrafficClass, with_classes
from apps.telemetry.domain.engine import EXPLANATORY, FAMILIES, completed
from apps.telemetry.domain.engine import TABLE as ENGINE
from apps.telemetry.domain.exposition import Series
from apps.telemetry.domain.gateway import TABLE as GATEWAY
from apps.telemetry.domain.pages import STARTED, Collector, PageTable
from apps.telemetry.domain.readings import PageReading
from apps.telemetry.domain.vectors import Memory, Triple

__all__ = [
    "MAX_AGE", "Gathering", "Place", "PodKey", "PodSample", "queries_of", "query_of", "samples_of",
]  # fmt: skip

# Seconds after which the newest sample of a pod says nothing of the present any more.
MAX_AGE = 60.0

PodKey = tuple[str, str]

_SAMPLED = "sampled_at"
_MARK = "lamplight"
# the labels of the metrics themselves; every other label is of the scrape that brought them
_GATEWAY_LABELS = (
    "model_name", "target_model_name", "error_code", "fairness_id", "priority", "outcome", "type", "streaming",
    "inference_pool", "stage", "source_type", "endpoint_name", "port", "status", "name",
)  # fmt: skip
_OWN = frozenset(
    {"__name__", "le", _MARK, *_GATEWAY_LABELS}
    | {
        label
        for version in TABLE_VERSIONS
        for name, metric in metrics(version).items()
        if name in ENGINE.metrics
        for label in metric.labels
    }
)
_TABLES: Mapping[str, PageTable] = {"engine": ENGINE, "gateway": GATEWAY}


_EXPLAINING = frozenset(f"{FAMILIES[family]}_{part}" for family in EXPLANATORY for part in ("bucket", "sum"))


@dataclass(frozen=True, slots=True)
class PodSample:
    """What Prometheus knows of a pod: its newest page, and how many seconds before the query that was scraped."""

    reading: PageReading
    age: float


def query_of(
    namespaces: Iterable[str], *, pod_label: str = "pod", namespace_label: str = "namespace",
    matchers: Mapping[str, str] | None = None,
) -> str:  # fmt: skip
    """The one query for all engines and endpoint pickers in these namespaces, and when each was scraped."""
    (query,) = queries_of(namespaces, 1, pod_label=pod_label, namespace_label=namespace_label, matchers=matchers)
    return query


def queries_of(
    namespaces: Iterable[str], parts: int, *, pod_label: str = "pod", namespace_label: str = "namespace",
    matchers: Mapping[str, str] | None = None, whole: bool = True,
) -> list[str]:  # fmt: skip
    """The same in so many parts that can be asked at once, each of other metrics of all pods (and one more, of when
    they were scraped). `whole` False: without the histograms that only explain others (a third of all series)."""
    where = [f"{namespace_label}=~{_quoted('|'.join(sorted(set(namespaces))))}", f'{pod_label}!=""']
    where += [f"{label}={_quoted(value)}" for label, value in sorted((matchers or {}).items())]
    selector = ",".join(where)
    # histograms have most of the series: sorted so, each part gets as many of them
    names = sorted(
        {name for table in _TABLES.values() for name in table.lines if whole or name not in _EXPLAINING},
        key=lambda name: (not name.endswith("_bucket"), name),
    )
    queries = [f"{{__name__=~{_quoted('|'.join(sorted(names[n::parts])))},{selector}}}" for n in range(parts)]
    scraped = f'label_replace(timestamp({STARTED}{{{selector}}}),"{_MARK}","{_SAMPLED}","","")'
    if parts == 1:
        return [f"{queries[0]} or {scraped}"]
    # by itself: `or` would look at every series of the other side
    return [*queries, scraped]


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


class _Scraped(NamedTuple):
    """Whose scrape a series is of: the pod, and the labels that the scrape put on it."""

    pod: PodKey
    job: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a series belongs. `bucket`: family, preference and edge of an engine's histogram, None for all else."""

    scraped: _Scraped
    labels: dict[str, str]
    bucket: tuple[str, int, float] | None


class Gathering:
    """Puts series together by pod, from one answer or from several parts of it. Arguments as of `samples_of`."""

    def __init__(
        self,
        kinds: Mapping[PodKey, str],
        *,
        pod_label: str = "pod",
        namespace_label: str = "namespace",
        classes: Mapping[PodKey, Sequence[TrafficClass]] | None = None,
    ) -> None:
        self._kinds, self._classes = kinds, classes or {}
        self._pod_label, self._namespace_label = pod_label, namespace_label
        self._scrapes: dict[_Scraped, _Scrape | None] = {}
        self._shared: dict[_Scraped, _Scraped] = {}
        # the labels of the scrape among those of a series: an answer has the same few sets of names many times over
        self._foreign: dict[tuple[str, ...], tuple[str, ...]] = {}

    def take(self, result: Iterable[Mapping[str, Any]]) -> None:
        """Series as JSON has them."""
        for element in result:
            labels = element["metric"]
            scrape = self._scrape(self._scraped(labels))
            if scrape is not None:
                at, value = element["value"]
                scrape.add(labels, float(at), float(value))

    def take_triples(self, found: list[Triple], memory: Memory[Place]) -> None:
        """Series as they came; `memory` of the same query's earlier answers."""
        owners: dict[int, _Scrape | None] = {}
        for (_, at, text), place in zip(found, memory.recall(found, self._place), strict=True):
            scraped = place.scraped
            try:
                # by its identity: places of one scrape share it
                scrape = owners[id(scraped)]
            except KeyError:
                scrape = owners[id(scraped)] = self._scrape(scraped)
            if scrape is None:
                continue
            if place.bucket is not None and scrape.kind == "engine":
                scrape.collector.add_bucket(*place.bucket, float(text))
            else:
                scrape.add(place.labels, float(at), float(text))

    def samples(self) -> dict[PodKey, PodSample]:
        jobs: dict[PodKey, list[_Scrape]] = {}
        for (pod, _), scrape in self._scrapes.items():
            if scrape is not None:
                jobs.setdefault(pod, []).append(scrape)
        return {
            pod: max(several, key=lambda one: (one.collector.found, one.at, one.collector.taken)).sample()
            for pod, several in jobs.items()
        }

    def _place(self, text: bytes) -> Place:
        labels = orjson.loads(text)
        scraped = self._scraped(labels)
        lines = ENGINE.lines.get(labels.get("__name__", ""), ())
        bucket = None
        if len(lines) == 1 and lines[0][0] == "bucket" and _MARK not in labels:
            _, family, rank, _, _ = lines[0]
            edge = float(labels.get("le", "nan"))
            bucket = None if math.isnan(edge) else (family, rank, edge)
        return Place(self._shared.setdefault(scraped, scraped), labels, bucket)

    def _scraped(self, labels: Mapping[str, str]) -> _Scraped:
        names = tuple(labels)
        others = self._foreign.get(names)
        if others is None:
            others = self._foreign[names] = tuple(sorted(name for name in names if name not in _OWN))
        pod = (labels.get(self._namespace_label, ""), labels.get(self._pod_label, ""))
        return _Scraped(pod, (*others, *[labels[name] for name in others]))

    def _scrape(self, scraped: _Scraped) -> _Scrape | None:
        """None for pods that nobody asked for."""
        if scraped not in self._scrapes:
            kind = self._kinds.get(scraped.pod)
            self._scrapes[scraped] = _Scrape(kind, self._classes.get(scraped.pod, ())) if kind is not None else None
        return self._scrapes[scraped]


class _Scrape:
    def __init__(self, kind: str, classes: Sequence[TrafficClass]) -> None:
        self.kind = kind
        self._classes, self._lines = classes, list[Series]()
        self.collector = Collector(_TABLES[kind])
        self.at = -math.inf
        self.asked = -math.inf

    def add(self, labels: dict[str, str], asked: float, number: float) -> None:
        self.asked = max(self.asked, asked)
        if labels.get(_MARK) == _SAMPLED:
            self.at = number
            return
        # Prometheus has a series of a job once: there is nothing to look for twins of
        series = Series(labels.get("__name__", ""), labels, number)
        self.collector.add(series)
        if self._classes and series.name in CLASS_LINES:
            self._lines.append(series)

    def sample(self) -> PodSample:
        page = self.collector.page()
        reading = completed(page) if self.kind == "engine" else page.reading
        if self._classes:
            reading = with_classes(reading, self._lines, self._classes)
        return PodSample(reading, max(0.0, self.asked - self.at) if math.isfinite(self.at) else 0.0)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
