"""The pages of all targets, each from where its cluster says: its Prometheus, or the pod itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from apps.core import clock
from apps.core.instruments import prometheus_seconds, taken
from apps.core.tracing import span
from apps.telemetry import prometheus
from apps.telemetry.scrape import Scraped, Target, scrape_all
from apps.telemetry.targets import PoolTargets, Prometheus

__all__ = ["read_all"]

_PROMETHEUSES_AT_ONCE = 16


def read_all(pools: Sequence[PoolTargets]) -> dict[str, Scraped]:
    """An answer for every target's key, within the deadlines of both sources, which are read at the same time."""
    direct = [target for pool in pools if pool.prometheus is None for target in pool.targets]
    asked: dict[str, tuple[Prometheus, list[Target]]] = {}
    for pool in pools:
        if pool.prometheus is not None and pool.targets:
            asked.setdefault(pool.prometheus.key, (pool.prometheus, []))[1].extend(pool.targets)
    if not asked:
        return asyncio.run(scrape_all(direct))
    now = clock.now().timestamp()
    with ThreadPoolExecutor(
        min(len(asked), _PROMETHEUSES_AT_ONCE), thread_name_prefix="telemetry-prometheus"
    ) as executor:
        futures = [executor.submit(_ask, one, targets, now) for one, targets in asked.values()]
        answers = asyncio.run(scrape_all(direct))
        for future in futures:
            answers |= future.result()
    return answers


def _ask(one: Prometheus, targets: Sequence[Target], now: float) -> dict[str, Scraped]:
    try:
        with taken(prometheus_seconds, result="failed") as labels, span("prometheus.query", targets=len(targets)):
            samples = prometheus.ask(one.spec, targets, now=now)
            labels["result"] = "answered"
    except prometheus.PrometheusError as error:
        why = f"Prometheus of cluster {one.cluster} {error}."
        return {target.key: Scraped(None, why, refused=True) for target in targets}
    answers = {}
    for target in targets:
        sample = samples.get((target.namespace, target.name))
        why = prometheus.describe(sample, target, one.cluster)
        answers[target.key] = Scraped(None, why) if why or sample is None else Scraped(sample.reading, age=sample.age)
    return answers
