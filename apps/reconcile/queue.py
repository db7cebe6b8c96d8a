"""The work queue in SQL: coalescing enqueue, claim with lease and fencing token, finish.

Every comparison of times happens in the database, so workers need no common clock. An expired lease is claimable:
that is the whole of crash recovery.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction

from apps.reconcile.domain.priority import Priority

LEASE_SECONDS = 30.0
SHARD_LIMIT = 8  # keys of one cluster worked on at once: more connections gain nothing at an API server
_CLAIM_LOCK = 0x6C616D70  # serialises claims, so that the limit of a shard is exact; a claim takes about a millisecond


@dataclass(frozen=True)
class Lease:
    """The right to work on one key until it expires. `fence` is the fencing token."""

    kind: str
    uid: UUID
    shard: str
    fence: int
    attempts: int
    priority: Priority


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
_CLAIM = """
WITH candidate AS (
    SELECT q.id
    FROM reconcile_queue q
    LEFT JOIN reconcile_shard s ON s.name = q.shard
    WHERE q.due_at <= clock_timestamp()
      AND (q.lease_until IS NULL OR q.lease_until <= clock_timestamp())
      AND q.kind = ANY(%(kinds)s)
      AND q.shard <> ALL(%(full)s)
      AND (s.name IS NULL OR s.open_until <= clock_timestamp())
      AND (SELECT count(*) FROM reconcile_queue b WHERE b.shard = q.shard AND b.lease_until > clock_timestamp())
          < CASE WHEN s.failures >= %(tripped)s THEN 1
                 ELSE COALESCE((SELECT l.concurrency FROM reconcile_shard_limit l WHERE l.name = q.shard), %(limit)s)
                 END
    ORDER BY q.priority, q.due_at, q.id
    FOR UPDATE OF q SKIP LOCKED
    LIMIT 1
)
UPDATE reconcile_queue q SET
    fence = nextval('reconcile_fence'),
    lease_until = clock_timestamp() + %(lease)s * interval '1 second',
    due_at = clock_timestamp() + %(lease)s * interval '1 second',
    holder = %(holder)s,
    attempts = q.attempts + 1,
    dirty = false
FROM candidate c
WHERE q.id = c.id
RETURNING q.kind, q.uid, q.shard, q.fence, q.attempts, q.priority
"""

_MINE = "kind = %(kind)s AND uid = %(uid)s AND fence = %(fence)s AND lease_until > clock_timestamp()"

_RENEW = f"""
UPDATE reconcile_queue SET lease_until = clock_timestamp() + %(lease)s * interval '1 second' WHERE {_MINE}
"""  # noqa: S608  (constants only)

_HOLD = f"SELECT 1 FROM reconcile_queue WHERE {_MINE} FOR UPDATE"  # noqa: S608  (constants only)

_DELETE_UNLESS_DIRTY = f"DELETE FROM reconcile_queue WHERE {_MINE} AND NOT dirty"  # noqa: S608  (constants only)

_RELEASE = f"""
UPDATE reconcile_queue SET
    lease_until = NULL,
    holder = '',
    due_at = CASE WHEN dirty THEN LEAST(due_at, clock_timestamp() + %(delay)s * interval '1 second')
                  ELSE clock_timestamp() + %(delay)s * interval '1 second' END,
    priority = CASE WHEN dirty THEN LEAST(priority, %(priority)s) ELSE %(priority)s END,
    attempts = CASE WHEN %(reset)s THEN 0 ELSE attempts END,
    last_error = %(error)s
WHERE {_MINE}
"""  # noqa: S608  (constants only)


def enqueue(
    *, kind: str, uids: Iterable[UUID], priority: Priority, delay: float = 0.0, shard: str = "", replace: bool = True
) -> int:
    """Ask for a reconcile of each key `delay` seconds from now; asking again coalesces. Returns the rows written.

    With `replace` False a key that is queued already is left as it is.
    """
    statement = _ENQUEUE if replace else _ENQUEUE.split("ON CONFLICT")[0] + "ON CONFLICT (kind, uid) DO NOTHING"
    with connection.cursor() as cursor:
        cursor.execute(
            statement,
            {
                "kind": kind,
                "uids": list(uids),
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
    lease: float = LEASE_SECONDS,
    limit: int = SHARD_LIMIT,
    tripped: int,
    full: Iterable[str] = (),
) -> Lease | None:
    """Take the most urgent due key that nobody holds, whose shard has room and a closed breaker; None: nothing to do.

    `lease` is in seconds. A shard with `tripped` or more faults in a row is given one key at a time; one of `full`
    none; `limit` is for those without a limit of their own.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_CLAIM_LOCK])
        cursor.execute(
            _CLAIM,
            {
                "kinds": list(kinds),
                "holder": holder,
                "lease": lease,
                "limit": limit,
                "tripped": tripped,
                "full": list(full),
            },
        )
        row = cursor.fetchone()
    if row is None:
        return None
    kind, uid, shard, fence, attempts, priority = row
    return Lease(kind=kind, uid=uid, shard=shard, fence=fence, attempts=attempts, priority=Priority(priority))


def _key(lease: Lease) -> dict[str, Any]:
    return {"kind": lease.kind, "uid": lease.uid, "fence": lease.fence}


def renew(lease: Lease, *, seconds: float = LEASE_SECONDS) -> bool:
    """Hold on for `seconds` from now; False: the lease is lost."""
    with connection.cursor() as cursor:
        cursor.execute(_RENEW, {**_key(lease), "lease": seconds})
        return bool(cursor.rowcount == 1)


def hold(lease: Lease) -> bool:
    """Within a transaction: pin the lease until commit, so that nobody can claim the key; False: it is lost."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLD, _key(lease))
        return cursor.fetchone() is not None


def remove(lease: Lease) -> bool:
    """Drop the key if the lease is held and nobody asked for it meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute(_DELETE_UNLESS_DIRTY, _key(lease))
        return bool(cursor.rowcount == 1)


def release(lease: Lease, *, delay: float, priority: Priority, reset: bool, error: str = "") -> bool:
    """Give the key back, due `delay` seconds from now, sooner if somebody asked meanwhile; False: the lease is lost.

    `reset` forgets failed attempts.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            _RELEASE,
            {**_key(lease), "delay": delay, "priority": int(priority), "reset": reset, "error": error[:2000]},
        )
        return bool(cursor.rowcount == 1)
