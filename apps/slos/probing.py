"""Probing pages for signal integrity: what the loops' metrics look like on each page, before anything is added up."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

from apps.core.domain.addresses import refused_inside
from apps.slos.domain.integrity import SeriesFacts
from apps.telemetry import prometheus
from apps.telemetry.domain.exposition import ExpositionError, Series, parse
from apps.telemetry.scrape import Target
from apps.telemetry.targets import Prometheus

__all__ = ["ATTEMPTS", "Probe", "probe_all", "probe_through"]

_ONE_SECONDS = 3.0
_ALL_SECONDS = 20.0
_AT_ONCE = 64
_MAX_BYTES = 8 * 1024 * 1024
# of a histogram one line says whether it is there, whose it is, and whether it moves
_COUNT = "_count"
# how often the picker chose each endpoint: what a target was sent, told by somebody else than itself
ATTEMPTS = "llm_d_epp_scheduler_attempts_total"


@dataclass(frozen=True)
class Probe:
    """`silent`: a sentence when the page could not be read. `series`: metric → what its lines say; `sent`: endpoint
    name → requests that a picker has sent there since it started."""

    silent: str = ""
    series: Mapping[str, SeriesFacts] = field(default_factory=dict)
    sent: Mapping[str, float] = field(default_factory=dict)


async def probe_all(targets: Sequence[Target], wanted: Iterable[str]) -> dict[str, Probe]:
    """A probe for every target's key: of each metric in `wanted` (histograms by their own name) what is there."""
    metrics = tuple(sorted(wanted))
    results = {target.key: Probe(f"{target.name} was not reached in time.") for target in targets}
    if not targets:
        return results
    timeout = aiohttp.ClientTimeout(total=_ONE_SECONDS)
    gate = asyncio.Semaphore(_AT_ONCE)
    async with aiohttp.ClientSession(timeout=timeout, headers={"Accept": "text/plain"}) as session:

        async def one(target: Target) -> None:
            async with gate:
                results[target.key] = await _probe(session, target, metrics)

        tasks = [asyncio.create_task(one(target)) for target in targets]
        _, late = await asyncio.wait(tasks, timeout=_ALL_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return results


def probe_through(source: Prometheus, targets: Sequence[Target], wanted: Iterable[str]) -> dict[str, Probe]:
    """The same of targets that a Prometheus scrapes: by the query that the tick asks it, not by their own pages."""
    names = {name: metric for metric in wanted for name in (metric, f"{metric}_bucket")} | {ATTEMPTS: ATTEMPTS}
    try:
        result = prometheus.ask_series(source.spec, targets)
    except prometheus.PrometheusError as error:
        return {target.key: Probe(f"Prometheus of cluster {source.cluster} {error}.") for target in targets}
    labels = source.spec.labels
    lines: dict[tuple[str, str], list[Series]] = {}
    for element in result:
        metric = element["metric"]
        # of a histogram the last bucket says as much as its count
        if metric.get("le", "+Inf") == "+Inf" and metric.get("__name__") in names:
            pod = (metric.get(labels.namespace, ""), metric.get(labels.pod, ""))
            lines.setdefault(pod, []).append(Series(metric["__name__"], metric, float(element["value"][1])))
    probes = {}
    for target in targets:
        found = lines.get((target.namespace, target.name))
        silent = prometheus.describe(None, target, source.cluster)
        probes[target.key] = _told(found, names) if found else Probe(silent)
    return probes


async def _probe(session: aiohttp.ClientSession, target: Target, metrics: Sequence[str]) -> Probe:
    names = {name: metric for metric in metrics for name in (metric, metric + _COUNT)} | {ATTEMPTS: ATTEMPTS}
    refused = refused_inside(urlsplit(target.url).hostname or "")
    if refused is not None:
        return Probe(f"{target.name} is not read: its address {refused}.")
    try:
        # vLLM's page takes the names that are wanted; whoever does not know the query gives all of it
        query = [("name[]", name) for name in names]
        async with session.get(target.url, params=query, allow_redirects=False) as answer:
            if answer.status != 200:
                return Probe(f"{target.name} answered {answer.status} instead of its metrics.")
            page = await answer.content.read(_MAX_BYTES)
            while more := await answer.content.read(_MAX_BYTES - len(page)):
                page += more
        return _read(page.decode("utf-8", "replace"), names)
    except TimeoutError:
        return Probe(f"{target.name} did not give its metrics within {_ONE_SECONDS:g} s.")
    except (aiohttp.ClientError, OSError) as error:
        return Probe(f"{target.name} cannot be reached for its metrics: {type(error).__name__}.")
    except ExpositionError as error:
        return Probe(f"{target.name} has a metrics page that cannot be read: {error}")


def _read(page: str, names: Mapping[str, str]) -> Probe:
    return _told(parse(page, frozenset(names)), names)


def _told(lines: Iterable[Series], names: Mapping[str, str]) -> Probe:
    models: dict[str, set[str]] = {}
    totals: dict[str, list[float]] = {}
    broken: set[str] = set()
    sent: dict[str, float] = {}
    for line in lines:
        if line.name == ATTEMPTS:
            name = line.labels.get("endpoint_name", "")
            if name and math.isfinite(line.value):
                sent[name] = sent.get(name, 0.0) + line.value
            continue
        metric = names[line.name]
        model = line.labels.get("model_name")
        if model:
            models.setdefault(metric, set()).add(model)
        if math.isfinite(line.value):
            totals.setdefault(metric, []).append(line.value)
        else:
            broken.add(metric)
    found = {*models, *totals, *broken}
    return Probe(
        series={
            metric: SeriesFacts(
                frozenset(models.get(metric, ())),
                sum(totals[metric]) if metric in totals else None,
                metric not in broken,
            )
            for metric in found
        },
        sent=sent,
    )
