"""The work queue in SQL: coalescing enqueue, claims with lease and fencing token, releases; many keys at once.

Every comparison of times happens in the database, so workers need no common clock. An expired lease is claimable:
that is the whole of crash recovery.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.core import prepared
from apps.reconcile.domain.dealing import LEAST_IN_HAND
from apps.reconcile.domain.priority import Priority

LEASE_SECONDS = 30.0
SHARD_LIMIT = 8  # hands of one cluster worked on at once: more connections gain nothing at an API server
_CLAIM_LOCK = 0x6C616D70  # serialises claims, so that the limit of a shard is exact; a claim takes about a millisecond


@dataclass(frozen=True)
class Lease:
    """The right to work on one key until it expires. `fence` is the fencing token.

    `hand`: names the keys that were dealt to one worker together, to be worked on one after another. `due_at`: when
    it had come due.
    `since`: when it was asked for, by this process's monotonic clock; it was held then or later.
    """

    kind: str
    uid: UUID
    shard: str
    fence: int
    attempts: int
    priority: Priority
    since: float = field(default=float("-inf"), compare=False)
    hand: str = field(default="", compare=False)
    due_at: datetime | None = field(default=None, compare=False)


_ENQUEUE = """
INSERT INTO reconcile_queue
       (kind, uid, shard, priority, due_at, enqueued_at, attempts, fence, holder, dirty, last_error)
SELECT %(kind)s, unnest(%(uids)s::uuid[]), %(shard)s, %(priority)s,
       clock_timestamp() + %(delay)s * interval '1 second', clock_timestamp(), 0, 0, '', false, ''
ON CONFLICT (kind, uid) DO UPDATE SET
    due_at = LEAST(reconcile_queue.due_at, EXCLUDED.due_at),
    priority = LEAST(reconcile_queue.priority, EXCLUDED.priority),
    shard = EXCLUDED.shard,
    dirty = true,
    attempts = CASE WHEN EXCLUDED.priority <= %(person)s THEN 0 ELSE reconcile_queue.attempts END
