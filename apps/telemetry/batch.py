"""Minutes of many pools in one query, for loops that look at all of them in every tick."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

from apps.telemetry.domain.signals import Signals
from apps.telemetry.models import Progress, SignalMinute
from apps.telemetry.services import signals_from

__all__ = ["minutes_of_pools", "minutes_until"]


def minutes_of_pools(pools: Iterable[UUID], *, after: datetime, until: datetime) -> Iterator[tuple[UUID, Signals]]:
    """(pool, row) of whole pools in (after, until], each pool's in the order of time."""
    wanted = list(pools)
    if not wanted:
        return
    found = SignalMinute.objects.filter(pool__in=wanted, variant="", at__gt=after, at__lte=until).order_by("at")
    for row in found.iterator(chunk_size=2000):
        yield row.pool, signals_from(row)


def minutes_until() -> datetime | None:
    """The end of the last minute that is whole; None before the first."""
    progress = Progress.objects.filter(id=1).first()
    return progress.minutes_until if progress else None
