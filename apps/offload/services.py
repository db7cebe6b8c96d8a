"""Writes of the room: what the collector learned, decisions, memories, tier plans through the pools room."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

from django.db import transaction
from django.db.models import F

from apps.audit.services import record_event
from apps.autoscaling.domain.record import to_json
from apps.core import clock, outbox
from apps.core.domain.conditions import Condition, Status
from apps.core.domain.refusals import Clash
from apps.core.status import put_condition
from apps.offload.domain.benefit import Measured
from apps.offload.domain.probe import measured_at
from apps.offload.domain.reuse import COUNTERS
from apps.offload.domain.sentences import tier_sentence, tiers_text
from apps.offload.domain.store import Fault, StorePage, told
from apps.offload.domain.types import Configuration
from apps.offload.domain.types import Decision as Decided
from apps.offload.domain.worth import Worth
from apps.offload.models import OffloadDecision, PoolState, Probe, ReuseState
from apps.offload.reasons import CONDITION
from apps.pools.domain.tiers.plan import Stands, Tier, TierPlan
from apps.pools.models import Pool
from apps.pools.selectors import spec_of
from apps.pools.services import set_tier_plan

if TYPE_CHECKING:
    from apps.offload.ticking import Entry

__all__ = [
    "ask_for_probe",
    "forget_conditions",
    "load_reuse",
    "plan_from",
    "record",
    "record_volume",
    "retire",
    "store_reuse",
    "write_plan",
]

ACTOR = "system:offload"
SOURCE = "offload"
PROBE_AGAIN = timedelta(minutes=10)
_LONGEST_RUN = timedelta(minutes=10)
_KEPT = timedelta(days=90)
_HOLDS = ("hold", "blind")


# --- what the collector learned --------------------------------------------------------------------------------------


def store_reuse(rows: Sequence[Mapping[str, Any]]) -> None:
    """Write what the collector knows of each pool over what it knew before."""
    if not rows:
        return
    fields = ["at", "window", "sketches", "engines", "counters", "rate", "samples", "one_hit"]
    ReuseState.objects.bulk_create(
        [ReuseState(**row) for row in rows], update_conflicts=True, unique_fields=["pool"], update_fields=fields
    )


def load_reuse(pool: UUID) -> dict[str, Any] | None:
    """What a collector that starts anew goes on from."""
    row = ReuseState.objects.filter(pool=pool).first()
    if row is None:
        return None
    sequences = {name: e["sequence"] for name, e in row.engines.items() if e.get("sequence") is not None}
    # time without a collector counts for nothing, and what was seen before it fades as if it had run
    counters = {name: value for name, value in row.counters.items() if name in COUNTERS}
    return {"window": row.window, "sketches": row.sketches, "sequences": sequences, "counters": counters}


# --- what is decided -------------------------------------------------------------------------------------------------


def plan_from(
    configuration: Configuration, pool: Pool, *, canary: str | None, reason: str, stands: Stands = "beside"
) -> TierPlan:
    """The pools room's document for what was decided, with what only the declaration knows of its tiers."""
    declared = spec_of(pool).offload
    tiers = []
    for placed in configuration.tiers:
        tier = declared.tier(placed.kind)
        tiers.append(
            Tier(
                placed.kind,
                placed.bytes,
                tier.claim if tier is not None else placed.claim,
                placed.ttl,
                tier.bucket if tier is not None else None,
                tier.endpoint if tier is not None else None,
                tier.secret if tier is not None else None,
            )
        )
    return TierPlan(
        tiers=tuple(tiers),
        chunk_tokens=configuration.chunk,
        prompt_only=configuration.prompt_only,
        connector=declared.connector,
        canary=canary,
        stands=stands,
        events=True,
        source=SOURCE,
        reason=reason,
    )


def write_plan(pool: Pool, decision: Decided, variant: str, stands: Stands | None) -> bool:
    """Have the pools room take the plan over; a roll-out follows. `stands`: how a canary does, None: there is none.
    Raises Refusal where it will not."""
    canary = variant if stands is not None else None
    plan = plan_from(decision.plan, pool, canary=canary, reason=decision.sentence, stands=stands or "beside")
    return set_tier_plan(pool=pool, plan=plan, actor=ACTOR, generation=pool.generation)


