"""The outbox: what changed, in the order of commits, for streams that must not miss a line."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import connection, transaction

from apps.core import clock
from apps.core.models import OutboxEvent

CHANNEL = "lamplight_outbox"
# any number of our own; held until commit, so that ids become visible in the order in which they were given
_LOCK = 0x6C616D70_6F757462


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the outbox.

    `verb`: created, updated, deleting, deleted, status, event. `fields` names the parts that changed (spec, labels,
    conditions, replicas…).
    """

    kind: str
    uid: uuid.UUID
    team: str
    name: str
    verb: str
    generation: int | None = None
    fields: Sequence[str] = ()


def publish(
    *,
    kind: str,
    uid: uuid.UUID,
    team: str,
    name: str,
    verb: str,
    generation: int | None = None,
    fields: Sequence[str] = (),
) -> int:
    """As `publish_all`, of one line."""
    return publish_all([Line(kind, uid, team, name, verb, generation, fields)])


def publish_all(lines: Sequence[Line]) -> int:
    """Write lines, and notify listeners on `lamplight_outbox` with the last one's id when the transaction commits.

    Returns that id. Must run inside a transaction, as its last write: publishers wait for each other from here to
    their commit. Raises ValueError without a line.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("outbox lines must be published inside transaction.atomic()")
    if not lines:
        raise ValueError("there is no line to publish")
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        events = OutboxEvent.objects.bulk_create(
            [
                OutboxEvent(
                    at=now,
                    kind=line.kind,
                    uid=line.uid,
                    team=line.team,
                    name=line.name,
                    verb=line.verb,
                    generation=line.generation,
                    fields=list(line.fields),
                )
                for line in lines
            ],
            batch_size=500,
        )
        last = events[-1].id
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(last)])
    return last


def trim(*, older_than: timedelta = timedelta(hours=24), limit: int = 10_000) -> int:
    """Delete at most `limit` lines older than that, oldest first; returns how many went."""
    old = OutboxEvent.objects.filter(at__lt=clock.now() - older_than).order_by("id").values("id")[:limit]
    deleted, _ = OutboxEvent.objects.filter(id__in=old).delete()
    return deleted
