"""The newest figures of every pool, for lists: what the last minutes and the last hour say, one row a pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from apps.core import clock
from apps.telemetry import partitions
from apps.telemetry.domain import measures
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.measures import Measure, reads_of
from apps.telemetry.domain.samples import Known, NoTraffic, Sample, Unknown
from apps.telemetry.domain.signals import Signals, merge
from apps.telemetry.models import PoolSummary, Progress, Signal
from apps.telemetry.rows import fetch, wanted
from apps.telemetry.storing import insert, signals_from

__all__ = ["FIGURES", "summarise", "summarise_all"]

# what lists show: name -> (measure, seconds of window)
FIGURES: Mapping[str, tuple[Measure, float]] = {
    "requests_per_second": (measures.rate("requests"), 60),
    "errors_per_second": (measures.rate("errors"), 60),
    "prompt_tokens_per_second": (measures.rate("prompt_tokens"), 60),
    "tokens_per_second": (measures.rate("generation_tokens"), 60),
    "ttft_p95": (measures.quantile("ttft", 0.95), 300),
    "itl_p95": (measures.quantile("itl", 0.95), 300),
    "hit_rate": (measures.hit_rate, 300),
    "running": (measures.gauge("running"), 30),
    "waiting": (measures.gauge("waiting"), 30),
    "kv_max": (measures.gauge("kv_max"), 30),
}
_FIGURE_NAMES = wanted(reads_of(measure for measure, _ in FIGURES.values()) or ())
_LONGEST = timedelta(seconds=max(seconds for _, seconds in FIGURES.values()))
_HOUR = timedelta(hours=1)


def summarise_all() -> None:
    """Bring the newest figures up to the newest rows of every pool."""
    now = clock.now()
    newest = {
        (row.pool, ""): signals_from(row)
        for row in Signal.objects.filter(at__gt=now - timedelta(seconds=30), at__lte=now, variant="").order_by("at")
    }
    progress = Progress.objects.filter(id=1).first()
    if newest and progress is not None and progress.minutes_until is not None:
        summarise(now, newest, progress.minutes_until)


def summarise(at: datetime, newest: Mapping[tuple[UUID, str], Signals], minutes_until: datetime) -> None:
    """Bring the figures up to a tick. `newest`: its rows by (pool, variant); `minutes_until`: the end of the last whole
    minute."""
    pools = [pool for pool, variant in newest if not variant]
    recent: dict[UUID, list[Signals]] = {pool: [] for pool in pools}
    found = fetch(partitions.RAW.name, pools, after=at - _LONGEST, until=at, variant="", want=_FIGURE_NAMES)
    for pool, _, past in found:
        recent[pool].append(past)
    before = {row.pool: row for row in PoolSummary.objects.filter(pool__in=pools)}
    hours = _hours(before, pools, minutes_until)
    summaries = []
    for pool in pools:
        old = before.get(pool)
        row = newest[(pool, "")]
        if row.scraped:
            last_sample_at: datetime | None = at
        else:
            last_sample_at = old.last_sample_at if old else None
        summaries.append(
            {
                "pool": pool,
                "at": at,
                "last_sample_at": last_sample_at,
                "reason": row.reason,
                "figures": _figures(recent[pool], at.timestamp()),
                "hour": hours.get(pool, old.hour if old else {}),
                "hour_until": minutes_until,
            }
        )
    insert(PoolSummary, summaries, key=("pool",))


def _figures(rows: Sequence[Signals], now: float) -> dict[str, Any]:
    # most figures share a window, and merging is what takes the time
    windows = {seconds: [row for row in rows if row.at > now - seconds] for _, seconds in FIGURES.values()}
    merged = {seconds: merge(inside) for seconds, inside in windows.items() if inside}
    nothing = Unknown("No tick has been stored in the window.")
    return {
        name: _stored(measure(merged[seconds]) if seconds in merged else nothing)
        for name, (measure, seconds) in FIGURES.items()
    }


def _stored(sample: Sample) -> dict[str, Any]:
    match sample:
        case Known(value=value):
            return {"value": value}
        case NoTraffic():
            return {"state": "no_traffic"}
        case Unknown(reason=reason):
            return {"state": "unknown", "reason": reason}


def _hours(before: Mapping[UUID, PoolSummary], pools: Sequence[UUID], until: datetime) -> dict[UUID, dict[str, str]]:
    """Observations of the hour up to `until` by pool and family, packed; pools whose hour is that one are left out.

    The hour moves on by what came and what left it: two rows of a pool are read, not sixty.
    """
    moved: dict[datetime, list[UUID]] = {}
    fresh: list[UUID] = []
    for pool in pools:
        held = before[pool].hour_until if pool in before else None
        if held is None or not timedelta(0) <= until - held < _HOUR:
            fresh.append(pool)
        elif held < until:
            moved.setdefault(held, []).append(pool)
    hours = _observed(fresh, until - _HOUR, until)
    for held, members in moved.items():
        came, left = _observed(members, held, until), _observed(members, held - _HOUR, until - _HOUR)
        for pool in members:
            old = {family: Histogram.from_json(packed) for family, packed in before[pool].hour.items()}
            new, gone = came.get(pool, {}), left.get(pool, {})
            nothing = Histogram()
            hours[pool] = {
                family: old.get(family, nothing) + new.get(family, nothing) - gone.get(family, nothing)
                for family in {*old, *new}
            }
    return {
        pool: {family: histogram.pack() for family, histogram in hours.get(pool, {}).items() if histogram.counts}
        for pool in (*fresh, *(member for members in moved.values() for member in members))
    }


def _observed(pools: Sequence[UUID], since: datetime, until: datetime) -> dict[UUID, dict[str, Histogram]]:
    if not pools:
        return {}
    parts: dict[UUID, dict[str, list[Histogram]]] = {}
    minutes = fetch(partitions.MINUTES.name, pools, after=since, until=until, variant="", want={"histograms": None})
    for pool, _, row in minutes:
        of_pool = parts.setdefault(pool, {})
        for family, histogram in row.histograms.items():
            of_pool.setdefault(family, []).append(histogram)
    return {
        pool: {family: Histogram.sum(found) for family, found in families.items()} for pool, families in parts.items()
    }
