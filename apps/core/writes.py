"""One write of one declared object, inside a transaction that its caller opened: the rules that all ways in share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from apps.core import access, clock, kinds, outbox
from apps.core.changes import Action, Change, record_all
from apps.core.domain.access import Actor
from apps.core.domain.documents import Envelope
from apps.core.domain.refusals import Clash, Fault, Invalid, Missing, Stale, VersionNeeded
from apps.core.models import DeclaredObject, ObjectKey
from apps.core.representation import declaration


@dataclass(frozen=True)
class By:
    """Who writes, in which request, and why."""

    actor: Actor
    request_id: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Expectation:
    """On what the write was made. `etags` is an If-Match header's list (`("*",)`: any); None where none is needed."""

    exists: bool | None = None
    etags: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Base:
    """What a write was made on: the declaration before it, with its version and generation."""

    declaration: Mapping[str, Any]
    version: int
    generation: int


@dataclass(frozen=True)
class Written:
    """What became of a document. `base`: None for a new object and for deletions."""

    action: Literal["created", "updated", "unchanged", "deleting", "deleted"]
    obj: Any
    base: Base | None = None


@dataclass
class Journal:
    """Outbox lines and change records of one transaction, written together at its end: both wait for other writers."""

    by: By
    _lines: list[outbox.Line] = field(default_factory=list)
    _changes: list[Change] = field(default_factory=list)

    def note(
        self, obj: DeclaredObject, action: Action, before: Mapping[str, Any] | None, fields: tuple[str, ...] = ()
    ) -> None:
        """A change of a declaration."""
        self._lines.append(_line(obj, _VERBS[action], fields))
        self._changes.append(
            Change(
                actor=self.by.actor.id,
                request_id=self.by.request_id,
                action=action,
                kind=obj.kind,
                uid=obj.uid,
                team=obj.team,
                name=obj.name,
                generation=obj.generation,
                before=before,
                after=None if action == "delete" else declaration(obj),
                reason=self.by.reason,
            )
        )

    def tell(self, accepted: kinds.Accepted) -> None:
        """Let the kind's watchers know, and the stream of what they changed."""
        self._lines += [_line(obj, "status", ("conditions", "status")) for obj in kinds.tell_watchers(accepted)]

    def write(self) -> None:
        if self._lines:
            outbox.publish_all(self._lines)
        if self._changes:
            record_all(self._changes)


_VERBS: dict[Action, str] = {
    "create": "created",
    "update": "updated",
    "delete-requested": "deleting",
    "delete": "deleted",
}


def _line(obj: DeclaredObject, verb: str, fields: tuple[str, ...]) -> outbox.Line:
    return outbox.Line(obj.kind, obj.uid, obj.team, obj.name, verb, obj.generation, fields)


def declare(
    handler: kinds.KindHandler,
    envelope: Envelope,
    *,
    team: str,
    expect: Expectation,
    journal: Journal,
    refused: frozenset[ObjectKey] = frozenset(),
) -> Written:
    """Create or update one object from its document. Raises Refusals; the caller rolls back.

    `refused` are objects of the same bundle that were not accepted.
    """
    actor, name = journal.by.actor, envelope.metadata.name
    access.require_write(actor, team)
    spec = handler.spec_model.from_document(envelope.spec)
    obj = _locked(handler, team, name)
    _check_expectation(handler, obj, envelope, team, expect)
    before = _declared_before(handler, obj) if obj else None
    base = Base(before, obj.version, obj.generation) if obj is not None and before is not None else None
    after = {
        "labels": dict(envelope.metadata.labels),
        "annotations": dict(envelope.metadata.annotations),
        "spec": spec.to_document(),
    }
    if before is not None and same_value(before, after):
        return Written("unchanged", obj, base)
    if obj is not None and obj.deletion_requested_at:
        raise Clash(
            f"{obj.key} is being deleted since {obj.deletion_requested_at:%Y-%m-%d %H:%M:%S} UTC: "
            f"wait until it is gone (lamp wait --for=delete {handler.singular}/{name}), then declare it anew."
        )
    context = kinds.CheckContext(
        team=team,
        name=name,
        spec=spec,
        before=obj,
        actor=actor,
        labels=after["labels"],
        refused_keys=refused,
        faults=_immutable_faults(handler, before, after) if before else [],
    )
    handler.check(context)
    if context.faults:
        raise Invalid.of(context.faults)
    spec_changed = before is None or not same_value(before["spec"], after["spec"])
    now = clock.now()
    if obj is None:
        obj = handler.model(team=team, name=name, created_at=now, updated_at=now, **after)
        obj.save(force_insert=True)
    else:
        for column, value in after.items():
            setattr(obj, column, value)
        obj.generation += spec_changed
        obj.version += 1
        obj.updated_at = now
        obj.save(update_fields=[*after, "generation", "version", "updated_at"])
    verb: Literal["created", "updated"] = "updated" if before else "created"
    accepted = kinds.Accepted(verb, obj, spec, before, spec_changed, actor, journal.by.reason)
    handler.accepted(accepted)
    journal.tell(accepted)
    changed = tuple(part for part in after if before is None or not same_value(before[part], after[part]))
    journal.note(obj, "update" if before else "create", before, changed)
    return Written(verb, obj, base)


