"""Writing down what a reconcile found: status, conditions, events, a line of the stream. Nothing changed: no write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from django.db import transaction

from apps.audit.services import Happening, keep_events
from apps.core import clock, outbox, prepared
from apps.core.domain.conditions import Condition, stored_with
from apps.pools.domain.health import Health, Sync, VariantState, conditions_of
from apps.pools.models import Pool
from apps.pools.rollouts import Look, store_several
from apps.reconcile import services as reconcile
from apps.reconcile.queue import Lease

SOURCE = "pool-controller"


@dataclass(frozen=True)
class Note:
    """An event to record: what the controller did or met."""

    type: str
    reason: str
    message: str


@dataclass(frozen=True)
class Report:
    """All that one reconcile has to say of a pool. Absent parts leave the stored status as it is.

    `conditions` and `status`: what stands beside sync and health.
    """

    sync: Sync
    health: Health
    variants: tuple[VariantState, ...] | None = None
    endpoint: str | None = None
    served_name: str | None = None
    rendered_hash: str = ""
    notes: tuple[Note, ...] = field(default=())
    conditions: tuple[Condition, ...] = ()
    status: Mapping[str, Any] = field(default_factory=dict)
    rollout: Look | None = None


@dataclass(frozen=True)
class Stored:
    """What is known to be stored of the pool's revision, so that it need not be stored again."""

    revision_hash: str = ""
    served: bool = False


@dataclass(frozen=True)
class Said:
    """A report that is news, ready to be stored."""

    pool: Pool
    report: Report
    known: Stored
    conditions: tuple[Condition, ...]
    notes: tuple[Note, ...]
    now: datetime
    # conditions and status as they were read, and what they become where nobody else has written since
    before: tuple[list[dict[str, Any]], dict[str, Any]]
    after: tuple[list[dict[str, Any]], dict[str, Any]]


def news(pool: Pool, report: Report, known: Stored = Stored()) -> Said | None:
    """What is to be stored of a report; None where all of it is stored already."""
    now = clock.now()
    standing = report.rollout.after if report.rollout is not None and report.rollout.after.holds else None
    said = (*conditions_of(report.sync, report.health, pool.generation, standing), *report.conditions)
    conditions = stored_with(pool.conditions, said, now)
    notes = (*report.notes, *_transitions(pool.conditions, conditions))
    told = report.rollout is not None and report.rollout.news
    stored = (pool.conditions, pool.status)
    after = (conditions, _status(pool.status, pool, report))
    if after == stored and not notes and not told:
        return None
    return Said(pool, report, known, said, notes, now, stored, after)


def record(lease: Lease, pool: Pool, report: Report, known: Stored = Stored()) -> bool:
    """Store the report now, if the pool is still of the generation that it is about and the lease is held.

    Returns False (nothing written) when the pool has moved on. Raises LeaseLost.
    """
    said = news(pool, report, known)
    if said is None:
        return True
    with transaction.atomic():
        written = record_several([(lease, said)])
    if lease.fence not in written:
        raise reconcile.LeaseLost(f"the lease on {lease.kind} {lease.uid} is lost")
    return written[lease.fence]


def record_several(rows: Sequence[tuple[Lease, Said]]) -> dict[int, bool]:
    """Store what was said of several pools, within the caller's transaction and as its last write but the queue's.

    By fence: True where it is stored, False where the pool has moved on; those that are locked or lost are left out.
    """
    columns = ("generation", "conditions::text", "status::text")
    held = reconcile.holding_several([lease for lease, _ in rows], Pool, *columns)
    written: dict[int, bool] = {}
    entries: list[_Entry] = []
    for lease, said in rows:
        row = held.get(lease.fence)
        if row is None:
            continue
        written[lease.fence] = bool(row) and row[0] == said.pool.generation
        if written[lease.fence]:
            entries.append(_entry(said, orjson.loads(row[1]), orjson.loads(row[2])))
    if entries:
        _store(entries)
    return written


@dataclass(frozen=True)
class _Entry:
    said: Said
    conditions: list[dict[str, Any]]
    status: dict[str, Any]


def _entry(said: Said, conditions: list[dict[str, Any]], status: dict[str, Any]) -> _Entry:
    """What is to be stored of a pool of which this is stored now."""
    if (conditions, status) == said.before:
        return _Entry(said, *said.after)
    # other loops say things of a pool too: what they wrote since we read it stays
    merged = stored_with(conditions, said.conditions, said.now)
    return _Entry(said, merged, _status(status, said.pool, said.report))


