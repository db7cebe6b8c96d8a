"""What the control plane counts of itself.

Each process counts on its own. With PROMETHEUS_MULTIPROC_DIR set to a folder that the processes of one machine share
(as `make up` does), `page()` adds all of them up; without it, it is of this process alone.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

__all__ = [
    "http_seconds",
    "page",
    "prometheus_seconds",
    "reconcile_seconds",
    "scrape_seconds",
    "taken",
    "task_seconds",
    "tasks_left_out",
]  # fmt: skip

_REGISTRY = CollectorRegistry()
_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LONG = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


def _histogram(name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
    return Histogram(f"lamplight_{name}", text, labels, buckets=buckets, registry=_REGISTRY)


http_seconds = _histogram(
    "http_request_seconds", "Requests to this server until their answer begins", ("method", "route", "status"), _QUICK
)
reconcile_seconds = _histogram(
    "reconcile_seconds", "Reconciles of one object, by how they ended", ("kind", "outcome"), _LONG
)
task_seconds = _histogram("task_seconds", "Celery tasks: wake-ups and ticks", ("task", "state"), _LONG)
scrape_seconds = _histogram("scrape_seconds", "Metrics pages read from pods", ("kind", "result"), _QUICK)
prometheus_seconds = _histogram("prometheus_query_seconds", "Queries to a cluster's Prometheus", ("result",), _QUICK)
tasks_left_out = Counter(
    "lamplight_ticks_left_out", "Ticks not begun because another one ran or was too near", ("loop",), registry=_REGISTRY
)


@contextmanager
def taken(histogram: Histogram, **labels: str) -> Iterator[dict[str, str]]:
    """Observe how long the block takes; it may set labels that are known only at its end in what it is given."""
    known = dict(labels)
    started = time.perf_counter()
    try:
        yield known
    finally:
        _labelled(histogram, tuple(known.items())).observe(time.perf_counter() - started)


@functools.lru_cache(maxsize=4096)
def _labelled(histogram: Histogram, labels: tuple[tuple[str, str], ...]) -> Histogram:
    return histogram.labels(**dict(labels))


def page(more: Iterable[Collector] = ()) -> bytes:
    """The text format: what was counted, and what `more` collectors find out now."""
    registry = CollectorRegistry()
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder:
        MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    for collector in more:
        registry.register(collector)
    return generate_latest(registry) + (b"" if folder else generate_latest(_REGISTRY))