def delete(
    handler: kinds.KindHandler, *, team: str, name: str, expect: Expectation, journal: Journal, orphan: bool = False
) -> Written:
    """Ask for the deletion of an object; gone at once or later, as its kind has it. Raises Refusals.

    `orphan`: at once, also when its deletion was asked for before; what it owns in a cluster stays there.
    """
    access.require_write(journal.by.actor, team)
    obj = _locked(handler, team, name)
    if obj is None:
        raise missing(handler, team, name)
    _check_etags(obj, expect)
    if obj.deletion_requested_at and not orphan:
        return Written("deleting", obj)
    users = kinds.referrers_of(obj)
    if users:
        listed = ", ".join(users[:5]) + (f" and {len(users) - 5} more" if len(users) > 5 else "")
        raise Clash(f"{obj.key} is used by {listed}: delete or change {'that' if len(users) == 1 else 'those'} first.")
    before = declaration(obj)
    gone = orphan or handler.request_deletion(obj)
    if gone:
        _remove(obj)
    else:
        obj.deletion_requested_at = obj.updated_at = clock.now()
        obj.version += 1
        obj.save(update_fields=["deletion_requested_at", "updated_at", "version"])
    verb: Literal["deleted", "deleting"] = "deleted" if gone else "deleting"
    accepted = kinds.Accepted(verb, obj, None, before, False, journal.by.actor, journal.by.reason)
    handler.accepted(accepted)
    journal.tell(accepted)
    journal.note(obj, "delete" if gone else "delete-requested", before)
    return Written(verb, obj)


def finish(handler: kinds.KindHandler, obj: DeclaredObject, *, journal: Journal) -> bool:
    """Remove the row of an object whose deletion was asked for; False where it is gone already."""
    row = handler.model.objects.select_for_update().filter(uid=obj.uid).first()
    if row is None:
        return False
    if row.deletion_requested_at is None:
        raise ValueError(f"nobody asked for the deletion of {row.key}")
    before = declaration(row)
    _remove(row)
    journal.tell(kinds.Accepted("deleted", row, None, before, False, journal.by.actor, journal.by.reason))
    journal.note(row, "delete", before)
    return True


def _remove(obj: DeclaredObject) -> None:
    """Delete the row; the object keeps its uid, which Django takes away."""
    uid = obj.uid
    obj.delete()
    obj.uid = uid


def missing(handler: kinds.KindHandler, team: str, name: str) -> Missing:
    return Missing(f"There is no {handler.kind} named {name} in team {team}.")


def same_value(one: Any, other: Any) -> bool:
    """Equality of JSON values in which true is not 1 and key order does not count."""
    return one == other and json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _declared_before(handler: kinds.KindHandler, obj: DeclaredObject) -> dict[str, Any]:
    """What was declared, with the fields that the spec has got since and their defaults: those are no change."""
    stored = declaration(obj)
    try:
        return {**stored, "spec": handler.spec_model.from_document(obj.spec).to_document()}
    except Invalid:
        return stored  # accepted by other rules: then the difference is real


def _locked(handler: kinds.KindHandler, team: str, name: str) -> Any | None:
    return handler.model.objects.select_for_update().named(team, name).first()


def _check_expectation(
    handler: kinds.KindHandler, obj: DeclaredObject | None, envelope: Envelope, team: str, expect: Expectation
) -> None:
    name, metadata = envelope.metadata.name, envelope.metadata
    if obj is None:
        if expect.exists:
            raise missing(handler, team, name)
        if metadata.version is not None or metadata.uid is not None:
            raise Stale(
                f"The document names an earlier {handler.kind} {name}, which is gone from team {team}: "
                "take uid and version out of its metadata to create it anew."
            )
        return
    if expect.exists is False:
        raise Clash(
            f"There is a {handler.kind} named {name} in team {team} already: choose another name, or change it "
            "with PUT, PATCH or apply.",
            [Fault("/metadata/name", f"the name {name} is taken")],
        )
    _check_etags(obj, expect)
    if metadata.uid is not None and metadata.uid != str(obj.uid):
        raise _stale(obj, "/metadata/uid", f"it has uid {obj.uid} now: it was deleted and created anew")
    if metadata.version is not None and metadata.version != obj.version:
        raise _stale(
            obj, "/metadata/version", f"it is at version {obj.version} now, the document was made on {metadata.version}"
        )


def _check_etags(obj: DeclaredObject, expect: Expectation) -> None:
    if expect.etags is None:
        return
    if not expect.etags:
        raise VersionNeeded(
            "Send the ETag of the object that you read in the header If-Match, so that no other change is lost.",
            headers={"ETag": obj.etag},
        )
    if "*" not in expect.etags and obj.etag not in expect.etags:
        raise _stale(obj, None, f"it is at {obj.etag} now, not {', '.join(expect.etags)[:120]}")


def _stale(obj: DeclaredObject, pointer: str | None, detail: str) -> Stale:
    sentence = f"{obj.key} has changed since you read it: {detail}. Read it again and repeat your change on it."
    return Stale(sentence, [Fault(pointer, detail)] if pointer else [], headers={"ETag": obj.etag})


def _immutable_faults(handler: kinds.KindHandler, before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Fault]:
    found = []
    for at in handler.immutable:
        was, becomes = _at(before["spec"], at), _at(after["spec"], at)
        if not same_value(was, becomes):
            field_name = "spec" + at.replace("/", ".")
            found.append(
                Fault(
                    f"/spec{at}",
                    f"{field_name} cannot be changed from {json.dumps(was)} to {json.dumps(becomes)}: "
                    f"delete the {handler.kind} and declare it anew, or declare another one",
                )
            )
    return found


def _at(value: Any, pointer: str) -> Any:
    for part in pointer.strip("/").split("/"):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
