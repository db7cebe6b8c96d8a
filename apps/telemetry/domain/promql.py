"""Reading the pages of all pods of a cluster out of one Prometheus query.

What comes back are the samples that Prometheus scraped, by pod, with the time of that scrape: the same totals that a
page has, so that everything behind (restarts, deltas, rows) is the same for both sources. Functions like `rate()` are
not used: they extrapolate, and hide which pod said what.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.catalog.domain.vllm.facts import TABLE_VERSIONS, metrics
from apps.telemetry.domain.classes import CLASS_LINES, TrafficClass, with_classes
from apps.telemetry.domain.engine import TABLE as ENGINE
from apps.telemetry.domain.engine import completed
from apps.telemetry.domain.exposition import Series
from apps.telemetry.domain.gateway import TABLE as GATEWAY
from apps.telemetry.domain.pages import STARTED, Collector, PageTable
from apps.telemetry.domain.readings import PageReading

__all__ = ["MAX_AGE", "PodKey", "PodSample", "query_of", "samples_of"]

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
    where = [f"{namespace_label}=~{_quoted('|'.join(sorted(set(namespaces))))}", f'{pod_label}!=""']
    where += [f"{label}={_quoted(value)}" for label, value in sorted((matchers or {}).items())]
    selector = ",".join(where)
    names = sorted({name for table in _TABLES.values() for name in table.lines})
    return (
        f"{{__name__=~{_quoted('|'.join(names))},{selector}}} or "
        f'label_replace(timestamp({STARTED}{{{selector}}}),"{_MARK}","{_SAMPLED}","","")'
    )


def samples_of(
    result: Sequence[Mapping[str, Any]],
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
    found: dict[PodKey, dict[tuple[str | None, ...], _Scrape]] = {}
    # the labels of the scrape among those of a series: an answer has the same few sets of names many times over
    foreign: dict[tuple[str, ...], tuple[str, ...]] = {}
    for element in result:
        labels = element["metric"]
        pod = (labels.get(namespace_label, ""), labels.get(pod_label, ""))
        kind = kinds.get(pod)
        if kind is None:
            continue
        names = tuple(labels)
        others = foreign.get(names)
        if others is None:
            others = foreign[names] = tuple(sorted(name for name in names if name not in _OWN))
        job = (*others, *[labels[name] for name in others])
        jobs = found.setdefault(pod, {})
        scrape = jobs.get(job)
        if scrape is None:
            scrape = jobs[job] = _Scrape(kind, (classes or {}).get(pod, ()))
        scrape.add(labels, element["value"])
    return {
        pod: scrape.sample()
        for pod, jobs in found.items()
        if (scrape := max(jobs.values(), key=lambda one: (one.collector.found, one.at, one.collector.taken)))
    }


class _Scrape:
    def __init__(self, kind: str, classes: Sequence[TrafficClass]) -> None:
        self.kind = kind
        self._classes, self._lines = classes, list[Series]()
        self.collector = Collector(_TABLES[kind])
        self.at = -math.inf
        self.asked = -math.inf

    def add(self, labels: dict[str, str], value: Sequence[Any]) -> None:
        number = float(value[1])
        self.asked = max(self.asked, float(value[0]))
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
