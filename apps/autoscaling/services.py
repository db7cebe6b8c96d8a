"""Writes of the room: targets through the pools room, decisions, memories."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction

from apps.audit.services import Happening, keep_events
from apps.autoscaling import storing
from apps.autoscaling.domain.record import to_json
from apps.autoscaling.domain.types import Decision as Decided
from apps.autoscaling.models import Decision, PoolState
from apps.core import clock, outbox
from apps.core.domain.refusals import Refusal
from apps.pools.models import Pool
from apps.pools.services import Wanted, set_targets_of_several

if TYPE_CHECKING:
    from apps.autoscaling.ticking import Entry

__all__ = ["record", "retire", "write_targets"]

log = logging.getLogger(__name__)

ACTOR = "system:autoscaler"
SOURCE = "autoscaler"
_LONGEST_RUN = timedelta(minutes=10)
# what a run of holds rests on is told anew after this time: people read the newest row to see how things stand
_RETOLD = timedelta(minutes=1)
_KEPT = timedelta(days=30)
WRITTEN = "Targets written."
_TOLD = (
    *("before", "targets", "cost", "currency", "sentence", "actuation"),
    *("record", "policy", "signals", "state", "last_at"),
)


def write_targets(moves: Sequence[tuple[Pool, Decided]]) -> dict[UUID, str]:
    """Have the pools room take the targets of decisions over; its controller acts on them. What became of each, in
    words, by pool."""
    wanted = {pool.uid: wanted for pool, decision in moves if (wanted := _wanted(decision))}
    try:
        became = set_targets_of_several(wanted, actor=ACTOR)
    except Exception:
        log.exception("writing the targets of %d pools at once failed: one by one", len(wanted))
        became = {}
        for uid, each in wanted.items():
            try:
                became |= set_targets_of_several({uid: each}, actor=ACTOR)
            except Exception:
                log.exception("writing the targets of pool %s", uid)
    # of a move that leaves each variant as it was there is nothing to write
    return {pool.uid: _outcome(became.get(pool.uid)) if pool.uid in wanted else WRITTEN for pool, _ in moves}


def _wanted(decision: Decided) -> list[Wanted]:
    before = {target.variant: target for target in decision.before}
    return [
        Wanted(target.variant, target.replicas, source=SOURCE, reason=decision.sentence, asleep=target.asleep)
        for target in decision.targets
        if target != before.get(target.variant)
    ]


def _outcome(became: Mapping[str, int] | Refusal | None) -> str:
    if became is None:
        return "Not written; the worker's log says why."
    return f"Not written: {became.detail}" if isinstance(became, Refusal) else WRITTEN


@transaction.atomic
def record(entries: Sequence[Entry], decisions: Sequence[Decided], outcomes: Mapping[UUID, str], now: datetime) -> None:
    """Store what was decided, and each pool's memory. What is said again and moves nothing lengthens the row before: a
    hold, and advice (or a refused move) that still stands."""
    lengthened: list[int] = []
    retold: list[dict[str, Any]] = []
    new: list[tuple[Entry, dict[str, Any], str]] = []
    kept: dict[UUID, tuple[int, str]] = {}
    runs = storing.runs([e.before.decision for e in entries if e.before and e.before.decision])
    for entry, decision in zip(entries, decisions, strict=True):
        outcome = outcomes.get(entry.pool.uid, "")
        key = _key(entry.mode, decision, outcome)
        run = _goes_on(entry.before, key, runs, now) if outcome != WRITTEN else None
        if run is None:
            new.append((entry, _row(entry, decision, outcome, now), key))
            continue
        kept[entry.pool.uid] = (run.id, key)
        if decision.at - run.told_at >= _RETOLD.total_seconds():
            told = _row(entry, decision, outcome, now)
            retold.append({"id": run.id, **{name: told[name] for name in _TOLD}})
        else:
            lengthened.append(run.id)
    storing.retell(retold)
    storing.lengthen(lengthened, now)
    for (entry, _, key), created in zip(new, storing.create([row for _, row, _ in new]), strict=True):
        kept[entry.pool.uid] = (created, key)
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
    _tell([(entry, row) for entry, row, _ in new])


def _goes_on(before: PoolState | None, key: str, runs: Mapping[int, storing.Run], now: datetime) -> storing.Run | None:
    """The run that says the same and is not too long yet."""
    if before is None or before.decision is None or before.key != key:
        return None
    run = runs.get(before.decision)
    return run if run is not None and now - run.first_at < _LONGEST_RUN else None


def _tell(rows: Sequence[tuple[Entry, Mapping[str, Any]]]) -> None:
    happenings, lines = [], []
    for entry, row in rows:
        pool = entry.pool
        named: dict[str, Any] = {"kind": "Pool", "uid": pool.uid, "team": pool.team, "name": pool.name}
        if entry.mode == "advisory" and row["targets"] != row["before"]:
            happenings.append(
                Happening(**named, type="Normal", reason="ScaleAdvised", message=row["sentence"], source=SOURCE)
            )
        elif row["actuation"].startswith("Not written"):
            happenings.append(
                Happening(**named, type="Warning", reason="ScaleRefused", message=row["actuation"], source=SOURCE)
            )
        lines.append(outbox.Line(**named, verb="status", generation=pool.generation, fields=["decisions"]))
    keep_events(happenings)
    lines += [outbox.Line(one.kind, one.uid, one.team, one.name, "event", fields=["events"]) for one in happenings]
    if lines:
        outbox.publish_all(lines)


def _key(mode: str, decision: Decided, outcome: str) -> str:
    """What two decisions must have in common to be one run."""
    standing, targets = ([(t.variant, t.replicas, t.asleep) for t in s] for s in (decision.before, decision.targets))
    clamps = [(c.rule, c.variant, c.after) for c in decision.clamps]
    return json.dumps([mode, decision.verb, decision.binding, standing, targets, clamps, outcome])


def _row(entry: Entry, decision: Decided, actuation: str, now: datetime) -> dict[str, Any]:
    """Columns of Decision."""
    record = to_json(decision)
    del record["state"]
    if entry.mode == "advisory" and decision.targets != decision.before:
        actuation = "Advice only: autoscaling.mode is advisory."
    return {
        "pool": entry.pool.uid,
        "team": entry.pool.team,
        "name": entry.pool.name,
        "mode": entry.mode,
        "last_at": now,
        "verb": decision.verb,
        "binding": decision.binding,
        "before": record["before"],
        "targets": record["targets"],
        "cost": decision.cost,
        "currency": entry.policy.currency,
        "sentence": decision.sentence,
        "actuation": actuation,
        "record": record,
        "policy": to_json(entry.policy),
        "signals": to_json(entry.signals),
        "state": to_json(entry.state),
    }


def retire(limit: int = 10_000) -> int:
    """Delete old decisions, oldest first, at most `limit`; and memories of pools that no tick has seen for a day."""
    now = clock.now()
    old = Decision.objects.filter(last_at__lt=now - _KEPT).order_by("id").values("id")[:limit]
    deleted, _ = Decision.objects.filter(id__in=old).delete()
    PoolState.objects.filter(at__lt=now - timedelta(days=1)).delete()
    return deleted
