"""A plan as people read it: what becomes of each object, field by field, and what that does to what runs.

Made from what a server answered to a dry run, masked before it leaves this module.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from apps.pools.domain.changes import ABSENT, FieldChange, declared_part, diff, overlaid
from apps.pools.domain.cost import CostDelta
from apps.pools.domain.effects import Effect, effect_of, immutable_fields, worst
from apps.pools.domain.engines import COMPONENT_ENGINE
from apps.pools.domain.fieldpaths import ItemKey, shown
from apps.pools.domain.groups import group_size
from apps.pools.domain.managers import Writer, newest, writers_of
from apps.pools.domain.manifests import COMPONENT, VARIANT, WORKLOADS, Manifest
from apps.pools.domain.masking import Masker
from apps.pools.domain.plan import OURS, address_of

Action = Literal["created", "changed", "unchanged", "deleted", "skipped"]
# what one review holds at most: a reader stops long before, and a row of the database should not
MOST_FIELDS = 200
LONGEST_TEXT = 20_000


@dataclass(frozen=True)
class Answered:
    """What a server said to the dry run of one object.

    `live`: as it is (None: not there); `after`: as it would be (None: the server did not say, `rendered` stands in).
    `conflicts`: fields by the manager that owns them and keeps us from writing. `allowed`: somebody consented to take
    those over. `refusal`: what the server said when it would not take it. `reason`: why the object is left alone.
    """

    rendered: Manifest
    live: Manifest | None
    after: Manifest | None = None
    conflicts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    allowed: bool = False
    refusal: str = ""
    reason: str = ""


@dataclass(frozen=True)
class ReviewedField:
    """One changed field of one object, masked."""

    change: FieldChange
    effect: Effect
    writers: tuple[Writer, ...] = ()

    def to_json(self) -> dict[str, Any]:
        row: dict[str, Any] = {"path": shown(self.change.path), "op": self.change.op, "effect": self.effect}
        if self.change.before is not ABSENT:
            row["before"] = _short(self.change.before)
        if self.change.after is not ABSENT:
            row["after"] = _short(self.change.after)
        if self.writers:
            row["writers"] = [writer.to_json() for writer in self.writers]
        return row


@dataclass(frozen=True)
class ReviewedObject:
    """What becomes of one object. `manifest`: masked, of a created one. `restarts`: pods that are replaced."""

    api_version: str
    kind: str
    name: str
    namespace: str | None
    action: Action
    effect: Effect = "inPlace"
    fields: tuple[ReviewedField, ...] = ()
    immutable: tuple[str, ...] = ()
    conflicts: tuple[tuple[Writer, tuple[str, ...]], ...] = ()
    reason: str = ""
    message: str = ""
    manifest: Manifest | None = None
    variant: str | None = None
    restarts: int = 0

    @property
    def title(self) -> str:
        return f"{self.kind} {self.name}"

    def to_json(self) -> dict[str, Any]:
        return {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "name": self.name,
            "namespace": self.namespace,
            "action": self.action,
            "effect": self.effect if self.action == "changed" else None,
            "fields": [f.to_json() for f in self.fields[:MOST_FIELDS]],
            "fieldsLeftOut": max(0, len(self.fields) - MOST_FIELDS),
            "immutable": list(self.immutable),
            "conflicts": [
                {**writer.to_json(), "fields": list(fields[:MOST_FIELDS])} for writer, fields in self.conflicts
            ],
            "reason": self.reason or None,
            "message": self.message or None,
            "manifest": _short(self.manifest) if self.manifest is not None else None,
            "variant": self.variant,
            "restarts": self.restarts,
        }


@dataclass(frozen=True)
class Warned:
    """Something that a reviewer should know. `reason`: one CamelCase word."""

    reason: str
    message: str

    def to_json(self) -> dict[str, str]:
        return {"reason": self.reason, "message": self.message}


@dataclass(frozen=True)
class Review:
    """The whole plan. `spec`: changes of the declaration."""

    spec: tuple[ReviewedField, ...]
    objects: tuple[ReviewedObject, ...]
    cost: CostDelta
    warnings: tuple[Warned, ...] = ()

    def of(self, action: Action) -> list[ReviewedObject]:
        return [obj for obj in self.objects if obj.action == action]

    @property
    def effect(self) -> Effect:
        return worst(obj.effect for obj in self.objects if obj.action == "changed")

    @property
    def empty(self) -> bool:
        """Whether nothing would happen, neither to the declaration nor in the cluster."""
        return not self.spec and all(obj.action == "unchanged" for obj in self.objects)

    def summary(self) -> dict[str, Any]:
        actions: tuple[Action, ...] = ("created", "changed", "unchanged", "deleted", "skipped")
        engines = sum(obj.restarts for obj in self.objects if obj.variant)
        return {
            **{action: len(self.of(action)) for action in actions},
            "effect": self.effect if self.of("changed") else None,
            "replicasRestarted": engines,
            "podsRestarted": sum(obj.restarts for obj in self.objects),
            "consentNeeded": ["recreate"] if self.effect == "recreate" else [],
            "empty": self.empty,
            "sentence": self.sentence(),
        }

    def sentence(self) -> str:
        """The plan in one line."""
        if self.empty:
            return "nothing changes"
        verbs: tuple[tuple[Action, str], ...] = (
            ("created", "create"),
            ("changed", "change"),
            ("deleted", "delete"),
            ("skipped", "leave alone"),
        )
        parts = [f"{len(found)} to {verb}" for action, verb in verbs if (found := self.of(action))]
        restarts = {obj.variant or obj.name: obj.restarts for obj in self.objects if obj.restarts}
        parts += [
            f"{_counted(count, 'replica')} of {name} restart{'s' if count == 1 else ''}"
            for name, count in restarts.items()
        ]
        recreated = [obj.title for obj in self.objects if obj.action == "changed" and obj.effect == "recreate"]
        if recreated:
            parts.append(f"{', '.join(recreated)} must be deleted and made anew, which needs consent")
        parts += [f"{delta.change:+} {name}" for name, delta in self.cost.accelerators.items() if delta.change]
        parts += [f"{delta.change:+.2f} {currency}/h" for currency, delta in self.cost.cost.items() if delta.change]
        return "; ".join(parts) if parts else "only the declaration changes: nothing in the cluster does"

    def to_json(self) -> dict[str, Any]:
        return {
            "summary": self.summary(),
            "spec": [f.to_json() for f in self.spec[:MOST_FIELDS]],
            "objects": [obj.to_json() for obj in self.objects],
            **self.cost.to_json(),
            "warnings": [warned.to_json() for warned in self.warnings],
        }


def review_objects(
    answers: Iterable[Answered], orphans: Sequence[Manifest], replicas: Mapping[str, tuple[int, int]]
) -> tuple[ReviewedObject, ...]:
    """Each object's part, in the order of applying, then what is deleted.

    `replicas`: of Deployments by name, what is there and what the scaler would write.
    """
    held = list(answers)
    masker = Masker(obj for a in held for obj in (a.rendered, a.live, a.after) if obj is not None)
    reviewed = [_reviewed(answer, masker, replicas.get(address_of(answer.rendered))) for answer in held]
    for orphan in orphans:
        # who would be deleted, not what it holds: a Secret of an earlier version may be among them
        reviewed.append(_object(orphan, "deleted", message="it is no longer rendered"))
    return tuple(reviewed)


def review_spec(before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> tuple[ReviewedField, ...]:
    """Changes of a declaration (spec, labels, annotations), masked; () for a new one, which is all new."""
    if before is None:
        return ()
    masker = Masker([before, after])
    return tuple(ReviewedField(masker.change(change, ""), "inPlace") for change in _telling(diff(before, after)))


def digest_of(obj: Mapping[str, Any]) -> str:
    """A fingerprint of what a review of a live object rests on: without status, bookkeeping and the scaler's field."""
    content = declared_part(obj)
    if obj.get("kind") in WORKLOADS:
        content["spec"] = {k: v for k, v in (content.get("spec") or {}).items() if k != "replicas"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _reviewed(answer: Answered, masker: Masker, replicas: tuple[int, int] | None) -> ReviewedObject:
    rendered, live = answer.rendered, answer.live
    conflicts = _conflicts(answer)
    if live is None:
        if answer.reason or answer.refusal:
            return _object(rendered, "skipped", reason=answer.reason or "Refused", message=masker.text(answer.refusal))
        return _object(rendered, "created", manifest=masker.value(declared_part(rendered)))
    immutable = immutable_fields(answer.refusal)
    if answer.reason or (answer.refusal and not immutable):
        return _object(
            rendered, "skipped", reason=answer.reason or "Refused", message=masker.text(answer.refusal), live=live
        )
    kind = rendered["kind"]
    changes = _telling(diff(declared_part(live), declared_part(answer.after or overlaid(live, rendered))))
    if replicas is not None and replicas[0] != replicas[1]:
        changes.insert(0, FieldChange(("spec", "replicas"), "changed", *replicas))
    fields = tuple(
        ReviewedField(masker.change(change, kind), effect_of(kind, change.path), _others(live, change))
        for change in changes
    )
    effect: Effect = "recreate" if immutable else worst(f.effect for f in fields)
    if conflicts and not answer.allowed:
        managers = ", ".join(writer.manager for writer, _ in conflicts)
        return _object(
            rendered,
            "skipped",
            fields=fields,
            conflicts=conflicts,
            reason="OwnershipConflict",
            message=f"{managers} owns fields that the pool declares: nothing of this object is written before that is "
            "undone there or taken over with consent",
            live=live,
        )
    return _object(
        rendered,
        "changed" if fields or immutable else "unchanged",
        effect=effect,
        fields=fields,
        immutable=tuple(immutable) or tuple(shown(f.change.path) for f in fields if f.effect == "recreate"),
        conflicts=conflicts,
        live=live,
    )


def _telling(changes: Sequence[FieldChange]) -> list[FieldChange]:
    """Changes without another order that comes of new items alone: where a server puts them says nothing."""
    new = {change.path for change in changes if change.op == "added"}

    def of_others(change: FieldChange, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        return [row for row in rows if (*change.path, ItemKey(tuple(row.items()))) not in new]

    return [
        change
        for change in changes
        if change.op != "reordered" or of_others(change, change.before) != of_others(change, change.after)
    ]


def _object(obj: Manifest, action: Action, *, live: Manifest | None = None, **more: Any) -> ReviewedObject:
    metadata = obj["metadata"]
    labels = metadata.get("labels") or {}
    effect: Effect = more.get("effect", "inPlace")
    restarts = 0
    if action == "changed" and effect != "inPlace" and obj["kind"] in WORKLOADS and live is not None:
        restarts = int((live.get("spec") or {}).get("replicas", 1)) * group_size(live)
    return ReviewedObject(
        api_version=obj["apiVersion"],
        kind=obj["kind"],
        name=metadata["name"],
        namespace=metadata.get("namespace"),
        action=action,
        variant=labels.get(VARIANT) if labels.get(COMPONENT) == COMPONENT_ENGINE else None,
        restarts=restarts,
        **more,
    )


def _conflicts(answer: Answered) -> tuple[tuple[Writer, tuple[str, ...]], ...]:
    found = []
    entries = ((answer.live or {}).get("metadata") or {}).get("managedFields") or []
    for manager, fields in sorted(answer.conflicts.items()):
        named = [
            Writer(manager, str(e.get("operation", "")), str(e.get("subresource") or ""), e.get("time"))
            for e in entries
            if e.get("manager") == manager
        ]
        found.append((newest(named) or Writer(manager, ""), tuple(fields)))
    return tuple(found)


def _others(live: Manifest, change: FieldChange) -> tuple[Writer, ...]:
    """Managers other than us that wrote the field as it is now."""
    if change.before is ABSENT:
        return ()
    return tuple(w for w in writers_of(live, change.path) if w.manager not in OURS)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        return value[:LONGEST_TEXT] + "…"
    if isinstance(value, Mapping):
        return {name: _short(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_short(item) for item in value]
    return value
