"""A cluster's Prometheus: one question a tick for all its pods.

A few pods are one query. Of many, first is asked when each was scraped: only of those that were scraped since the last
tick the page is asked for, its metrics in parts at once. Prometheus takes as long for a page that we know as for a new
one, and most scrape every half a minute.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

from apps.clusters.domain.spec import PrometheusSpec
from apps.telemetry.domain.classes import TrafficClass
from apps.telemetry.domain.exposition import ExpositionError
from apps.telemetry.domain.gathering import Gathering, PodSample, Scrape, Times, times_of
from apps.telemetry.domain.layouts import Memory
from apps.telemetry.domain.promql import (
    MAX_AGE,
    PodKey,
    explained_between,
    explaining_query,
    queries_of,
    query_of,
    times_query,
)
from apps.telemetry.domain.vectors import Columns
from apps.telemetry.promclient import PrometheusError, call

__all__ = ["PrometheusError", "ask", "ask_range", "ask_series", "describe"]

_SECONDS = 6.0
# one query for all pods; of more than so many its metrics are asked for in parts at once, so that a Prometheus uses
# more than one core for them
_PODS_OF_ONE_QUERY = 50
_PARTS = 4
# pods are named in a query when they are no more than so many, and this share of all: else it is of the namespace
_MOST_NAMED, _SHARE_NAMED = 2000, 0.75
_MOST_SOURCES = 256


class Pod(Protocol):
    """What is asked about: a pod of a namespace, of a kind (engine | gateway)."""

    @property
    def name(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def kind(self) -> Any: ...
    @property
    def classes(self) -> tuple[TrafficClass, ...]: ...


@dataclass(frozen=True, slots=True)
class _Held:
    """A page as it was read at `clock` of the Prometheus, when the pod had been scraped at `times`."""

    times: Mapping[Scrape, float]
    asked_for: tuple[str, tuple[TrafficClass, ...]]
    clock: float
    sample: PodSample

    def aged(self, clock: float) -> PodSample:
        return replace(self.sample, age=self.sample.age + max(0.0, clock - self.clock))


@dataclass(slots=True)
class _Source:
    """What this process knows of a Prometheus: what its series are called, and the newest page of each pod. All of it
    may be gone at any time: then more is asked. `explained_at`: when histograms that explain were asked for (Unix
    seconds)."""

    memory: Memory = field(default_factory=Memory)
    held: dict[PodKey, _Held] = field(default_factory=dict)
    explained_at: float | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


_sources: dict[str, _Source] = {}


def ask(
    spec: PrometheusSpec, pods: Sequence[Pod], *, seconds: float = _SECONDS, now: float | None = None
) -> dict[PodKey, PodSample]:
    """The newest samples of these pods; those that Prometheus does not have are missing. Raises PrometheusError.

    Where there are many pods, histograms that only explain others (engine.EXPLANATORY) are there once a minute: it is
    `now` (Unix seconds; by the clock where left out).
    """
    if not pods:
        return {}
    until = time.monotonic() + seconds
    if len(_sources) > _MOST_SOURCES:
        _sources.clear()
    source = _sources.setdefault(spec.model_dump_json(), _Source())
    with source.lock:
        if source.memory.stale:
            source.memory = Memory()
        if len(pods) <= _PODS_OF_ONE_QUERY:
            gathering = _gathering(spec, pods, source.memory)
            query = query_of({pod.namespace for pod in pods}, **_labels(spec), matchers=spec.matchers)
            _gather(spec, [(query, gathering)], {}, until)
            return gathering.samples()
        return _ask_for_news(spec, pods, source, time.time() if now is None else now, until)


def _ask_for_news(
    spec: PrometheusSpec, pods: Sequence[Pod], source: _Source, now: float, until: float
) -> dict[PodKey, PodSample]:
    explaining = explained_between(source.explained_at, now)
    times = _times(spec, pods, {}, until)
    if times.clock is None:
        raise PrometheusError("answered something that is no time")
    # parts are asked for one and the same moment
    moment = {"time": f"{times.clock:.3f}"}
    news = [pod for pod in pods if not _is_held(source, pod, times)]
    page = _gathering(spec, news, source.memory, times)
    more = _gathering(spec, pods, source.memory, times)
    options: dict[str, Any] = {**_labels(spec), "matchers": spec.matchers}
    questions = []
    if news:
        few = len(news) <= min(_MOST_NAMED, _SHARE_NAMED * len(pods))
        named = {pod.name for pod in news} if few else None
        queries = queries_of({pod.namespace for pod in news}, _PARTS, pods=named, **options)
        questions += [(query, page) for query in queries]
    if explaining:
        questions.append((explaining_query({pod.namespace for pod in pods}, explaining, **options), more))
    _gather(spec, questions, moment, until)
    # a scrape that ended meanwhile may be in one part and not in another
    after = _times(spec, pods, moment, until).by_pod
    read, explained = page.samples(), more.samples()
    found: dict[PodKey, PodSample] = {}
    held: dict[PodKey, _Held] = {}
    new = {_key(pod) for pod in news}
    for pod in pods:
        key = _key(pod)
        scraped, known, settled = (
            times.by_pod.get(key, {}),
            source.held.get(key),
            after.get(key) == times.by_pod.get(key),
        )
        if key in new and (settled or known is None):
            sample = read.get(key)
            if sample is not None and settled and scraped:
                held[key] = _Held(scraped, _asked_for(pod), times.clock, sample)
        else:
            assert known is not None
            held[key], sample = known, known.aged(times.clock)
        if sample is not None:
            found[key] = _with(sample, explained[key]) if key in explained and settled else sample
    source.held, source.explained_at = held, now
    return found


def _is_held(source: _Source, pod: Pod, times: Times) -> bool:
    """Whether nobody has scraped the pod since its page was read."""
    held = source.held.get(_key(pod))
    return held is not None and held.times == times.by_pod.get(_key(pod)) and held.asked_for == _asked_for(pod)


def _key(pod: Pod) -> PodKey:
    return pod.namespace, pod.name


def _asked_for(pod: Pod) -> tuple[str, tuple[TrafficClass, ...]]:
    return str(pod.kind), pod.classes


def _with(sample: PodSample, more: PodSample) -> PodSample:
    """The page with the histograms of the same page that were asked for by themselves."""
    reading, extra = sample.reading, more.reading
    return replace(
        sample,
        reading=replace(
            reading,
            counters={**reading.counters, **extra.counters},
            cumulative={**reading.cumulative, **extra.cumulative},
            unreadable=reading.unreadable | extra.unreadable,
        ),
    )


def _gathering(spec: PrometheusSpec, pods: Sequence[Pod], memory: Memory, times: Times | None = None) -> Gathering:
    return Gathering(
        {_key(pod): str(pod.kind) for pod in pods},
        **_labels(spec),
        classes={_key(pod): pod.classes for pod in pods if pod.classes},
        memory=memory,
        times=times,
    )


def _times(spec: PrometheusSpec, pods: Sequence[Pod], moment: Mapping[str, str], until: float) -> Times:
    query = times_query({pod.namespace for pod in pods}, **_labels(spec), matchers=spec.matchers)
    rows = _query(spec, query, moment, until)
    times: Times = _read(lambda: times_of(rows, **_labels(spec)))
    return times


def _gather(
    spec: PrometheusSpec, questions: Sequence[tuple[str, Gathering]], moment: Mapping[str, str], until: float
) -> None:
    """Ask all at once; each answer goes to its gathering."""
    if not questions:
        return
    with ThreadPoolExecutor(len(questions), thread_name_prefix="prometheus-part") as executor:
        answers = {
            executor.submit(_query, spec, query, moment, until, plain=False): gathering
            for query, gathering in questions
        }
        # one is read while the others are still on their way
        for future in as_completed(answers):
            answer, gathering = future.result(), answers[future]
            if isinstance(answer, Columns):
                _read(lambda answer=answer, gathering=gathering: gathering.take_columns(answer))  # type: ignore[misc]
            else:
                _read(lambda answer=answer, gathering=gathering: gathering.take(answer))  # type: ignore[misc]


def _read(read: Callable[[], Any]) -> Any:
    try:
        return read()
    except (ExpositionError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise PrometheusError(f"answered something that cannot be read: {error}") from None


def _query(spec: PrometheusSpec, query: str, moment: Mapping[str, str], until: float, *, plain: bool = True) -> Any:
    seconds = max(0.001, until - time.monotonic())
    options = {"timeout": f"{seconds:.3f}", **moment}
    return call(spec, seconds, lambda client: client.custom_query(query, params=options), plain=plain)


def ask_series(spec: PrometheusSpec, pods: Sequence[Pod], *, seconds: float = _SECONDS) -> list[dict[str, Any]]:
    """What the very query of a tick brings, as Prometheus gives it. Raises PrometheusError."""
    query = query_of({pod.namespace for pod in pods}, **_labels(spec), matchers=spec.matchers)
    return list(_query(spec, query, {}, time.monotonic() + seconds))


def ask_range(
    spec: PrometheusSpec, query: str, *, start: datetime, end: datetime, step: float, seconds: float = 30.0
) -> list[dict[str, Any]]:
    """Samples of a range query as Prometheus gives them. Raises PrometheusError."""
    timeout = {"timeout": f"{seconds:.3f}"}
    return list(
        call(spec, seconds, lambda client: client.custom_query_range(query, start, end, f"{step:g}", params=timeout))
    )


def describe(sample: PodSample | None, pod: Pod, cluster: str) -> str:
    """Why a pod's sample cannot be used, as a sentence; empty where it can."""
    if sample is None:
        return (
            f"Prometheus of cluster {cluster} has no series of pod {pod.namespace}/{pod.name}: check that it scrapes "
            "the pod and keeps the labels that spec.prometheus.labels names."
        )
    if sample.age > MAX_AGE:
        return f"Prometheus of cluster {cluster} scraped pod {pod.name} last {sample.age:.0f} s ago."
    if not sample.reading.found:
        return f"Prometheus of cluster {cluster} knows pod {pod.namespace}/{pod.name}, but none of its metrics."
    return ""


def _labels(spec: PrometheusSpec) -> dict[str, str]:
    return {"pod_label": spec.labels.pod, "namespace_label": spec.labels.namespace}
