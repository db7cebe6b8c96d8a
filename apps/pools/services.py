"""Writes of the pools room: replica targets, and what other rooms' changes mean for pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction

from apps.audit.services import record_event
from apps.core import changes, clock, outbox
from apps.core.domain.documents import pointer
from apps.core.domain.refusals import Clash, Fault, Invalid
from apps.core.kinds import Accepted
from apps.pools import selectors
from apps.pools.domain.startup import added, slowest
from apps.pools.domain.tiers.plan import NO_TIERS, TierPlan
from apps.pools.models import Pool, PoolPlan, ReplicaTarget, TierPlanRow
from apps.reconcile import services as reconcile
from apps.reconcile.domain.priority import Priority
from apps.reconcile.queue import Lease


@dataclass(frozen=True)
class Wanted:
    """A replica target as somebody asks for it. `source`: person, schedule, autoscaler; `asleep`: in warm standby."""

    variant: str
    desired: int
    source: str
    reason: str = ""
    asleep: int = 0


@transaction.atomic
def set_replica_targets(
    *, pool: Pool, wanted: Sequence[Wanted], actor: str, request_id: str = "", dry_run: bool = False
) -> dict[str, int]:
    """Set the replica targets of some variants, clamped to their bounds; returns what became of each.

    A target is no part of the declaration: no revision, no new generation. The reconcile is asked for with the
    urgency of scaling. Raises Invalid for an unknown variant, Clash when the pool is going away or another scaler
    writes its replicas.
    """
    pool = Pool.objects.select_for_update().get(uid=pool.uid)
    if pool.deletion_requested_at is not None:
        raise Clash(f"{pool.key} is being deleted: its replicas cannot be changed any more.")
    spec = selectors.spec_of(pool)
    if spec.autoscaling.mode == "external":
        raise Clash(
            f"The replicas of {pool.key} are written by another scaler (autoscaling.mode is external): scale there, "
            "or set the mode to off."
        )
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
    held = selectors.replica_targets(pool)
    before = {v.name: selectors.effective_replicas(v, held.get(v.name)) for v in spec.variants}
    after = dict(before)
    slept = False
    for row in wanted:
        variant = spec.variant(row.variant)
        assert variant is not None
        after[row.variant] = variant.replicas.clamp(row.desired)
        slept = slept or row.asleep != selectors.asleep_wanted(held.get(row.variant))
        if not dry_run:
            _write(pool, row, after[row.variant])
    new = set(held) != {*held, *(row.variant for row in wanted)}
    if not dry_run and (after != before or slept or new):
        _announce(pool, wanted, before, after, actor, request_id)
    elif not dry_run and any(row.source == "person" for row in wanted):
        # the same number again is a person's word too: it takes back what somebody else had scaled
        reconcile.enqueue(kind="Pool", uid=pool.uid, priority=Priority.SCALING, shard=str(pool.cluster_uid))
    return after


def _write(pool: Pool, row: Wanted, desired: int) -> None:
    ReplicaTarget.objects.update_or_create(
        pool=pool,
        variant=row.variant,
        defaults={
            "desired": desired,
            "asleep": row.asleep,
            "source": row.source[:50],
            "reason": row.reason[:2000],
            "updated_at": clock.now(),
        },
    )


def _moved(row: Wanted, before: int, after: int) -> str:
    asleep = f" and {row.asleep} asleep" if row.asleep else ""
    if not asleep and row.reason.startswith(f"{row.variant} {before} → {after}:"):
        return row.reason  # the autoscaler's sentences begin with the move
    return f"{row.variant}: {before} → {after} replicas{asleep}" + (f" ({row.reason})" if row.reason else "")


def _announce(
    pool: Pool, wanted: Sequence[Wanted], before: dict[str, int], after: dict[str, int], actor: str, request_id: str
) -> None:
    reconcile.enqueue(kind="Pool", uid=pool.uid, priority=Priority.SCALING, shard=str(pool.cluster_uid))
    named: dict[str, Any] = {"kind": "Pool", "uid": pool.uid, "team": pool.team, "name": pool.name}
    for row in wanted:
        if before[row.variant] != after[row.variant] or row.asleep:
            record_event(
                **named,
                type="Normal",
                reason="TargetSet",
                message=_moved(row, before[row.variant], after[row.variant]),
                source=row.source,
            )
    outbox.publish(**named, verb="status", generation=pool.generation, fields=["replicas"])
    changes.record(
        changes.Change(
            actor=actor,
            request_id=request_id,
            action="update",
            generation=pool.generation,
            before={"targets": before},
            after={"targets": after},
            reason="; ".join(dict.fromkeys(row.reason for row in wanted if row.reason)),
            **named,
        )
    )


@transaction.atomic
def set_tier_plan(*, pool: Pool, plan: TierPlan, actor: str, generation: int) -> bool:
    """Have a pool's engines keep KV blocks where `plan` says; whether that is another place than before.

    A tier plan is no part of the declaration: no revision, no new generation. It reaches the engines as a roll-out.
    `generation`: the one that it was decided on. Raises Clash when the pool is going away, when its declaration has
    changed since, or when its offload mode is not `auto`.
    """
    pool = Pool.objects.select_for_update().get(uid=pool.uid)
    if pool.deletion_requested_at is not None:
        raise Clash(f"{pool.key} is being deleted: its tiers cannot be changed any more.")
    if pool.generation != generation:
        raise Clash(
            f"{pool.key} was declared anew (generation {pool.generation}, decided on {generation}): decide again."
        )
    mode = selectors.spec_of(pool).offload.mode
    if mode != "auto":
        raise Clash(f"The tiers of {pool.key} are not Lamplight's to change: offload.mode is {mode}.")
    before = selectors.tier_plan(pool) or NO_TIERS
    TierPlanRow.objects.update_or_create(pool=pool, defaults={"plan": plan.to_json(), "updated_at": clock.now()})
    if replace(before, source="", reason="") == replace(plan, source="", reason=""):
        return False
    reconcile.enqueue(kind="Pool", uid=pool.uid, priority=Priority.ROLLOUT, shard=str(pool.cluster_uid))
    named: dict[str, Any] = {"kind": "Pool", "uid": pool.uid, "team": pool.team, "name": pool.name}
    record_event(**named, type="Normal", reason="TiersSet", message=plan.reason, source=plan.source)
    outbox.publish(**named, verb="status", generation=pool.generation, fields=["offload"])
    changes.record(
        changes.Change(
            actor=actor,
            request_id="",
            action="update",
            generation=pool.generation,
            before={"tierPlan": before.to_json()},
            after={"tierPlan": plan.to_json()},
            reason=plan.reason,
            **named,
        )
    )
    return True


@transaction.atomic
def record_starts(*, pool: Pool, took: Mapping[str, Sequence[float]]) -> None:
    """Seconds that replicas took from being asked for to ready, by variant. The status keeps the last of them and their
    90th percentile (`startUp`): no request may be held for less. Nothing for a pool that is gone."""
    row = Pool.objects.select_for_update().filter(uid=pool.uid).first()
    if row is None:
        return
    held = row.status.get("startUp") or {}
    status = {**row.status, "startUp": {**held, **{name: added(held.get(name), more) for name, more in took.items()}}}
    Pool.objects.filter(uid=pool.uid).update(status=status)
    before, after = slowest(held), slowest(status["startUp"])
    if after is not None and (before is None or after > 1.1 * before):
        # what was rendered may hold requests for too short a time now
        reconcile.enqueue(kind="Pool", uid=pool.uid, priority=Priority.DRIFT, shard=str(pool.cluster_uid))


def requests_wait(*, pool: Pool, within: float | None = None) -> None:
    """Somebody waits for a pool that is to serve: its controller looks at once whether it may. `within`: seconds in
    which its SLOs promise a first token, None where they do not; a turn of another pool ends by that."""
    if pool.first_token_within != within:
        Pool.objects.filter(uid=pool.uid).update(first_token_within=within)
    reconcile.enqueue(kind="Pool", uid=pool.uid, priority=Priority.SCALING, shard=str(pool.cluster_uid))


def plan_carried_out(lease: Lease, pool: Pool) -> None:
    """The controller has done all that applied plans of this generation and earlier ones ask for. Raises LeaseLost."""
    with reconcile.holding(lease, Pool):
        rows = PoolPlan.objects.filter(pool=pool, state="applied", carried_out_at=None)
        rows.filter(generation__lte=pool.generation).update(carried_out_at=clock.now())


def model_changed(change: Accepted) -> tuple[()]:
    """A Model was declared: the pools that serve it must be rendered again."""
    for pool in selectors.serving(change.obj):
        reconcile.enqueue(kind="Pool", uid=pool.uid, priority=Priority.ROLLOUT, shard=str(pool.cluster_uid))
    return ()


def cluster_changed(change: Accepted) -> tuple[()]:
    """A Cluster was declared anew (dialect, credentials, read-only): its pools must be looked at again."""
    for uid in Pool.objects.filter(cluster_uid=change.obj.uid).values_list("uid", flat=True):
        reconcile.enqueue(kind="Pool", uid=uid, priority=Priority.ROLLOUT, shard=str(change.obj.uid))
    return ()
