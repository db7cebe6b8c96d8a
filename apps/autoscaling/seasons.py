"""Earlier days and weeks of many pools: ten-minute rows around this time of day, read once in ten minutes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from apps.autoscaling.domain.season import LOOK_BACKS, Earlier
from apps.telemetry.selectors import arrivals

__all__ = ["earlier"]

# rows are read this far before and after the moment, so that they last for ten minutes and the longest start-up
_BEFORE, _AFTER = timedelta(minutes=20), timedelta(minutes=50)
_LASTS = 600
_held: dict[UUID, Earlier] = {}
_slot: list[int] = [-1]
_lock = threading.Lock()


def earlier(pools: Sequence[UUID], now: datetime) -> dict[UUID, Earlier]:
    """By pool, those with history only. At most two queries, mostly none: what was read lasts for ten minutes."""
    slot = int(now.timestamp()) // _LASTS
    with _lock:
        if _slot[0] != slot:
            _held.clear()
            _slot[0] = slot
        missing = [pool for pool in pools if pool not in _held]
        if missing:
            found: dict[UUID, dict[float, list[tuple[float, float, float]]]] = {pool: {} for pool in missing}
            for look_back in LOOK_BACKS:
                then = now - timedelta(seconds=look_back)
                for pool, rows in arrivals(missing, after=then - _BEFORE, until=then + _AFTER).items():
                    found[pool][look_back] = rows
            _held.update(found)
        return {pool: _held[pool] for pool in pools if _held[pool]}
