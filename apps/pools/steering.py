"""Roll-outs as people see and steer them: how one stands, and pause, resume, abort."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction

from apps.accounts.selectors import names_of_actors
from apps.audit.services import record_event
from apps.core import changes, clock, outbox
from apps.core.domain.conditions import format_time
from apps.core.domain.refusals import Clash
from apps.core.writes import By
from apps.pools import revisions, selectors
from apps.pools.domain import rollout
from apps.pools.domain.rollout import Action
from apps.pools.models import Pool, PoolRevision, Rollout
from apps.pools.rollouts import held_of
from apps.reconcile import services as reconcile
from apps.reconcile.domain.priority import Priority


def last_healthy(pool: Pool, *, before: int | None = None) -> PoolRevision | None:
    """The newest revision that was healthy; `before`: of an older generation, with another spec than the present."""
    rows = PoolRevision.objects.filter(pool=pool).exclude(healthy_at=None).order_by("-generation")
    if before is not None:
        rows = rows.filter(generation__lt=before).exclude(spec=pool.spec)
    return rows.first()


def describe(pool: Pool) -> dict[str, Any]:
    """A pool's roll-out over REST (docs/api/rollouts-and-tree.md)."""
    row = Rollout.objects.filter(pool=pool).first()
    held = held_of(row)
    target, healthy = last_healthy(pool, before=pool.generation), last_healthy(pool)
    can = rollout.allowed(held, target.generation if target else None)
    since = held.resumed_at or held.started_at
    deadline = since + _deadline(pool) if since and held.state == "Progressing" else None
    return {
        "generation": held.generation or pool.generation,
        "state": held.state,
        "reason": held.reason or None,
        "message": held.message or None,
        "startedAt": _time(held.started_at),
        "finishedAt": _time(held.finished_at),
        "deadline": _time(deadline),
        "pausedBy": names_of_actors([row.paused_by]).get(row.paused_by, row.paused_by)
        if row and row.paused_by
        else None,
        "pausedAt": _time(row.paused_at) if row else None,
        "lastHealthyGeneration": healthy.generation if healthy else None,
        "abortsTo": target.generation if target else None,
        "can": can,
        "variants": (pool.status.get("rollout") or {}).get("variants", []),
    }


def _deadline(pool: Pool) -> timedelta:
    return selectors.spec_of(pool).rollout.progress_deadline


def _time(at: Any) -> str | None:
    return format_time(at) if at else None


def act(*, pool: Pool, action: Action, by: By, dry_run: bool = False) -> None:
    """Pause, resume or abort a pool's roll-out. Raises Clash when that makes no sense now.

    An abort declares the last healthy spec anew, by the way that a roll back goes.
    """
    if action == "abort":
        target = _check(pool, action)
        assert target is not None
        why = By(by.actor, by.request_id, by.reason or f"roll-out aborted: back to generation {target.generation}")
        revisions.roll_back(pool, target.generation, by=why, etags=("*",), dry_run=dry_run)
        if not dry_run:
            _event(pool, "RolloutAborted", f"back to the spec of generation {target.generation}", by)
        return
    with transaction.atomic():
        locked = Pool.objects.select_for_update().get(uid=pool.uid)
        _check(locked, action)
        if not dry_run:
            _hold_or_go(locked, action, by)


def _check(pool: Pool, action: Action) -> PoolRevision | None:
    if pool.deletion_requested_at is not None:
        raise Clash(f"{pool.key} is being deleted: its roll-out cannot be steered any more.")
    held = held_of(Rollout.objects.filter(pool=pool).first())
    target = last_healthy(pool, before=pool.generation)
    if rollout.allowed(held, target.generation if target else None)[action]:
        return target
    if action == "abort" and (held.state == "Progressing" or held.holds):
        raise Clash(f"No earlier generation of {pool.key} was ever healthy: there is nothing to go back to.")
    state = {"Idle": "has not begun", "Complete": "is complete"}.get(held.state, f"is {held.state.lower()}")
    raise Clash(f"The roll-out of {pool.key} {state}: it cannot be {_DONE[action]} now.")


_DONE = {"pause": "paused", "resume": "resumed", "abort": "aborted"}


def _hold_or_go(pool: Pool, action: Action, by: By) -> None:
    row = Rollout.objects.select_for_update().get(pool=pool)
    before = row.state
    now = clock.now()
    if action == "pause":
        row.state, row.reason, row.paused_by, row.paused_at = "Paused", "RolloutPaused", by.actor.id, now
        row.message = "paused" + (f": {by.reason}" if by.reason else "")
    else:
        row.state, row.reason, row.message = "Progressing", "RolloutResumed", "resumed"
        row.resumed_at, row.finished_at, row.paused_by, row.paused_at = now, None, "", None
    row.save()
    _event(pool, row.reason, row.message, by)
    named: dict[str, Any] = {"kind": "Pool", "uid": pool.uid, "team": pool.team, "name": pool.name}
    outbox.publish(**named, verb="status", generation=pool.generation, fields=["rollout"])
    reconcile.enqueue(kind="Pool", uid=pool.uid, priority=Priority.PERSON, shard=str(pool.cluster_uid))
    changes.record(
        changes.Change(
            actor=by.actor.id,
            request_id=by.request_id,
            action="update",
            generation=pool.generation,
            before={"rollout": before},
            after={"rollout": row.state},
            reason=by.reason,
            **named,
        )
    )


def _event(pool: Pool, reason: str, message: str, by: By) -> None:
    said = f"{message} ({by.reason})" if by.reason and by.reason not in message else message
    record_event(
        kind="Pool",
        uid=pool.uid,
        team=pool.team,
        name=pool.name,
        type="Normal",
        reason=reason,
        message=said,
        source="person",
    )