def _store(entries: Sequence[_Entry]) -> None:
    with prepared.cursor() as cursor:
        cursor.execute(
            # one JSON document: quoting an array of documents for SQL costs more than making them
            "UPDATE pools_pool p SET conditions = s.conditions, status = s.status"
            " FROM jsonb_to_recordset(%s::jsonb) AS s(uid uuid, conditions jsonb, status jsonb) WHERE p.uid = s.uid",
            [
                orjson.dumps(
                    [{"uid": e.said.pool.uid, "conditions": e.conditions, "status": e.status} for e in entries]
                ).decode()
            ],
        )
    _store_revisions([entry.said for entry in entries])
    rollouts = [(e.said.pool, e.said.report.rollout) for e in entries if e.said.report.rollout is not None]
    happened = store_several(rollouts)
    lines: list[outbox.Line] = []
    for entry in entries:
        pool = entry.said.pool
        named: dict[str, Any] = {"kind": "Pool", "uid": pool.uid, "team": pool.team, "name": pool.name}
        happened += [
            Happening(
                **named,
                type="Warning" if note.type == "Warning" else "Normal",
                reason=note.reason,
                message=note.message,
                source=SOURCE,
            )
            for note in entry.said.notes
        ]
        lines.append(outbox.Line(**named, verb="status", generation=pool.generation, fields=["conditions", "status"]))
        pool.conditions, pool.status = entry.conditions, entry.status
    keep_events(happened)
    noted = {one.uid: one for one in happened}
    lines[:0] = [
        outbox.Line(one.kind, one.uid, one.team, one.name, "event", None, ["events"]) for one in noted.values()
    ]
    outbox.publish_all(lines)


def _store_revisions(news: Sequence[Said]) -> None:
    """What the present generation became, and that it served: an abort may come back to it."""
    rows = []
    for said in news:
        report, known = said.report, said.known
        hash_ = report.rendered_hash if report.rendered_hash != known.revision_hash else ""
        serves = report.sync.state == "Synced" and report.health.state == "Healthy" and not known.served
        if hash_ or serves:
            rows.append((said.pool.uid, said.pool.generation, hash_, said.now if serves else None))
    if not rows:
        return
    with prepared.cursor() as cursor:
        cursor.execute(
            "UPDATE pools_revision r SET rendered_hash = COALESCE(NULLIF(s.hash, ''), r.rendered_hash),"
            " healthy_at = COALESCE(r.healthy_at, s.healthy_at)"
            " FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::timestamptz[])"
            " AS s(pool, generation, hash, healthy_at)"
            " WHERE r.pool_id = s.pool AND r.generation = s.generation",
            [list(column) for column in zip(*rows, strict=True)],
        )


def _status(stored: Mapping[str, Any], pool: Pool, report: Report) -> dict[str, Any]:
    status = {
        **stored,
        "sync": report.sync.state,
        "health": report.health.state,
        "observedGeneration": pool.generation,
    }
    if report.variants is not None:
        status["variants"] = [variant.to_json() for variant in report.variants]
        status["replicas"] = {
            "desired": sum(variant.wanted for variant in report.variants),
            "ready": sum(variant.ready for variant in report.variants),
            "starting": sum(variant.starting for variant in report.variants),
            **({"asleep": asleep} if (asleep := sum(variant.asleep for variant in report.variants)) else {}),
        }
        status["endpoint"] = report.endpoint
    if report.rollout is not None:
        status["rollout"] = report.rollout.to_json()
    if report.served_name is not None:
        status["servedName"] = report.served_name
    return {**status, **report.status}


def _transitions(before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]]) -> list[Note]:
    """Events for what a person would want to see on the timeline: health or sync turned, or for another reason, or
    somebody else scales."""
    notes = []
    old_of = {condition["type"]: condition for condition in before if condition["type"] in _ON_THE_TIMELINE}
    new_of = {condition["type"]: condition for condition in after if condition["type"] in _ON_THE_TIMELINE}
    for type_ in _ON_THE_TIMELINE:
        old, new = old_of.get(type_), new_of.get(type_)
        if new is None or (old is not None and (old["status"], old["reason"]) == (new["status"], new["reason"])):
            continue
        if new["status"] == "True" and old is not None and old["status"] == "True":
            continue
        harmless = new["status"] == "True" or new["reason"] in _ON_THE_WAY
        notes.append(Note("Normal" if harmless else "Warning", new["reason"], new["message"]))
    return notes


_ON_THE_TIMELINE = ("Synced", "Healthy", "ReplicasOwner")

_ON_THE_WAY = frozenset(
    {
        "NothingDeployed",
        "WaitingForApproval",
        "ReplicasStarting",
        "ReplicasStopping",
        "RollingOut",
        "EndpointPickerStarting",
        "Deleting",
    }
)
