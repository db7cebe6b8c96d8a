"""Replica targets: how many replicas a person, a schedule or the autoscaler wants, of one pool or of many at once.

A target is no part of the declaration: no revision, no new generation. The reconcile is asked for with the urgency of
scaling.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from apps.audit.services import Happening, keep_events
from apps.core import changes, clock, outbox
from apps.core.domain.documents import pointer
from apps.core.domain.refusals import Clash, Fault, Invalid, Missing, Refusal
from apps.pools import selectors
from apps.pools.domain.spec import PoolSpec
from apps.pools.models import Pool, ReplicaTarget
from apps.reconcile import services as reconcile
from apps.reconcile.domain.priority import Priority

__all__ = ["Wanted", "set_replica_targets", "set_targets_of_several"]

# pools of one transaction: what it writes is seen within a second, and nobody waits for long
_AT_ONCE = 100


@dataclass(frozen=True)
class Wanted:
    """A replica target as somebody asks for it. `source`: person, schedule, autoscaler; `asleep`: in warm standby."""

    variant: str
    desired: int
    source: str
    reason: str = ""
    asleep: int = 0


@dataclass(frozen=True)
class _Asked:
    """What is asked of a pool, and replicas by variant as they were wanted before and are after. `moves`: whether
    anything is another than it was."""

    pool: Pool
    wanted: Sequence[Wanted]
    before: Mapping[str, int]
    after: Mapping[str, int]
    moves: bool

    @property
    def named(self) -> dict[str, Any]:
        return {"kind": "Pool", "uid": self.pool.uid, "team": self.pool.team, "name": self.pool.name}

    @property
    def queued(self) -> bool:
        """The same number again is a person's word too: it takes back what somebody else had scaled."""
        return self.moves or any(row.source == "person" for row in self.wanted)


@transaction.atomic
def set_replica_targets(
    *, pool: Pool, wanted: Sequence[Wanted], actor: str, request_id: str = "", dry_run: bool = False
) -> dict[str, int]:
    """Set the replica targets of some variants, clamped to their bounds; returns what became of each.

    Raises Invalid for an unknown variant, Clash when the pool is going away or another scaler writes its replicas.
    """
    asked = _asked(Pool.objects.select_for_update().get(uid=pool.uid), wanted)
    if not dry_run:
        _write([asked], actor, request_id)
    return dict(asked.after)


def set_targets_of_several(
    wanted: Mapping[UUID, Sequence[Wanted]], *, actor: str
) -> dict[UUID, dict[str, int] | Refusal]:
    """As `set_replica_targets`, of many pools in a few statements: what became of each, or why it was refused.

    Pools that somebody else has locked have their turn by themselves after the others: a batch waits for nobody, so
    that it cannot deadlock with whoever locks the same rows in another order.
    """
    found: dict[UUID, dict[str, int] | Refusal] = {}
    uids = sorted(wanted)
    for first in range(0, len(uids), _AT_ONCE):
        found |= _set_targets_of_free({uid: wanted[uid] for uid in uids[first : first + _AT_ONCE]}, actor)
    for uid in sorted(wanted.keys() - found.keys()):
        try:
            found[uid] = set_replica_targets(pool=Pool(uid=uid), wanted=wanted[uid], actor=actor)
        except Refusal as refused:
            found[uid] = refused
        except Pool.DoesNotExist:
            found[uid] = Missing("The pool is gone.")
    return found


@transaction.atomic
def _set_targets_of_free(wanted: Mapping[UUID, Sequence[Wanted]], actor: str) -> dict[UUID, dict[str, int] | Refusal]:
    """Of those pools that nobody else has locked."""
    found: dict[UUID, dict[str, int] | Refusal] = {}
    locked = Pool.objects.select_for_update(skip_locked=True).filter(uid__in=list(wanted))
    asked = []
    for pool in locked.prefetch_related("targets").order_by("uid"):
        try:
            asked.append(_asked(pool, wanted[pool.uid]))
        except Refusal as refused:
            found[pool.uid] = refused
    _write(asked, actor)
    return found | {each.pool.uid: dict(each.after) for each in asked}