@transaction.atomic
def record(entries: Sequence[Entry], decisions: Sequence[Decided], outcomes: Mapping[UUID, str], now: datetime) -> None:
    """Store what was decided and each pool's memory. Equal holds lengthen the row before."""
    lines = []
    for entry, decision in zip(entries, decisions, strict=True):
        key = json.dumps([entry.mode, decision.verb, decision.binding, [c.rule for c in decision.clamps]])
        before = entry.before
        run = (
            OffloadDecision.objects.filter(id=before.decision).only("id", "first_at").first()
            if before is not None and before.decision is not None and before.key == key and decision.verb in _HOLDS
            else None
        )
        row = _row(entry, decision, outcomes.get(entry.pool.uid, ""), now)
        if run is not None and now - run.first_at < _LONGEST_RUN:
            columns = {name: getattr(row, name) for name in ("sentence", "record", "policy", "signals", "state")}
            OffloadDecision.objects.filter(id=run.id).update(last_at=now, count=F("count") + 1, **columns)
            row.id = run.id
        else:
            row.save(force_insert=True)
            lines.append(_line(entry))
            _tell(entry, decision, row.actuation)
        _tell_refusals(entry, decision)
        PoolState.objects.update_or_create(
            pool=entry.pool.uid,
            defaults={
                "at": now,
                "row_at": entry.row_at,
                "state": to_json(decision.state),
                "window": entry.window,
                "counts": entry.counts,
                "baseline": entry.baseline,
                "decision": row.id,
                "key": key,
                "store": _store(
                    entry.signals.store,
                    entry.signals.faults.get("filesystem"),
                    next((tier.claim for tier in entry.policy.tiers if tier.kind == "filesystem"), None),
                    entry.worth,
                ),
            },
        )
        if _put_condition(entry, decision, outcomes.get(entry.pool.uid, "")):
            lines.append(replace(_line(entry), fields=["conditions"]))
    if lines:
        outbox.publish_all(lines)


def _store(page: StorePage | None, fault: Fault | None, claim: str | None, worth: Worth | None) -> dict[str, Any]:
    """What is kept of the folder for REST: {} where nobody answers for it."""
    found = told(page, fault, claim)
    return {**found, "worth": worth.to_json() if worth is not None else None} if found else {}


_UNWATCHED = "Nobody answers for the pool's folder on the volume: see its kv-evictor pod."


@transaction.atomic
def record_volume(
    pool: Pool, faults: Mapping[str, Fault], store: StorePage | None, claim: str | None, worth: Worth | None = None
) -> None:
    """Of a pool whose tiers are declared for good: what its volume's owner says, and the condition."""
    held = Pool.objects.select_for_update().filter(uid=pool.uid, deletion_requested_at=None).first()
    if held is None:
        return
    if fault := next(iter(faults.values()), None):
        said: tuple[Status, str, str] = ("False", fault.reason, fault.sentence)
    elif store is None:
        said = ("Unknown", "StoreUnwatched", _UNWATCHED)
    else:
        said = ("True", "Declared", "Its tiers are as declared, and its volume gives back what it is given.")
    page = _store(store, faults.get("filesystem"), claim, worth)
    PoolState.objects.update_or_create(pool=pool.uid, defaults={"at": clock.now(), "store": page})
    if put_condition(held, Condition(CONDITION, *said, held.generation)):
        outbox.publish(
            kind="Pool", uid=held.uid, team=held.team, name=held.name,
            verb="status", generation=held.generation, fields=["conditions"],
        )  # fmt: skip


def _put_condition(entry: Entry, decision: Decided, actuation: str) -> bool:
    pool = Pool.objects.select_for_update().filter(uid=entry.pool.uid, deletion_requested_at=None).first()
    if pool is None:
        return False
    status, reason, message = _said(entry, decision, actuation)
    return put_condition(pool, Condition(CONDITION, status, reason, message, pool.generation))


def _said(entry: Entry, decision: Decided, actuation: str) -> tuple[Status, str, str]:
    """Status, reason and a sentence without numbers that move at each tick."""
    signals, state = entry.signals, decision.state
    if fault := next(iter(signals.faults.values()), None):
        return "False", fault.reason, fault.sentence
    if actuation.startswith("Not written"):
        return "False", "PlanRefused", actuation
    if signals.blind:
        return "Unknown", "Blind", signals.blind
    if state.phase == "steady" and signals.standing.bytes_of("filesystem") and signals.store is None:
        return (
            "Unknown",
            "StoreUnwatched",
            _UNWATCHED,
        )
    if state.phase == "learning":
        return "Unknown", "Learning", "Too few KV events have been seen yet to decide on tiers."
    tiers = tiers_text(decision.plan)
    if state.phase in ("canary", "watching"):
        where = "one replica" if state.phase == "canary" else "all replicas"
        return "True", "Trying", f"On trial on {where}: {tiers}."
    if state.phase == "leaving":
        return "True", "Trying", f"Taken back as soon as a replica without them is ready: {tiers}."
    slow = f" Refused, for they load slower than they compute: {', '.join(state.slow)}." if state.slow else ""
    return "True", "Decided", f"{tiers[:1].upper()}{tiers[1:]}.{slow}"


