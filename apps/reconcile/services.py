"""Writes to the work queue."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias
from uuid import UUID

from django.db import connection, models, transaction

from apps.core import prepared
from apps.reconcile import queue, wakeup
from apps.reconcile.domain.backoff import full_jitter
from apps.reconcile.domain.breaker import THRESHOLD, after_fault
from apps.reconcile.domain.fairness import Share
from apps.reconcile.domain.outcomes import Done, Outcome, Plain, Retry, Superseded, Terminal, Told, Untouched
from apps.reconcile.domain.priority import Priority
from apps.reconcile.models import ShardLimit
from apps.reconcile.queue import Lease, Release

# writes down what was said of objects of a kind, in the transaction that settles their keys. True by fence where it is
# written, False where the object has moved on; those left out are not ours (any more), or locked by somebody else
Recorder: TypeAlias = Callable[[Sequence[tuple[Lease, Any]]], Mapping[int, bool]]

_recorders: dict[str, Recorder] = {}


def register_recorder(kind: str, recorder: Recorder) -> None:
    """Let `recorder` write what controllers of `kind` tell with their outcomes."""
    _recorders[kind] = recorder


class LeaseLost(Exception):
    """Somebody else may be working on the key by now: stop, write nothing."""


class Fence:
    """Asked before each write outside of the database, so that a worker that slept through its lease writes nothing.

    The database is asked at most once in `fresh` seconds, much less than a lease lasts.
    """

    def __init__(self, lease: Lease, *, fresh: float = 2.0) -> None:
        self._lease = lease
        self._fresh = fresh
        self._held_at = lease.since

    def check(self) -> None:
        """Raises LeaseLost."""
        if time.monotonic() - self._held_at < self._fresh:
            return
        if not renew(self._lease):
            raise LeaseLost(f"the lease on {self._lease.kind} {self._lease.uid} is lost")
        self._held_at = time.monotonic()


def enqueue(*, kind: str, uid: UUID, priority: Priority, delay: float = 0.0, shard: str = "") -> None:
    """Ask for a reconcile of one object `delay` seconds from now; wakes a worker once the transaction commits."""
    queue.enqueue(kind=kind, uids=[uid], priority=priority, delay=delay, shard=shard)
    if delay <= 0:
        transaction.on_commit(wakeup.request)


def enqueue_all(*, kind: str, uids: Iterable[UUID], priority: Priority, shard: str = "") -> None:
    """Ask for a reconcile of several objects of one shard, now; wakes a worker once the transaction commits."""
    queue.enqueue(kind=kind, uids=uids, priority=priority, shard=shard)
    transaction.on_commit(wakeup.request)


def enqueue_by_shard(*, kind: str, keys: Iterable[tuple[str, UUID]], priority: Priority) -> None:
    """As `enqueue_all`, of objects of several shards, given as (shard, uid); none is nothing."""
    by_shard: dict[str, list[UUID]] = {}
    for shard, uid in keys:
        by_shard.setdefault(shard, []).append(uid)
    for shard, uids in sorted(by_shard.items()):
        enqueue_all(kind=kind, uids=uids, priority=priority, shard=shard)


def bring_forward(*, kind: str, shard: str, within: float) -> int:
    """Let the waiting keys of a shard come due at a random moment within `within` seconds, those that come later.

    Returns how many there were. Keys that wait because they failed keep their back-off.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE reconcile_queue SET due_at = clock_timestamp() + random() * %s * interval '1 second' WHERE id IN ("
            " SELECT id FROM reconcile_queue WHERE kind = %s AND shard = %s AND lease_until IS NULL AND last_error = ''"
            " AND due_at > clock_timestamp() + %s * interval '1 second' ORDER BY id FOR UPDATE SKIP LOCKED)",
            [within, kind, shard, within],
        )
        return int(cursor.rowcount)


def enqueue_missing(*, kind: str, uids: Iterable[UUID], shard: str = "") -> int:
    """Put keys that fell out of the queue back in; queued ones stay as they are. Returns how many were added."""
    return queue.enqueue(kind=kind, uids=uids, priority=Priority.RESYNC, shard=shard, replace=False)