def _asked(pool: Pool, wanted: Sequence[Wanted]) -> _Asked:
    """Of a locked pool. Raises Clash, Invalid."""
    if pool.deletion_requested_at is not None:
        raise Clash(f"{pool.key} is being deleted: its replicas cannot be changed any more.")
    spec = selectors.spec_of(pool)
    if spec.autoscaling.mode == "external":
        raise Clash(
            f"The replicas of {pool.key} are written by another scaler (autoscaling.mode is external): scale there, "
            "or set the mode to off."
        )
    _refuse_unknown(pool, spec, wanted)
    held = selectors.replica_targets(pool)
    before = {v.name: selectors.effective_replicas(v, held.get(v.name)) for v in spec.variants}
    after = before | {row.variant: _clamped(spec, row) for row in wanted}
    slept = any(row.asleep != selectors.asleep_wanted(held.get(row.variant)) for row in wanted)
    new = any(row.variant not in held for row in wanted)
    return _Asked(pool, wanted, before, after, after != before or slept or new)


def _refuse_unknown(pool: Pool, spec: PoolSpec, wanted: Sequence[Wanted]) -> None:
    faults = [
        Fault(
            pointer("items", i, "variant"),
            f"{pool.key} has no variant {row.variant}; it has {', '.join(v.name for v in spec.variants)}",
        )
        for i, row in enumerate(wanted)
        if spec.variant(row.variant) is None
    ]
    if faults:
        raise Invalid.of(faults)


def _clamped(spec: PoolSpec, row: Wanted) -> int:
    variant = spec.variant(row.variant)
    assert variant is not None
    return variant.replicas.clamp(row.desired)


def _write(asked: Sequence[_Asked], actor: str, request_id: str = "") -> None:
    """Within a transaction that has locked the pools. Events, outbox and changes come last: writers wait for each other
    from there on."""
    now = clock.now()
    # of a variant that is asked for twice the last word counts
    rows = {
        (each.pool.uid, row.variant): ReplicaTarget(
            pool=each.pool,
            variant=row.variant,
            desired=each.after[row.variant],
            asleep=row.asleep,
            source=row.source[:50],
            reason=row.reason[:2000],
            updated_at=now,
        )
        for each in asked
        for row in each.wanted
    }
    ReplicaTarget.objects.bulk_create(
        list(rows.values()),
        update_conflicts=True,
        unique_fields=["pool", "variant"],
        update_fields=["desired", "asleep", "source", "reason", "updated_at"],
    )
    keys = [(str(each.pool.cluster_uid), each.pool.uid) for each in asked if each.queued]
    reconcile.enqueue_by_shard(kind="Pool", keys=keys, priority=Priority.SCALING)
    moves = [each for each in asked if each.moves]
    if moves:
        _announce(moves, actor, request_id)


def _announce(moves: Sequence[_Asked], actor: str, request_id: str) -> None:
    happenings, lines = [], []
    for each in moves:
        told = list(_happenings(each))
        happenings += told
        lines += [outbox.Line(**each.named, verb="event", fields=["events"]) for _ in told]
        lines.append(outbox.Line(**each.named, verb="status", generation=each.pool.generation, fields=["replicas"]))
    keep_events(happenings)
    outbox.publish_all(lines)
    changes.record_all(
        [
            changes.Change(
                actor=actor,
                request_id=request_id,
                action="update",
                generation=each.pool.generation,
                before={"targets": each.before},
                after={"targets": each.after},
                reason="; ".join(dict.fromkeys(row.reason for row in each.wanted if row.reason)),
                **each.named,
            )
            for each in moves
        ]
    )


def _happenings(asked: _Asked) -> Iterator[Happening]:
    for row in asked.wanted:
        before, after = asked.before[row.variant], asked.after[row.variant]
        if before != after or row.asleep:
            yield Happening(
                **asked.named, type="Normal", reason="TargetSet", message=_moved(row, before, after), source=row.source
            )


def _moved(row: Wanted, before: int, after: int) -> str:
    asleep = f" and {row.asleep} asleep" if row.asleep else ""
    if not asleep and row.reason.startswith(f"{row.variant} {before} → {after}:"):
        return row.reason  # the autoscaler's sentences begin with the move
    return f"{row.variant}: {before} → {after} replicas{asleep}" + (f" ({row.reason})" if row.reason else "")