"""

# While a key is worked on, due_at is the end of its lease: what is enqueued meanwhile pulls it forward.
# Shards are found by hopping over the index, and the due keys of each shard and priority by one range of it: a claim
# costs the same however many keys wait. (The statement's time is a constant that an index can be searched for; what
# room a shard has is worked out once, and not again for each key that is taken.)
# The keys of a shard are dealt like cards to as many hands as it has room for, the urgent ones first: slow keys go to
# one worker each, quick ones a few together, many to each worker up to a hand's size.
_CLAIM = """
WITH RECURSIVE shards AS (
    (SELECT shard FROM reconcile_queue ORDER BY shard LIMIT 1)
    UNION ALL
    SELECT (SELECT q.shard FROM reconcile_queue q WHERE q.shard > s.shard ORDER BY q.shard LIMIT 1)
    FROM shards s WHERE s.shard IS NOT NULL
), rooms AS MATERIALIZED (
    SELECT s.shard, LEAST(
        CASE WHEN b.failures >= %(tripped)s THEN 1 ELSE COALESCE(l.concurrency, %(limit)s) END
            - (SELECT count(DISTINCT h.holder) FROM reconcile_queue h
               WHERE h.shard = s.shard AND h.lease_until > statement_timestamp()),
        COALESCE((SELECT f.room FROM unnest(%(shards)s::text[], %(spare)s::int[]) AS f(shard, room)
                  WHERE f.shard = s.shard), %(share)s)) AS room,
        CASE WHEN b.failures >= %(tripped)s THEN 1
             ELSE COALESCE((SELECT f.size FROM unnest(%(sized)s::text[], %(sizes)s::int[]) AS f(shard, size)
                            WHERE f.shard = s.shard), 1) END AS size
    FROM shards s
    LEFT JOIN reconcile_shard b ON b.name = s.shard
    LEFT JOIN reconcile_shard_limit l ON l.name = s.shard
    WHERE s.shard IS NOT NULL AND (b.name IS NULL OR b.open_until <= statement_timestamp())
), due AS MATERIALIZED (
    SELECT d.id, d.priority, d.due_at, r.shard, r.room, r.size
    FROM (SELECT * FROM rooms WHERE room > 0) r
    CROSS JOIN unnest(%(priorities)s::smallint[]) AS p(priority)
    CROSS JOIN LATERAL (
        SELECT q.id, q.priority, q.due_at FROM reconcile_queue q
        WHERE q.shard = r.shard AND q.priority = p.priority AND q.due_at <= statement_timestamp()
          AND (q.lease_until IS NULL OR q.lease_until <= statement_timestamp())
          AND q.kind = ANY(%(kinds)s)
        ORDER BY q.due_at
        LIMIT GREATEST(r.room, 0) * r.size
        FOR UPDATE SKIP LOCKED
    ) d
), ranked AS (
    SELECT due.*, row_number() OVER (PARTITION BY shard ORDER BY priority, due_at, id) AS place,
           LEAST(room, CEIL(count(*) OVER (PARTITION BY shard)::float8 / LEAST(size, %(least)s))::int) AS hands
    FROM due
), dealt AS (
    SELECT id, priority, due_at, shard, place, hands, (place - 1) %% hands AS hand FROM ranked
    WHERE place <= room * size
), hands AS (
    SELECT shard, hand, row_number() OVER (ORDER BY priority, due_at, id) AS number FROM dealt WHERE place <= hands
), claimed AS (
    UPDATE reconcile_queue q SET
        fence = nextval('reconcile_fence'),
        lease_until = clock_timestamp() + %(lease)s * interval '1 second',
        due_at = clock_timestamp() + %(lease)s * interval '1 second',
        holder = t.holder,
        attempts = q.attempts + 1,
        dirty = false
    FROM dealt d JOIN hands USING (shard, hand)
    JOIN unnest(%(holders)s::text[]) WITH ORDINALITY AS t(holder, number) USING (number)
    WHERE q.id = d.id
    RETURNING q.id, q.kind, q.uid, q.shard, q.fence, q.attempts, q.priority, q.holder
)
SELECT c.kind, c.uid, c.shard, c.fence, c.attempts, c.priority, c.holder, due.due_at
FROM claimed c JOIN due USING (id) ORDER BY c.priority, due.due_at, c.id
"""

_MINE = "kind = %(kind)s AND uid = %(uid)s AND fence = %(fence)s AND lease_until > clock_timestamp()"

_RENEW = f"""
UPDATE reconcile_queue SET lease_until = clock_timestamp() + %(lease)s * interval '1 second' WHERE {_MINE}
"""  # noqa: S608  (constants only)

_HOLD = f"SELECT 1 FROM reconcile_queue WHERE {_MINE} FOR UPDATE"  # noqa: S608  (constants only)

# Of several keys those that somebody else has locked are left out: whoever holds one of them may wait for another one
# of ours.
_HELD = """
WITH held AS MATERIALIZED (
    SELECT q.id, s.place
    FROM reconcile_queue q
    JOIN unnest(%(kinds)s::text[], %(uids)s::uuid[], %(fences)s::bigint[]) WITH ORDINALITY
         AS s(kind, uid, fence, place)
      ON q.kind = s.kind AND q.uid = s.uid AND q.fence = s.fence
    WHERE q.lease_until > clock_timestamp()
    FOR UPDATE OF q {wait}
)"""

_PIN = "SELECT place FROM held"

_DELETE_UNLESS_DIRTY = """, gone AS (
    DELETE FROM reconcile_queue q USING held h WHERE q.id = h.id AND NOT q.dirty RETURNING h.place
)
SELECT place FROM gone
"""

_RELEASE = """, released AS (
    UPDATE reconcile_queue q SET
        lease_until = NULL,
        holder = '',
        due_at = CASE WHEN s.unworked THEN LEAST(due_at, s.was_due)
                      WHEN dirty THEN LEAST(due_at, clock_timestamp() + s.delay * interval '1 second')
                      ELSE clock_timestamp() + s.delay * interval '1 second' END,
        priority = CASE WHEN dirty THEN LEAST(q.priority, s.priority) ELSE s.priority END,
        attempts = CASE WHEN s.reset THEN 0 WHEN s.unworked THEN GREATEST(attempts - 1, 0) ELSE attempts END,
        last_error = CASE WHEN s.unworked THEN last_error ELSE s.error END
    FROM held h
    JOIN unnest(%(delays)s::float8[], %(priorities)s::smallint[], %(resets)s::bool[], %(unworked)s::bool[],
                %(was_due)s::timestamptz[], %(errors)s::text[])
         WITH ORDINALITY AS s(delay, priority, reset, unworked, was_due, error, place) USING (place)
    WHERE q.id = h.id
    RETURNING h.place
)
SELECT place FROM released
"""


def enqueue(
    *, kind: str, uids: Iterable[UUID], priority: Priority, delay: float = 0.0, shard: str = "", replace: bool = True
) -> int:
    """Ask for a reconcile of each key `delay` seconds from now; asking again coalesces. Returns the rows written.

    With `replace` False a key that is queued already is left as it is. Rows are locked in the order of their uids, so
    that two who ask for the same keys wait for each other and never deadlock.
    """
    statement = _ENQUEUE if replace else _ENQUEUE.split("ON CONFLICT")[0] + "ON CONFLICT (kind, uid) DO NOTHING"
    with prepared.cursor() as cursor:
        cursor.execute(
            statement,
            {
                "kind": kind,
                "uids": sorted(uids),
                "shard": shard,
                "priority": int(priority),
                "delay": delay,
                "person": int(Priority.PERSON),
            },
        )
        return int(cursor.rowcount)


def claim(
    *,
    kinds: Iterable[str],
    holder: str,
    most: int = 1,
    lease: float = LEASE_SECONDS,
    limit: int = SHARD_LIMIT,
    tripped: int,
    share: int | None = None,
    spare: Mapping[str, int] | None = None,
    sizes: Mapping[str, int] | None = None,
) -> list[Lease]:
    """Take `most` hands of the most urgent due keys that nobody holds, whose shard has room and a closed breaker.

    A hand is of one shard, and of one key unless `sizes` allows that shard more. `lease` is in seconds. A shard with
    `tripped` or more faults in a row is given one key at a time. `spare`: how many more hands a shard may get, `share`
    those that are not named there; `limit` is for those without a limit of their own. [] is nothing.
    """
    now = time.monotonic()
    with transaction.atomic(savepoint=False), prepared.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CLAIM_LOCK])
        cursor.execute(
            _CLAIM,
            {
                "kinds": list(kinds),
                "priorities": [int(priority) for priority in Priority],
                "holders": [f"{holder}#{next(_hands)}" for _ in range(most)],
                "lease": lease,
                "limit": limit,
                "tripped": tripped,
                "share": most if share is None else share,
                "shards": list(spare or {}),
                "spare": list((spare or {}).values()),
                "least": LEAST_IN_HAND,
                "sized": list(sizes or {}),
                "sizes": list((sizes or {}).values()),
            },
        )
        rows = cursor.fetchall()
    return [
        Lease(kind, uid, shard, fence, attempts, Priority(priority), now, hand, due_at)
        for kind, uid, shard, fence, attempts, priority, hand, due_at in rows
    ]


_hands = itertools.count()


def _key(lease: Lease) -> dict[str, Any]:
    return {"kind": lease.kind, "uid": lease.uid, "fence": lease.fence}


def renew(lease: Lease, *, seconds: float = LEASE_SECONDS) -> bool:
    """Hold on for `seconds` from now; False: the lease is lost."""
    with prepared.cursor() as cursor:
        cursor.execute(_RENEW, {**_key(lease), "lease": seconds})
        return bool(cursor.rowcount == 1)


def hold(lease: Lease) -> bool:
    """Within a transaction: pin the lease until commit, so that nobody can claim the key; False: it is lost."""
    with prepared.cursor() as cursor:
        cursor.execute(_HOLD, _key(lease))
        return cursor.fetchone() is not None


def hold_several(leases: Sequence[Lease]) -> set[int]:
    """As `hold`, of several keys; the fences of those that are held. One whose row somebody else has locked counts as
    not held: hold it alone to know."""
    with prepared.cursor() as cursor:
        cursor.execute(_HELD.format(wait="SKIP LOCKED" if len(leases) > 1 else "") + _PIN, _keys(leases))
        return {leases[place - 1].fence for (place,) in cursor.fetchall()}


def _keys(leases: Sequence[Lease]) -> dict[str, Any]:
    return {
        "kinds": [lease.kind for lease in leases],
        "uids": [lease.uid for lease in leases],
        "fences": [lease.fence for lease in leases],
    }


@dataclass(frozen=True)
class Release:
    """How a key is given back: due `delay` seconds from now, sooner if somebody asked meanwhile.

    `reset` forgets failed attempts. `drop`: the key goes altogether, unless somebody asked for it meanwhile.
    `unworked`: nothing was done about it, so that it counts as no attempt and stands where it stood.
    """

    lease: Lease
    delay: float
    priority: Priority
    reset: bool
    error: str = ""
    drop: bool = False
    unworked: bool = False


@transaction.atomic(savepoint=False)
def release(releases: Sequence[Release]) -> list[bool]:
    """Give keys back; for each whether its lease was still held (if not, nothing is written).

    Of several keys, one whose row somebody else has locked counts as not held: release it alone to know.
    """
    wait = "SKIP LOCKED" if len(releases) > 1 else ""
    done = [False] * len(releases)
    with prepared.cursor() as cursor:
        for statement, drop in ((_DELETE_UNLESS_DIRTY, True), (_RELEASE, False)):
            # what was to be dropped and is still there has been asked for
            places = [i for i, one in enumerate(releases) if not done[i] and (one.drop or not drop)]
            if not places:
                continue
            rows = [releases[i] for i in places]
            cursor.execute(
                _HELD.format(wait=wait) + statement,
                {
                    **_keys([row.lease for row in rows]),
                    "delays": [row.delay for row in rows],
                    "priorities": [int(row.priority) for row in rows],
                    "resets": [row.reset for row in rows],
                    "unworked": [row.unworked for row in rows],
                    "was_due": [row.lease.due_at for row in rows],
                    "errors": [row.error[:2000] for row in rows],
                },
            )
            for (place,) in cursor.fetchall():
                done[places[place - 1]] = True
    return done
