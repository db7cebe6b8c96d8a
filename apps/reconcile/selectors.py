"""What the health probes and the console may know of the queue."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import connection

from apps.reconcile.models import QueueItem


@dataclass(frozen=True)
class QueueState:
    """`due`: keys that could run now. `leased`: worked on now. `oldest_due_seconds`: the longest overdue."""

    total: int
    due: int
    leased: int
    retrying: int
    oldest_due_seconds: float


def queue_state() -> QueueState:
    """Depth and lag of the queue, by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(*),
                   count(*) FILTER (WHERE waiting AND due_at <= clock_timestamp()),
                   count(*) FILTER (WHERE NOT waiting),
                   count(*) FILTER (WHERE waiting AND last_error <> ''),
                   COALESCE(EXTRACT(EPOCH FROM clock_timestamp() - min(due_at)
                            FILTER (WHERE waiting AND due_at <= clock_timestamp())), 0)
            FROM (SELECT due_at, last_error, lease_until IS NULL OR lease_until <= clock_timestamp() AS waiting
                  FROM reconcile_queue) q
            """
        )
        total, due, leased, retrying, oldest = cursor.fetchone()
    return QueueState(total=total, due=due, leased=leased, retrying=retrying, oldest_due_seconds=float(oldest))


def queued(kind: str, uid: UUID) -> QueueItem | None:
    """The queue's row of one object, or None when nothing is asked for."""
    return QueueItem.objects.filter(kind=kind, uid=uid).first()
