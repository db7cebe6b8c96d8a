"""Writes of the room: targets through the pools room, decisions, memories."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction

from apps.audit.services import record_event
from apps.autoscaling import storing
from apps.autoscaling.domain.record import to_json
from apps.autoscaling.domain.types import Decision as Decided
from apps.autoscaling.models import Decision, PoolState
from apps.core import clock, outbox
from apps.pools.models import Pool
from apps.pools.services import Wanted, set_replica_targets

if TYPE_CHECKING:
    from apps.autoscaling.ticking import Entry

__all__ = ["record", "retire", "write_targets"]

ACTOR = "system:autoscaler"
SOURCE = "autoscaler"
_LONGEST_RUN = timedelta(minutes=10)
# what a run of holds rests on is told anew after this time: people read the newest row to see how things stand
_RETOLD = timedelta(minutes=1)
_KEPT = timedelta(days=30)
WRITTEN = "Targets written."
_TOLD = ("before", "targets", "cost", "currency", "sentence", "actuation", "record", "policy", "signals", "state")


def write_targets(pool: Pool, decision: Decided) -> None:
    """Have the pools room take the targets over; its controller acts on them. Raises Refusal where it will not."""
    before = {target.variant: target for target in decision.before}
    wanted = [
        Wanted(target.variant, target.replicas, source=SOURCE, reason=decision.sentence, asleep=target.asleep)
        for target in decision.targets
        if target != before.get(target.variant)
    ]
    if wanted:
        set_replica_targets(pool=pool, wanted=wanted, actor=ACTOR)


@transaction.atomic
def record(entries: Sequence[Entry], decisions: Sequence[Decided], outcomes: Mapping[UUID, str], now: datetime) -> None:
    """Store what was decided, and each pool's memory. What is said again and moves nothing lengthens the row before: a
    hold, and advice (or a refused move) that still stands."""
    lengthened: list[int] = []
    retold: list[dict[str, Any]] = []
    rows: list[tuple[Entry, Decision, str]] = []
    kept: dict[UUID, tuple[int | None, str]] = {}
    runs = {
        row["id"]: row
        for row in Decision.objects.filter(
            id__in=[e.before.decision for e in entries if e.before and e.before.decision]
        ).values("id", "first_at", "record__at")
    }
    for entry, decision in zip(entries, decisions, strict=True):
        outcome = outcomes.get(entry.pool.uid, "")
        key, before = _key(entry.mode, decision, outcome), entry.before
        run = runs.get(before.decision) if before is not None and before.decision is not None else None
        if (
            run is not None
            and before is not None
            and before.key == key
            and outcome != WRITTEN
            and now - run["first_at"] < _LONGEST_RUN
        ):
            kept[entry.pool.uid] = (run["id"], key)
            if decision.at - run["record__at"] >= _RETOLD.total_seconds():
                told = _row(entry, decision, outcome, now)
                retold.append({"id": run["id"], "last_at": now, **{name: getattr(told, name) for name in _TOLD}})
            else:
                lengthened.append(run["id"])
        else:
            rows.append((entry, _row(entry, decision, outcome, now), key))
    storing.retell(retold)
    storing.lengthen(lengthened, now)
    created = Decision.objects.bulk_create([row for _, row, _ in rows], batch_size=200)
    for (entry, _, key), row in zip(rows, created, strict=True):
        kept[entry.pool.uid] = (row.id, key)
    storing.keep(
        [
            {
                "pool": entry.pool.uid,
                "at": now,
                "row_at": entry.row_at,
                "state": to_json(decision.state),
                "starting": entry.starting,
                "ready": entry.ready,
                "decision": kept[entry.pool.uid][0],
                "key": kept[entry.pool.uid][1],
            }
            for entry, decision in zip(entries, decisions, strict=True)
        ]
    )
    _tell([(entry, row) for entry, row, _ in rows])


def _tell(rows: Sequence[tuple[Entry, Decision]]) -> None:
    lines = []
    for entry, row in rows:
        pool = entry.pool
        named: dict[str, Any] = {"kind": "Pool", "uid": pool.uid, "team": pool.team, "name": pool.name}
        if entry.mode == "advisory" and row.targets != row.before:
            record_event(**named, type="Normal", reason="ScaleAdvised", message=row.sentence, source=SOURCE)
        elif row.actuation.startswith("Not written"):
            record_event(**named, type="Warning", reason="ScaleRefused", message=row.actuation, source=SOURCE)
        lines.append(outbox.Line(**named, verb="status", generation=pool.generation, fields=["decisions"]))
    if lines:
        outbox.publish_all(lines)


def _key(mode: str, decision: Decided, outcome: str) -> str:
    """What two decisions must have in common to be one run."""
    standing, targets = ([(t.variant, t.replicas, t.asleep) for t in s] for s in (decision.before, decision.targets))
    clamps = [(c.rule, c.variant, c.after) for c in decision.clamps]
    return json.dumps([mode, decision.verb, decision.binding, standing, targets, clamps, outcome])


def _row(entry: Entry, decision: Decided, actuation: str, now: datetime) -> Decision:
    record = to_json(decision)
    del record["state"]
    if entry.mode == "advisory" and decision.targets != decision.before:
        actuation = "Advice only: autoscaling.mode is advisory."
    return Decision(
        pool=entry.pool.uid,
        team=entry.pool.team,
        name=entry.pool.name,
        mode=entry.mode,
        first_at=now,
        last_at=now,
        verb=decision.verb,
        binding=decision.binding,
        before=record["before"],
        targets=record["targets"],
        cost=decision.cost,
        currency=entry.policy.currency,
        sentence=decision.sentence,
        actuation=actuation,
        record=record,
        policy=to_json(entry.policy),
        signals=to_json(entry.signals),
        state=to_json(entry.state),
    )


def retire(limit: int = 10_000) -> int:
    """Delete old decisions, oldest first, at most `limit`; and memories of pools that no tick has seen for a day."""
    now = clock.now()
    old = Decision.objects.filter(last_at__lt=now - _KEPT).order_by("id").values("id")[:limit]
    deleted, _ = Decision.objects.filter(id__in=old).delete()
    PoolState.objects.filter(at__lt=now - timedelta(days=1)).delete()
    return deleted
