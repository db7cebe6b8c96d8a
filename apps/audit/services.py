"""Writes of the audit room: events and the chain of change records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias
from uuid import UUID

from django.db import connection, transaction

from apps.audit.domain.chain import GENESIS, digest_of
from apps.audit.domain.masking import masked
from apps.audit.models import ChangeRecord, Event
from apps.core import clock, outbox, prepared
from apps.core.changes import Change

# repeats of an event within this time are one line of the timeline
_COALESCE = timedelta(minutes=10)
_CHAIN_LOCK = 0x6C616D70_63686169


@dataclass(frozen=True)
class Happening:
    """What is to be a line on an object's timeline.

    `reason` is one CamelCase word, `message` a sentence (cut at 2,000 characters), `source` the part that saw it
    ("pool-controller").
    """

    kind: str
    uid: UUID
    team: str
    name: str
    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    source: str


@transaction.atomic
def record_event(
    *,
    kind: str,
    uid: UUID,
    team: str,
    name: str,
    type: Literal["Normal", "Warning"],
    reason: str,
    message: str,
    source: str,
) -> Event:
    """Put a line on an object's timeline; the same line again within ten minutes of its last time raises its count.

    As Happening has it. Publishes `event` on the outbox, so call it late in a transaction.
    """
    (pk,) = keep_events([Happening(kind, uid, team, name, type, reason, message, source)])
    outbox.publish(kind=kind, uid=uid, team=team, name=name, verb="event", fields=["events"])
    return Event.objects.get(pk=pk)


def keep_events(happenings: Sequence[Happening]) -> list[int]:
    """As record_event, of several lines, and nothing is published: the caller does, within its transaction.

    Returns the id of each line. (Without instances of the model: each change of a pool comes by here.)
    """
    if not happenings:
        return []
    now = clock.now()
    messages = [one.message[:2000] for one in happenings]
    keys: list[_Key] = [
        (one.uid.hex, one.type, one.reason, one.source, message)
        for one, message in zip(happenings, messages, strict=True)
    ]
    known = _repeatable(happenings, now)
    new: dict[_Key, tuple[Happening, str]] = {}
    times = Counter(keys)
    for key, one, message in zip(keys, happenings, messages, strict=True):
        if key not in known:
            new.setdefault(key, (one, message))
    again = {known[key]: number for key, number in times.items() if key in known}
    with prepared.cursor() as cursor:
        if again:
            cursor.execute(_COUNT, [now, list(again), list(again.values())])
        if new:
            rows = [
                (one.kind, one.uid, one.team, one.name, one.type, one.reason, message, one.source, times[key])
                for key, (one, message) in new.items()
            ]
            cursor.execute(_INSERT, [now, now, *map(list, zip(*rows, strict=True))])
            known |= {key: pk for key, (pk,) in zip(new, cursor.fetchall(), strict=True)}
    return [known[key] for key in keys]


# what makes a line the same again: the object's uid, type, reason, source and message
_Key: TypeAlias = tuple[str, str, str, str, str]


def _repeatable(happenings: Sequence[Happening], now: datetime) -> dict[_Key, int]:
    """Lines that any of these may be a repeat of, locked; the id of the newest of each."""
    with prepared.cursor() as cursor:
        uids = list({one.uid.hex: one.uid for one in happenings}.values())
        cursor.execute(_REPEATABLE, [uids, list({one.reason for one in happenings}), now - _COALESCE])
        return {(uid.hex, type_, reason, source, message): pk for pk, uid, type_, reason, source, message in cursor}


_REPEATABLE = """
SELECT id, uid, type, reason, source, message FROM audit_event
WHERE uid = ANY(%s) AND reason = ANY(%s) AND last_at >= %s ORDER BY last_at, id FOR UPDATE
"""

_COUNT = """
UPDATE audit_event e SET count = e.count + a.times, last_at = %s
FROM unnest(%s::bigint[], %s::int[]) AS a(id, times) WHERE e.id = a.id
"""

# in the order of the lines
_INSERT = """
INSERT INTO audit_event (first_at, last_at, kind, uid, team, name, type, reason, message, source, count)
SELECT %s, %s, kind, uid, team, name, type, reason, message, source, count FROM unnest(
    %s::text[], %s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::int[]
) WITH ORDINALITY AS l(kind, uid, team, name, type, reason, message, source, count, place) ORDER BY place
RETURNING id
"""


def record_changes(changes: Sequence[Change]) -> None:
    """Append change records to the chain; the transaction of the changes holds the chain until it commits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CHAIN_LOCK])
    previous = ChangeRecord.objects.order_by("-id").values_list("digest", flat=True).first() or GENESIS
    now = clock.now()
    records = []
    for change in changes:
        record = ChangeRecord(
            at=now,
            actor=change.actor,
            request_id=change.request_id,
            action=change.action,
            kind=change.kind,
            uid=change.uid,
            team=change.team,
            name=change.name,
            generation=change.generation,
            before=masked(change.before),
            after=masked(change.after),
            reason=change.reason,
            previous_digest=previous,
        )
        record.digest = previous = digest_of(previous, chained_fields(record))
        records.append(record)
    ChangeRecord.objects.bulk_create(records, batch_size=500)


def chained_fields(record: ChangeRecord) -> dict[str, object]:
    """What a record's digest covers: everything but its id and the digests."""
    return {
        "at": record.at.isoformat(),
        "actor": record.actor,
        "requestId": record.request_id,
        "action": record.action,
        "kind": record.kind,
        "uid": str(record.uid),
        "team": record.team,
        "name": record.name,
        "generation": record.generation,
        "before": record.before,
        "after": record.after,
        "reason": record.reason,
    }


def trim_events(*, older_than: timedelta = timedelta(days=14), limit: int = 10_000) -> int:
    """Delete at most `limit` events not seen for that long; returns how many went. Change records stay."""
    old = Event.objects.filter(last_at__lt=clock.now() - older_than).order_by("last_at").values("id")[:limit]
    deleted, _ = Event.objects.filter(id__in=old).delete()
    return deleted