def claim(*, kinds: Iterable[str], holder: str, lease: float = queue.LEASE_SECONDS) -> Lease | None:
    """Take the next key, or None."""
    found = queue.claim(kinds=kinds, holder=holder, lease=lease, tripped=THRESHOLD)
    return found[0] if found else None


def claim_several(*, kinds: Iterable[str], holder: str, share: Share, sizes: Mapping[str, int]) -> list[Lease]:
    """Take as many hands of the next keys as a share of threads allows; `sizes`: keys of a hand, by shard."""
    return queue.claim(
        kinds=kinds, holder=holder, most=share.most, tripped=THRESHOLD, share=share.each, spare=share.spare, sizes=sizes
    )


def limit_shard(shard: str, concurrency: int) -> None:
    """How many keys of a shard are worked on at once, by all workers together."""
    ShardLimit.objects.update_or_create(name=shard, defaults={"concurrency": concurrency})


def renew(lease: Lease, *, seconds: float = queue.LEASE_SECONDS) -> bool:
    """Prolong a lease; False: it is lost."""
    return queue.renew(lease, seconds=seconds)


@contextmanager
def holding(lease: Lease, of: type[models.Model], *columns: str) -> Iterator[tuple[Any, ...]]:
    """A transaction in which the lease cannot be lost; raises LeaseLost when it already is, and nothing is written.

    `of`: the table of the leased object. Its row is locked first and the key after it: in the order of people's
    writes, which change an object and then enqueue it, so that the two wait for each other and never deadlock.
    Yields `columns` of that row (SQL, constants only) as they are now, () when there is none.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            table, key, read = of._meta.db_table, of._meta.pk.column, ", ".join(columns or ("1",))
            cursor.execute(f'SELECT {read} FROM "{table}" WHERE "{key}" = %s FOR UPDATE', [lease.uid])  # noqa: S608  (our own names)
            row = cursor.fetchone()
        if not queue.hold(lease):
            raise LeaseLost(f"the lease on {lease.kind} {lease.uid} is lost")
        yield tuple(row or ())


def holding_several(leases: Sequence[Lease], of: type[models.Model], *columns: str) -> dict[int, tuple[Any, ...]]:
    """Within a transaction: as `holding`, of several leases. Rows by fence, without those that are lost.

    Of several, those that somebody else has locked are left out too: a batch waits for nobody, so that it cannot
    deadlock with whoever locks the same rows in another order.
    """
    table, key, read = of._meta.db_table, of._meta.pk.column, ", ".join(columns)
    wait = "SKIP LOCKED" if len(leases) > 1 else ""
    with prepared.cursor() as cursor:
        cursor.execute(
            f'SELECT "{key}", {read} FROM "{table}" WHERE "{key}" = ANY(%s) ORDER BY "{key}" FOR UPDATE {wait}',  # noqa: S608  (our own names)
            [[lease.uid for lease in leases]],
        )
        rows = {uid: tuple(row) for uid, *row in cursor.fetchall()}
    present = [lease for lease in leases if lease.uid in rows or len(leases) == 1]
    held = queue.hold_several(present) if present else set()
    return {lease.fence: rows.get(lease.uid, ()) for lease in present if lease.fence in held}


def finish(lease: Lease, outcome: Outcome, *, chance: float | None = None) -> bool:
    """Settle a claimed key by its outcome; False when the lease was lost (then nothing is written).

    `chance` in [0, 1] places the retry within its jitter window; drawn when absent.
    """
    return finish_several([(lease, outcome)], chance=chance)[0]


@transaction.atomic(savepoint=False)
def finish_several(done: Sequence[tuple[Lease, Outcome]], *, chance: float | None = None) -> list[bool]:
    """As `finish`, of several keys at once; one whose row somebody else has locked counts as not held, too."""
    outcomes = _recorded(done)
    places = [i for i, outcome in enumerate(outcomes) if outcome is not None]
    rows = [(done[i][0], outcome) for i, outcome in enumerate(outcomes) if outcome is not None]
    held = [False] * len(done)
    well: set[str] = set()
    released = queue.release([_release_of(lease, outcome, chance) for lease, outcome in rows])
    for place, (lease, outcome), settled in zip(places, rows, released, strict=True):
        held[place] = settled
        if not settled or not lease.shard or isinstance(outcome, Untouched):
            continue
        if not isinstance(outcome, Retry):
            well.add(lease.shard)
        elif outcome.shard_fault:
            _shard_fault(lease.shard, outcome.reason)
    if well:
        _shards_answer(well)
    return held


def _recorded(done: Sequence[tuple[Lease, Outcome]]) -> list[Plain | None]:
    """Write down what was told. The outcomes as they are then, None where the key is not ours to settle now."""
    said: dict[str, list[tuple[Lease, Any]]] = {}
    for lease, outcome in done:
        if isinstance(outcome, Told):
            said.setdefault(lease.kind, []).append((lease, outcome.said))
    written: dict[int, bool] = {}
    for kind, rows in said.items():
        written |= _recorders[kind](rows)
    plain: list[Plain | None] = []
    for lease, outcome in done:
        if not isinstance(outcome, Told):
            plain.append(outcome)
        elif lease.fence not in written:
            plain.append(None)
        else:
            plain.append(outcome.outcome if written[lease.fence] else Superseded())
    return plain


def _release_of(lease: Lease, outcome: Plain, chance: float | None) -> Release:
    match outcome:
        case Done(requeue_after=None):
            return Release(lease, delay=0.0, priority=Priority.RESYNC, reset=True, drop=True)
        case Done(requeue_after=delay, priority=priority):
            return Release(lease, delay=float(delay or 0.0), priority=priority, reset=True)
        case Superseded():
            return Release(lease, delay=0.0, priority=lease.priority, reset=True)
        case Untouched():
            return Release(lease, delay=0.0, priority=lease.priority, reset=False, unworked=True)
        case Terminal(reason=reason):
            return Release(lease, delay=0.0, priority=Priority.RESYNC, reset=True, error=reason, drop=True)
        case Retry(reason=reason, after=after):
            draw = random.random() if chance is None else chance  # noqa: S311  (jitter, not a secret)
            wait = after if after is not None else full_jitter(lease.attempts, draw)
            return Release(lease, delay=wait, priority=lease.priority, reset=False, error=reason)


@transaction.atomic
def shard_answers(shard: str) -> int:
    """Somebody saw that a shard's cluster works again: close its breaker and end the back-off of its keys.

    Returns how many keys were pulled forward.
    """
    _shards_answer([shard])
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE reconcile_queue SET due_at = clock_timestamp()"
            " WHERE shard = %s AND lease_until IS NULL AND last_error <> '' AND due_at > clock_timestamp()",
            [shard],
        )
        pulled = int(cursor.rowcount)
    if pulled:
        transaction.on_commit(wakeup.request)
    return pulled


def _shards_answer(shards: Collection[str]) -> None:
    with prepared.cursor() as cursor:
        cursor.execute("DELETE FROM reconcile_shard WHERE name = ANY(%s)", [sorted(shards)])


def _shard_fault(shard: str, reason: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO reconcile_shard (name, failures, open_until, last_error) VALUES (%s, 0, clock_timestamp(), '')"
            " ON CONFLICT (name) DO NOTHING",
            [shard],
        )
        cursor.execute("SELECT failures FROM reconcile_shard WHERE name = %s FOR UPDATE", [shard])
        row = cursor.fetchone()
        breaker = after_fault(row[0] if row else 0)
        cursor.execute(
            "UPDATE reconcile_shard SET failures = %s, last_error = %s,"
            " open_until = clock_timestamp() + %s * interval '1 second' WHERE name = %s",
            [breaker.failures, reason[:2000], breaker.pause, shard],
        )
