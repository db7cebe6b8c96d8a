"""Signals in the database, as ticks of telemetry would have stored them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from apps.telemetry import partitions
from apps.telemetry.domain.signals import Signals
from apps.telemetry.models import Progress, SignalMinute


def store_minutes(pool: UUID, rows: Iterable[Signals], variant: str = "") -> None:
    """Store rows as minutes (their `at` is the end of the minute), and say that minutes are whole up to the last."""
    made = []
    for row in rows:
        at = datetime.fromtimestamp(row.at).astimezone()
        partitions.ensure(partitions.MINUTES, at)
        made.append(
            SignalMinute(
                pool=pool,
                variant=variant,
                at=at,
                seconds=row.seconds,
                targets=row.targets,
                scraped=row.scraped,
                reason=row.reason,
                **row.to_json(),
            )
        )
    SignalMinute.objects.bulk_create(made, batch_size=500)
    whole_until(made[-1].at)


def whole_until(at: datetime) -> None:
    """Say that telemetry's minutes are whole up to `at`."""
    Progress.objects.update_or_create(id=1, defaults={"minutes_until": at, "last_tick_at": at})


def minutes(start: datetime, count: int, **values: Any) -> list[Signals]:
    """`count` rows of one minute each after `start`, all alike."""
    base = {"targets": 1, "scraped": 1, **values}
    return [Signals(at=(start + timedelta(minutes=n + 1)).timestamp(), seconds=60.0, **base) for n in range(count)]
