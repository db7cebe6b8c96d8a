"""One tick: find the engines, scrape them all, store what they did since the last tick."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from apps.core import clock
from apps.core.instruments import tasks_left_out
from apps.core.locks import advisory
from apps.core.tracing import span
from apps.telemetry import selectors, services
from apps.telemetry.domain.deltas import carry, delta, supplement
from apps.telemetry.domain.readings import PageReading
from apps.telemetry.domain.signals import ROLE, AcceleratorUse, Reading, Signals, combine
from apps.telemetry.domain.tracks import TRACK
from apps.telemetry.reading import read_all
from apps.telemetry.scrape import Scraped, Target
from apps.telemetry.services import ReplicaReading, Tick, Totals
from apps.telemetry.targets import PoolTargets, find_targets

__all__ = ["run_tick"]

log = logging.getLogger(__name__)

# any number of our own: one tick at a time in the whole installation
_LOCK = 0x6C616D70_7469636B
# a row stands for the time since the row before it, but never for a stop of the whole system
_LONGEST_ROW = 60.0
# Seconds without a tick after which a Prometheus is asked for the minutes that were missed.
OUTAGE = 120.0
# Ages are measured to some milliseconds: two readings closer than this (seconds) are of one and the same page.
_SAME_PAGE = 0.5


def run_tick(find: Callable[[], Sequence[PoolTargets]] = find_targets) -> datetime | None:
    """Run a tick; its time, or None when another one runs or the last one is too young (a message delivered twice).

    Missed ticks are not caught up: the next one counts what happened since, at the rate at which it happened.
    """
    with advisory(_LOCK) as held:
        if not held:
            tasks_left_out.labels(loop="telemetry").inc()
            return None
        last = selectors.last_tick_at()
        started = clock.now()
        if last is not None and 0 <= (started - last).total_seconds() < selectors.INTERVAL / 2:
            tasks_left_out.labels(loop="telemetry").inc()
            return None
        # no transaction is open while the network is waited for
        with span("telemetry.find"):
            pools = find()
        targets = [target for pool in pools for target in pool.targets]
        before = services.totals_of(target.key for target in targets)
        with span("telemetry.read", targets=len(targets)):
            scraped = read_all(pools)
        at = clock.now()
        since = (at - last).total_seconds() if last is not None else selectors.INTERVAL
        if last is not None and since > OUTAGE:
            services.note_outage(last, at)
        with span("telemetry.store"):
            services.record_tick(_tick(pools, scraped, before, at=at, seconds=min(max(since, 0.001), _LONGEST_ROW)))
        return at


def _tick(
    pools: Sequence[PoolTargets],
    scraped: Mapping[str, Scraped],
    before: Mapping[str, Totals],
    *,
    at: datetime,
    seconds: float,
) -> Tick:
    rows: dict[tuple[UUID, str], Signals] = {}
    totals: dict[str, tuple[UUID, PageReading, datetime]] = {}
    replicas: dict[str, ReplicaReading] = {}
    for pool in pools:
        engines: dict[str, list[Reading]] = {}
        gateways: list[Reading] = []
        tracks = _tracks(pool)
        members_of: dict[str, list[Reading]] = {}
        for target in pool.targets:
            answer = scraped[target.key]
            if answer.reading is None and target.key in pool.leaving:
                continue
            reading = _read(pool, target, answer, before, totals, at=at)
            if target.kind == "gateway":
                gateways.append(reading)
                continue
            engines.setdefault(target.variant, []).append(reading)
            if target.key in tracks:
                members_of.setdefault(tracks[target.key], []).append(reading)
            replicas[target.key] = ReplicaReading(
                pool.pool, target.variant, target.name, reading.reading, reading.delta, reading.reason
            )
        for key, variants in _groups(pool).items():
            members = [reading for variant in variants for reading in engines.get(variant, [])]
            row = combine(
                at.timestamp(),
                seconds,
                members,
                pool.replicas.get(key, {}),
                gateways=gateways if key == "" else (),
                held=_held(pool, variants),
            )
            row = replace(row, sources={**row.sources, **_sources(pool, scraped)})
            rows[(pool.pool, key)] = row if row.reason or members else _silent(row, pool)
        for key, members in members_of.items():
            rows[(pool.pool, key)] = combine(at.timestamp(), seconds, members, {})
    return Tick(at=at, rows=rows, totals=totals, replicas=replicas)


def _read(
    pool: PoolTargets,
    target: Target,
    answer: Scraped,
    before: Mapping[str, Totals],
    totals: dict[str, tuple[UUID, PageReading, datetime]],
    *,
    at: datetime,
) -> Reading:
    """What a target says beside what it said before; `totals` gets what the next tick compares with."""
    if answer.reading is None:
        return Reading(None, reason=answer.reason)
    last = before.get(target.key)
    read_at = at - timedelta(seconds=answer.age)
    gap = (read_at - last.at).total_seconds() if last else 0.0
    if pool.prometheus is not None and gap > OUTAGE:
        # what happened meanwhile is filled in minute by minute: here it would count a second time
        last = None
    if last is not None and 0 <= gap < _SAME_PAGE:
        # nobody has scraped it since: it says how things are, and of what happened only what was not asked for before
        more = supplement(last.reading, answer.reading, gap)
        if more is None:
            return Reading(answer.reading)
        totals[target.key] = (pool.pool, more[0], last.at)
        return Reading(answer.reading, more[1])
    totals[target.key] = (pool.pool, carry(last.reading if last else None, answer.reading, gap), read_at)
    return Reading(answer.reading, delta(last.reading, answer.reading, gap) if last else None)


def _groups(pool: PoolTargets) -> dict[str, list[str]]:
    """What gets a row of its own -> the variants that it is made of."""
    known = list(dict.fromkeys([*pool.variants, *(target.variant for target in pool.targets if target.variant)]))
    groups = {"": ["", *known], **{variant: [variant] for variant in pool.variants}}
    roles = set(pool.roles.values())
    if roles - {"both"}:
        for role in sorted(roles):
            groups[f"{ROLE}{role}"] = [variant for variant in pool.variants if pool.roles.get(variant) == role]
    return groups


def _tracks(pool: PoolTargets) -> dict[str, str]:
    """Key of a target -> the row of its track; those of variants that have both a canary and others."""
    engines = [target for target in pool.targets if target.kind == "engine" and target.key not in pool.leaving]
    both = {one.variant for one in engines if one.canary} & {one.variant for one in engines if not one.canary}
    return {one.key: f"{TRACK}{'canary' if one.canary else 'stable'}" for one in engines if one.variant in both}


def _held(pool: PoolTargets, variants: Sequence[str]) -> list[AcceleratorUse] | None:
    if pool.held is None:
        return None
    return [pool.held[variant] for variant in variants if variant in pool.held]


def _sources(pool: PoolTargets, scraped: Mapping[str, Scraped]) -> dict[str, Any]:
    """Who has read the pages, where that was not us; and who failed as a whole, with the sentence why."""
    told: dict[str, Any] = {"engine": {"kind": "prometheus"}} if pool.prometheus is not None else {}
    refused = next((a.reason for target in pool.targets if (a := scraped[target.key]).refused), "")
    if pool.reason or refused:
        told["failed"] = {"cluster": pool.reason} if pool.reason else {"prometheus": refused}
    return told


def _silent(row: Signals, pool: PoolTargets) -> Signals:
    states = pool.replicas.get("", {})
    starting = states.get("starting", 0)
    why = pool.reason or (f"No replica is ready; {starting} starting." if starting else "No replica is ready.")
    return replace(row, reason=why)
