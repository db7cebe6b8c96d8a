"""One tick: find the engines, scrape them all, store what they did since the last tick."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from django.db import Error, connection

from apps.core import clock
from apps.telemetry import selectors, services
from apps.telemetry.domain.deltas import carry, delta
from apps.telemetry.domain.engine import EngineReading
from apps.telemetry.domain.signals import Reading, Signals, combine
from apps.telemetry.scrape import Scraped, scrape_all
from apps.telemetry.services import Tick, Totals
from apps.telemetry.targets import PoolTargets, find_targets

__all__ = ["run_tick"]

log = logging.getLogger(__name__)

# any number of our own: one tick at a time in the whole installation
_LOCK = 0x6C616D70_7469636B
# a row stands for the time since the row before it, but never for a stop of the whole system
_LONGEST_ROW = 60.0


def run_tick(find: Callable[[], Sequence[PoolTargets]] = find_targets) -> datetime | None:
    """Run a tick; its time, or None when another one runs or the last one is too young (a message delivered twice).

    Missed ticks are not caught up: the next one counts what happened since, at the rate at which it happened.
    """
    with _lock() as held:
        if not held:
            return None
        last = selectors.last_tick_at()
        started = clock.now()
        if last is not None and 0 <= (started - last).total_seconds() < selectors.INTERVAL / 2:
            return None
        # no transaction is open while the network is waited for
        pools = find()
        targets = [target for pool in pools for target in pool.targets]
        before = services.totals_of(target.key for target in targets)
        scraped = asyncio.run(scrape_all(targets))
        at = clock.now()
        since = (at - last).total_seconds() if last is not None else selectors.INTERVAL
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
    totals: dict[str, tuple[UUID, EngineReading]] = {}
    for pool in pools:
        engines: dict[str, list[Reading]] = {}
        for target in pool.targets:
            answer = scraped[target.key]
            if answer.reading is None:
                if target.key not in pool.leaving:
                    engines.setdefault(target.variant, []).append(Reading(None, reason=answer.reason))
                continue
            last = before.get(target.key)
            gap = (at - last.at).total_seconds() if last else 0.0
            change = delta(last.reading, answer.reading, gap) if last else None
            totals[target.key] = (pool.pool, carry(last.reading if last else None, answer.reading))
            engines.setdefault(target.variant, []).append(Reading(answer.reading, change))
        everything = [reading for found in engines.values() for reading in found]
        for variant, found in [("", everything), *((name, engines.get(name, [])) for name in pool.variants)]:
            row = combine(at.timestamp(), seconds, found, pool.replicas.get(variant, {}))
            rows[(pool.pool, variant)] = row if row.reason or found else _silent(row, pool)
    return Tick(at=at, rows=rows, totals=totals)


def _silent(row: Signals, pool: PoolTargets) -> Signals:
    states = pool.replicas.get("", {})
    starting = states.get("starting", 0)
    why = pool.reason or (f"No replica is ready; {starting} starting." if starting else "No replica is ready.")
    return replace(row, reason=why)


@contextmanager
def _lock() -> Iterator[bool]:
    """An advisory lock of the session: gone with the connection when the process dies."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        row = cursor.fetchone()
    held = bool(row and row[0])
    try:
        yield held
    finally:
        # a connection that broke has lost the lock already
        with suppress(Error):
            if held:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
