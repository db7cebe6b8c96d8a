"""Writes of the pools room: replica targets, and what other rooms' changes mean for pools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
from django.db import transaction

from apps.audit.services import record_event
from apps.core import changes, clock, outbox, prepared
from apps.core.domain.refusals import Clash
from apps.core.kinds import Accepted
from apps.pools import selectors
from apps.pools.domain.startup import added, slowest
from apps.pools.domain.tiers.plan import NO_TIERS, TierPlan
from apps.pools.models import Pool, PoolPlan, TierPlanRow
from apps.pools.scaling import Wanted, set_replica_targets, set_targets_of_several
from apps.reconcile import services as reconcile
from apps.reconcile.domain.priority import Priority
from apps.reconcile.queue import Lease

__all__ = [
    "Wanted",
    "cluster_changed",
    "model_changed",
    "plan_carried_out",
    "record_starts",
    "requests_wait",
    "set_replica_targets",
    "set_targets_of_several",
    "set_tier_plan",
]


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


_STARTS = """
SELECT uid, cluster_uid::text, (status->'startUp')::text FROM pools_pool WHERE uid = ANY(%s) ORDER BY uid
FOR UPDATE {skip}
"""

_KEEP_STARTS = """
UPDATE pools_pool p SET status = jsonb_set(p.status, '{startUp}', r.held)
FROM jsonb_to_recordset(%s::jsonb) AS r(uid uuid, held jsonb) WHERE p.uid = r.uid
"""


def record_starts(took: Mapping[UUID, Mapping[str, Sequence[float]]]) -> None:
    """Seconds that replicas took from being asked for to ready, by pool and variant. A pool's status keeps the last of
    them and their 90th percentile (`startUp`): no request may be held for less. Nothing for a pool that is gone.

    Pools that somebody else has locked have their turn by themselves after the others, as in `scaling`.
    """
    written = _record_starts(took, "SKIP LOCKED") if took else set()
    for uid in sorted(took.keys() - written):
        _record_starts({uid: took[uid]}, "")


@transaction.atomic
def _record_starts(took: Mapping[UUID, Mapping[str, Sequence[float]]], skip: str) -> set[UUID]:
    rows, slower = [], []
    with prepared.cursor() as cursor:
        cursor.execute(_STARTS.format(skip=skip), [list(took)])
        for uid, shard, held in cursor.fetchall():
            before = orjson.loads(held) if held else {}
            after = before | {name: added(before.get(name), more) for name, more in took[uid].items()}
            rows.append({"uid": uid, "held": after})
            was, now = slowest(before), slowest(after)
            if now is not None and (was is None or now > 1.1 * was):
                # what was rendered may hold requests for too short a time now
                slower.append((str(shard), uid))
        cursor.execute(_KEEP_STARTS, [orjson.dumps(rows).decode()])
    reconcile.enqueue_by_shard(kind="Pool", keys=slower, priority=Priority.DRIFT)
    return {row["uid"] for row in rows}


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
    keys = [(str(pool.cluster_uid), pool.uid) for pool in selectors.serving(change.obj)]
    reconcile.enqueue_by_shard(kind="Pool", keys=keys, priority=Priority.ROLLOUT)
    return ()


def cluster_changed(change: Accepted) -> tuple[()]:
    """A Cluster was declared anew (dialect, credentials, read-only): its pools must be looked at again."""
    keys = [
        (str(change.obj.uid), uid)
        for uid in Pool.objects.filter(cluster_uid=change.obj.uid).values_list("uid", flat=True)
    ]
    reconcile.enqueue_by_shard(kind="Pool", keys=keys, priority=Priority.ROLLOUT)
    return ()
