"""The outbox: what changed, in the order of commits, for streams that must not miss a line."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

from django.db import connection, transaction

from apps.core import clock
from apps.core.models import OutboxEvent

CHANNEL = "lamplight_outbox"
# any number of our own; held until commit, so that ids become visible in the order in which they were given
_LOCK = 0x6C616D70_6F757462


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
    """Write one line and notify listeners on `lamplight_outbox` with its id when the transaction commits.

    `verb`: created, updated, deleting, deleted, status, event. `fields` names the parts that changed (spec, labels,
    conditions, replicas…). Returns the id. Must run inside a transaction, as its last write: publishers wait for each
    other from here to their commit.
    """
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("outbox.publish must be called inside transaction.atomic()")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        event = OutboxEvent.objects.create(
            at=clock.now(),
            kind=kind,
            uid=uid,
            team=team,
            name=name,
            verb=verb,
            generation=generation,
            fields=list(fields),
        )
        cursor.execute("SELECT pg_notify(%s, %s)", [CHANNEL, str(event.id)])
    return event.id


def trim(*, older_than: timedelta = timedelta(hours=24), limit: int = 10_000) -> int:
    """Delete at most `limit` lines older than that, oldest first; returns how many went."""
    old = OutboxEvent.objects.filter(at__lt=clock.now() - older_than).order_by("id").values("id")[:limit]
    deleted, _ = OutboxEvent.objects.filter(id__in=old).delete()
    return deleted
