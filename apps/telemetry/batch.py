"""Minutes of many pools in one query, for loops that look at all of them in every tick."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from uuid import UUID

from apps.telemetry import rows
from apps.telemetry.domain.signals import Signals
from apps.telemetry.models import Progress
from apps.telemetry.partitions import MINUTES

__all__ = ["minutes_of_pools", "minutes_until"]


def minutes_of_pools(pools: Iterable[UUID], *, after: datetime, until: datetime) -> Iterator[tuple[UUID, Signals]]:
    """(pool, row) of whole pools in (after, until], each pool's in the order of time."""
    for pool, _, row in rows.fetch(MINUTES.name, list(pools), after=after, until=until, variant=""):
        yield pool, row


def minutes_until() -> datetime | None:
    """The end of the last minute that is whole; None before the first."""
    progress = Progress.objects.filter(id=1).first()
    return progress.minutes_until if progress else None
