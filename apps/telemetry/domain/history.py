"""Minutes that nobody watched, from what a Prometheus scraped meanwhile."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.telemetry.domain.deltas import carry, delta
from apps.telemetry.domain.gathering import PodSample, samples_of
from apps.telemetry.domain.promql import MAX_AGE, PodKey
from apps.telemetry.domain.readings import PageReading
from apps.telemetry.domain.signals import Reading, Signals, combine

__all__ = ["KnownPool", "Past", "minutes", "owners"]

# what a ReplicaSet and its pods are called behind the name of their Deployment
_SUFFIX = r"-[a-z0-9]{1,10}-[a-z0-9]{5}"


@dataclass(frozen=True, slots=True)
class KnownPool:
    """A pool as far as its pods' names tell: they are gone, and with them their labels."""

    uid: UUID
    namespace: str
    name: str
    variants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Past:
    """The page of one process at the last moment that was looked at."""

    at: float
    reading: PageReading


@dataclass(slots=True)
class Pasts:
    """What the next stretch of minutes is compared with."""

    by_pod: dict[PodKey, Past] = field(default_factory=dict)


def owners(pods: Iterable[PodKey], pools: Sequence[KnownPool]) -> dict[PodKey, tuple[UUID, str, str]]:
    """(namespace, pod) -> (pool, variant, engine | gateway), by the names that Deployments give their pods."""
    patterns = [
        (pool.namespace, re.compile(f"{re.escape(f'{pool.name}-{part}')}{_SUFFIX}"), (pool.uid, variant, kind))
        for pool in pools
        for part, variant, kind in [*((v, v, "engine") for v in pool.variants), ("epp", "", "gateway")]
    ]
    found = {}
    for namespace, pod in pods:
        for where, pattern, owner in patterns:
            if where == namespace and pattern.fullmatch(pod):
                found[(namespace, pod)] = owner
                break
    return found


def minutes(
    result: Sequence[Mapping[str, Any]],
    pools: Sequence[KnownPool],
    pasts: Pasts,
    *,
    pod_label: str = "pod",
    namespace_label: str = "namespace",
) -> dict[tuple[UUID, str], list[Signals]]:
    """Rows by pool and variant ("" for the pool), in order of time, from the answer to a range query by the minute.

    `pasts` is what the minutes before ended with, and is brought up to the last of these; the first page of a pod is a
    baseline, as it is for a tick.
    """
    pods = {(row["metric"].get(namespace_label, ""), row["metric"].get(pod_label, "")) for row in result}
    owner = owners(pods, pools)
    kinds = {pod: kind for pod, (_, _, kind) in owner.items()}
    moments: dict[float, list[Mapping[str, Any]]] = {}
    for row in result:
        if (row["metric"].get(namespace_label, ""), row["metric"].get(pod_label, "")) in owner:
            for at, value in row["values"]:
                moments.setdefault(float(at), []).append({"metric": row["metric"], "value": (at, value)})
    rows: dict[tuple[UUID, str], list[Signals]] = {}
    for at in sorted(moments):
        samples = samples_of(moments[at], kinds, pod_label=pod_label, namespace_label=namespace_label)
        for key, minute in _of_minute(at, samples, owner, pasts).items():
            rows.setdefault(key, []).append(minute)
    return rows


def _of_minute(
    at: float, samples: Mapping[PodKey, PodSample], owner: Mapping[PodKey, tuple[UUID, str, str]], pasts: Pasts
) -> dict[tuple[UUID, str], Signals]:
    engines: dict[UUID, dict[str, list[Reading]]] = {}
    gateways: dict[UUID, list[Reading]] = {}
    for pod, sample in samples.items():
        pool, variant, kind = owner[pod]
        if sample.age > MAX_AGE or not sample.reading.found:
            continue
        read_at = at - sample.age
        past = pasts.by_pod.get(pod)
        gap = read_at - past.at if past is not None else 0.0
        change = delta(past.reading, sample.reading, gap) if past is not None else None
        if past is None or gap > 0:
            kept = carry(past.reading if past is not None else None, sample.reading, gap)
            pasts.by_pod[pod] = Past(read_at, kept)
        reading = Reading(sample.reading, change)
        if kind == "gateway":
            gateways.setdefault(pool, []).append(reading)
        else:
            engines.setdefault(pool, {}).setdefault(variant, []).append(reading)
    rows = {}
    for pool in {*engines, *gateways}:
        variants = engines.get(pool, {})
        everything = [reading for readings in variants.values() for reading in readings]
        rows[(pool, "")] = combine(at, 60.0, everything, {}, gateways=gateways.get(pool, ()))
        for variant, readings in variants.items():
            rows[(pool, variant)] = combine(at, 60.0, readings, {})
    return rows
