"""Writing down what a reconcile found: status, conditions, events, a line of the stream. Nothing changed: no write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from apps.audit.services import Happening, keep_events
from apps.core import clock, outbox
from apps.core.domain.conditions import Condition, find_condition, read_conditions, set_condition
from apps.pools.domain.health import Health, Sync, VariantState, conditions_of
from apps.pools.models import Pool, PoolRevision
from apps.pools.rollouts import Look, mark_healthy, store
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


def record(lease: Lease, pool: Pool, report: Report, known: Stored = Stored()) -> bool:
    """Store the report if the pool is still of the generation that it is about and the lease is held.

    Returns False (nothing written) when the pool has moved on. Raises LeaseLost.
    """
    now = clock.now()
    standing = report.rollout.after if report.rollout is not None and report.rollout.after.holds else None
    said = (*conditions_of(report.sync, report.health, pool.generation, standing), *report.conditions)
    before = read_conditions(pool.conditions)
    conditions = _with(before, said, now)
    notes = [*report.notes, *_transitions(before, conditions)]
    told = report.rollout is not None and report.rollout.news
    unchanged = _written(conditions) == pool.conditions and _status(pool.status, pool, report) == pool.status
    if unchanged and not notes and not told:
        return True
    with reconcile.holding(lease, Pool, "generation", "conditions::text", "status::text") as row:
        if not row or row[0] != pool.generation:
            return False
        stored = orjson.loads(row[1]), orjson.loads(row[2])
        # other loops say things of a pool too: what they wrote since we read it stays
        written = _written(_with(read_conditions(stored[0]), said, now))
        status = _status(stored[1], pool, report)
        Pool.objects.filter(uid=pool.uid).update(conditions=written, status=status)
        if report.rendered_hash and report.rendered_hash != known.revision_hash:
            PoolRevision.objects.filter(pool=pool, generation=pool.generation).exclude(
                rendered_hash=report.rendered_hash
            ).update(rendered_hash=report.rendered_hash)
        named: dict[str, Any] = {"kind": "Pool", "uid": pool.uid, "team": pool.team, "name": pool.name}
        happened = [*store(pool, report.rollout)] if report.rollout is not None else []
        if report.sync.state == "Synced" and report.health.state == "Healthy" and not known.served:
            mark_healthy(pool)
        happened += [
            Happening(
                **named,
                type="Warning" if note.type == "Warning" else "Normal",
                reason=note.reason,
                message=note.message,
                source=SOURCE,
            )
            for note in notes
        ]
        keep_events(happened)
        lines = [outbox.Line(**named, verb="event", fields=["events"])] if happened else []
        lines.append(outbox.Line(**named, verb="status", generation=pool.generation, fields=["conditions", "status"]))
        outbox.publish_all(lines)
    pool.conditions, pool.status = written, status
    return True


def _with(stored: Sequence[Condition], said: Iterable[Condition], now: datetime) -> tuple[Condition, ...]:
    conditions = tuple(stored)
    for condition in said:
        conditions = set_condition(conditions, condition, now)
    return conditions


def _written(conditions: Iterable[Condition]) -> list[dict[str, Any]]:
    return [condition.to_json() for condition in conditions]


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
            name: sum(getattr(variant, name) for variant in report.variants)
            for name in ("desired", "ready", "starting")
        }
        status["endpoint"] = report.endpoint
    if report.rollout is not None:
        status["rollout"] = report.rollout.to_json()
    if report.served_name is not None:
        status["servedName"] = report.served_name
    return {**status, **report.status}


def _transitions(before: Any, after: Any) -> list[Note]:
    """Events for what a person would want to see on the timeline: health or sync turned, or for another reason."""
    notes = []
    for type_ in ("Synced", "Healthy"):
        old, new = find_condition(before, type_), find_condition(after, type_)
        if new is None or (old is not None and (old.status, old.reason) == (new.status, new.reason)):
            continue
        if new.status == "True" and old is not None and old.status == "True":
            continue
        harmless = new.status == "True" or new.reason in _ON_THE_WAY
        notes.append(Note("Normal" if harmless else "Warning", new.reason, new.message))
    return notes


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
