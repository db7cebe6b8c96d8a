"""The outbox: what changed, in the order of commits, for streams that must not miss a line."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import orjson
from django.db import connection, transaction

from apps.core import clock, prepared
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
    with prepared.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        cursor.execute(
            _PUBLISH,
            [
                clock.now(),
                [line.kind for line in lines],
                [line.uid for line in lines],
                [line.team for line in lines],
                [line.name for line in lines],
                [line.verb for line in lines],
                [line.generation for line in lines],
                [_fields(tuple(line.fields)) for line in lines],
                CHANNEL,
            ],
        )
        return int(cursor.fetchone()[0])


@functools.lru_cache(maxsize=256)
def _fields(names: tuple[str, ...]) -> str:
    return orjson.dumps(names).decode()


# in the order of the lines; the notice goes out when the transaction commits
_PUBLISH = """
WITH told AS (
    INSERT INTO core_outboxevent (at, kind, uid, team, name, verb, generation, fields)
    SELECT %s, kind, uid, team, name, verb, generation, fields FROM unnest(
        %s::text[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::jsonb[]
    ) WITH ORDINALITY AS l(kind, uid, team, name, verb, generation, fields, place) ORDER BY place
    RETURNING id
), newest AS (SELECT max(id) AS id FROM told)
SELECT id, pg_notify(%s, id::text) FROM newest
"""


def trim(*, older_than: timedelta = timedelta(hours=24), limit: int = 10_000) -> int:
    """Delete at most `limit` lines older than that, oldest first; returns how many went."""
    old = OutboxEvent.objects.filter(at__lt=clock.now() - older_than).order_by("id").values("id")[:limit]
    deleted, _ = OutboxEvent.objects.filter(id__in=old).delete()
    return deleted