def forget_conditions(deciding: Sequence[Pool]) -> None:
    """Of pools on which nobody decides any more."""
    stale = Pool.objects.living().filter(conditions__contains=[{"type": CONDITION}])
    for uid in stale.exclude(uid__in=[pool.uid for pool in deciding]).values_list("uid", flat=True)[:200]:
        with transaction.atomic():
            pool = Pool.objects.select_for_update().get(uid=uid)
            pool.conditions = [one for one in pool.conditions if one["type"] != CONDITION]
            Pool.objects.filter(uid=uid).update(conditions=pool.conditions)


def _line(entry: Entry) -> outbox.Line:
    pool = entry.pool
    return outbox.Line(
        kind="Pool",
        uid=pool.uid,
        team=pool.team,
        name=pool.name,
        verb="status",
        generation=pool.generation,
        fields=["offload"],
    )


_REASONS: Mapping[str, tuple[Literal["Normal", "Warning"], str]] = {
    "canary": ("Normal", "TierCanary"),
    "keep": ("Normal", "TierKept"),
    "roll-back": ("Warning", "TierRolledBack"),
    "retire": ("Normal", "TierRetired"),
    "advise": ("Normal", "TierAdvised"),
}


def _tell(entry: Entry, decision: Decided, actuation: str) -> None:
    reason = _REASONS.get(decision.verb)
    # that a canary failed was told when it did
    if reason is None or entry.state.phase == "leaving":
        return
    pool = entry.pool
    named: dict[str, Any] = {"kind": "Pool", "uid": pool.uid, "team": pool.team, "name": pool.name}
    message = f"{decision.sentence} {actuation}".strip() if actuation.startswith("Not") else decision.sentence
    record_event(**named, type=reason[0], reason=reason[1], message=message, source=SOURCE)


def _tell_refusals(entry: Entry, decision: Decided) -> None:
    """Once for each tier that is found too slow."""
    measured = None
    for kind in decision.state.slow:
        if kind in entry.state.slow:
            continue
        measured = measured or Measured.of(entry.signals)
        text = tier_sentence(entry.policy, measured, kind, entry.signals.bandwidths)
        pool = entry.pool
        record_event(
            kind="Pool", uid=pool.uid, team=pool.team, name=pool.name,
            type="Normal", reason="TierRefused", message=f"Refused: {kind}. {text}", source=SOURCE,
        )  # fmt: skip


def _row(entry: Entry, decision: Decided, actuation: str, now: datetime) -> OffloadDecision:
    stored = to_json(decision)
    del stored["state"]
    return OffloadDecision(
        pool=entry.pool.uid,
        team=entry.pool.team,
        name=entry.pool.name,
        mode=entry.mode,
        first_at=now,
        last_at=now,
        verb=decision.verb,
        binding=decision.binding,
        sentence=decision.sentence,
        actuation=actuation,
        record=stored,
        policy=to_json(entry.policy),
        signals=to_json(entry.signals),
        state=to_json(entry.state),
    )


# --- probes ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def ask_for_probe(*, pool: Pool, again: bool = False) -> list[Probe]:
    """Have the bandwidth of the pool's declared volumes and object stores measured. `again`: also of those that were
    measured before. Raises Clash for a pool without either, and within ten minutes of the last time."""
    tiers = [tier for tier in spec_of(pool).offload.tiers if tier.kind in ("filesystem", "object")]
    if not tiers:
        raise Clash(f"{pool.key} declares no filesystem and no object tier: there is nothing to measure.")
    now = clock.now()
    held = {row.kind: row for row in Probe.objects.select_for_update().filter(pool=pool.uid)}
    asked = []
    for tier in tiers:
        row, what = held.get(tier.kind), measured_at(tier.claim, tier.endpoint, tier.bucket)
        same = row is not None and row.claim == what
        if row is not None and same and now - row.asked_at < PROBE_AGAIN:
            if again:
                at = (row.asked_at + PROBE_AGAIN).strftime("%H:%M:%S")
                raise Clash(f"{what} was measured less than ten minutes ago: again from {at} UTC on.")
            continue
        if row is not None and same and not again and row.state == "done":
            continue
        asked.append(
            Probe.objects.update_or_create(
                pool=pool.uid,
                kind=tier.kind,
                defaults={
                    "claim": what,
                    "state": "asked",
                    "asked_at": now,
                    "finished_at": None,
                    "job": "",
                    "problem": "",
                    # a figure of the same volume stands until there is a newer one
                    "result": row.result if row is not None and same else {},
                },
            )[0]
        )
    return asked


def retire(limit: int = 10_000) -> int:
    """Delete old decisions, oldest first, and what belongs to pools that are gone."""
    now = clock.now()
    old = OffloadDecision.objects.filter(last_at__lt=now - _KEPT).order_by("id").values("id")[:limit]
    deleted, _ = OffloadDecision.objects.filter(id__in=old).delete()
    pools = Pool.objects.values("uid")
    for model in (ReuseState, PoolState, Probe):
        model.objects.exclude(pool__in=pools).delete()
    return deleted
