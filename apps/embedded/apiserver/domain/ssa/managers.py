"""Who owns which fields: what a write does to ``metadata.managedFields``, and which applies conflict."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from apps.embedded.apiserver.domain.schema import Schema
from apps.embedded.apiserver.domain.ssa import paths, typed
from apps.embedded.apiserver.domain.ssa.paths import EMPTY, Path, PathSet
from apps.embedded.apiserver.domain.status import ApiError, Cause, details_of

Object = dict[str, Any]
MAX_UPDATE_MANAGERS = 10
_SERVER_METADATA = (
    "name", "namespace", "creationTimestamp", "selfLink", "uid", "clusterName", "generation", "managedFields",
    "resourceVersion",
)  # fmt: skip
NEVER_OWNED: PathSet = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)} | {("f:metadata", f"f:{name}") for name in _SERVER_METADATA}
)


@dataclass(frozen=True)
class Identity:
    """Who writes. An applier stays the same whatever version it applies."""

    manager: str
    operation: str
    api_version: str
    subresource: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        version = "" if self.operation == "Apply" else self.api_version
        return self.manager, self.operation, version, self.subresource


@dataclass(frozen=True)
class Owned:
    """What one manager owns; ``time`` is RFC 3339 of the last change of it."""

    identity: Identity
    fields: PathSet
    time: str = ""


Managers = dict[tuple[str, str, str, str], Owned]


def decode(entries: Iterable[Mapping[str, Any]] | None) -> Managers:
    """Read metadata.managedFields. ValueError when an entry cannot be read."""
    managers: Managers = {}
    for entry in entries or ():
        if entry.get("fieldsType") not in (None, "", "FieldsV1"):
            raise ValueError(f"unsupported fieldsType: {entry['fieldsType']}")
        identity = Identity(
            entry.get("manager", ""),
            entry.get("operation", ""),
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )
        if identity.operation not in ("Apply", "Update"):
            raise ValueError(f'operation is not "Apply" or "Update": {identity.operation!r}')
        fields = _fields(entry.get("fieldsV1") or {})
        known = managers.get(identity.key)
        if known is not None:
            fields |= known.fields
        managers[identity.key] = Owned(identity, fields, entry.get("time", ""))
    return managers


def _fields(written: Any) -> PathSet:
    try:
        return _read(orjson.dumps(written))
    except TypeError:  # an integer of more than 64 bits
        return paths.from_fields_v1(written)


# objects of one shape (a fleet's Deployments) have the same fields, and a write reads and writes those of all managers
@functools.lru_cache(maxsize=128)
def _read(written: bytes) -> PathSet:
    return paths.from_fields_v1(orjson.loads(written))


@functools.lru_cache(maxsize=128)
def _written(fields: PathSet) -> bytes:
    return orjson.dumps(paths.to_fields_v1(fields))


def encode(managers: Managers) -> list[Object]:
    """As entries, in the server's order: applies first, then by time, then by name."""
    ordered = sorted(
        managers.values(),
        key=lambda owned: (
            owned.identity.operation,
            owned.time,
            owned.identity.manager,
            owned.identity.api_version,
            owned.identity.subresource,
        ),
    )
    return [_entry(owned) for owned in ordered]


def _entry(owned: Owned) -> Object:
    identity = owned.identity
    entry: Object = {"manager": identity.manager, "operation": identity.operation, "apiVersion": identity.api_version}
    if owned.time:
        entry["time"] = owned.time
    entry["fieldsType"] = "FieldsV1"
    entry["fieldsV1"] = orjson.loads(_written(owned.fields))
    if identity.subresource:
        entry["subresource"] = identity.subresource
    return entry


Ignore = Callable[[Path], bool]
"""True for paths that this write cannot change, for example status through the main resource."""


def ignore_nothing(_: Path) -> bool:
    return False


def update(
    live: Object,
    new: Object,
    schema: Schema,
    managers: Managers,
    who: Identity,
    now: str,
    ignored: Ignore = ignore_nothing,
) -> Managers:
    """Ownership after an ordinary write of ``new`` over ``live``: the writer takes what it changed."""
    comparison = typed.compare(live, new, schema).without(ignored)
    changed = frozenset(comparison.added | comparison.modified)
    left = _take_away(managers, changed | comparison.removed, ())
    taken = _strip(changed)
    if taken:
        previous = left.get(who.key)
        fields = taken | (previous.fields if previous else EMPTY)
        left[who.key] = Owned(who, fields, now)
    return _cap(left)


def apply(
    live: Object,
    config: Object,
    schema: Schema,
    managers: Managers,
    who: Identity,
    now: str,
    *,
    force: bool = False,
    ignored: Ignore = ignore_nothing,
) -> tuple[Object | None, Managers]:
    """Merge ``config`` into ``live`` for the applier ``who``.

    The first of the answer is the merged object, None when nothing changes. ApiError 409 when other managers own what
    would change and ``force`` is off.
    """
    merged = typed.merge(live, config, schema)
    applied = frozenset(path for path in typed.field_set(config, schema) if not ignored(path))
    before = managers.get(who.key)
    managers = {**managers, who.key: Owned(who, applied, before.time if before else "")}
    # where nothing was given up nothing can go: with a path all that it lies in is owned too
    if before is not None and before.fields - applied:
        merged = _prune(merged, schema, managers, before.fields) or {}
    comparison = typed.compare(live, merged, schema)
    others = [owned for key, owned in managers.items() if key != who.key]
    visible = comparison.without(ignored)
    changed = visible.added | visible.modified
    conflicts = [(owned.identity, owned.fields & changed) for owned in others if owned.fields & changed]
    if conflicts and not force:
        raise conflict_error(conflicts)
    managers = _take_away(managers, frozenset(changed | visible.removed), (who.key,))
    stripped = _strip(applied)
    unchanged = comparison.same
    if not stripped:
        managers.pop(who.key, None)
    else:
        time = now if not unchanged else (before.time if before is not None else "")
        managers[who.key] = Owned(who, stripped, time)
    return (None if unchanged else merged), managers


def _take_away(managers: Managers, gone: PathSet, keep: tuple[tuple[str, str, str, str], ...]) -> Managers:
    left: Managers = {}
    for key, owned in managers.items():
        if key in keep:
            left[key] = owned
            continue
        if owned.fields and owned.fields.isdisjoint(gone):
            left[key] = owned
        elif fields := owned.fields - gone:
            left[key] = replace(owned, fields=fields)
    return left


def _strip(fields: PathSet) -> PathSet:
    return fields - NEVER_OWNED


def _prune(merged: Any, schema: Schema, managers: Managers, last: PathSet) -> Any:
    """Take away what the applier gave up, unless somebody else owns it or something that lies in it."""
    named_last = typed.with_named_fields(last, schema)
    pruned = typed.remove(merged, schema, paths.to_fields_v1(named_last))
    merged_set = typed.with_named_fields(typed.field_set(merged, schema), schema)
    owned: set[Path] = set()
    for manager in managers.values():
        owned |= manager.fields
    owned_set = typed.with_named_fields(frozenset(owned), schema)
    kept = typed.with_named_fields(typed.field_set(pruned, schema), schema) | owned_set
    pruned = typed.remove(merged, schema, paths.to_fields_v1(merged_set - kept))
    left = typed.with_named_fields(typed.field_set(pruned, schema), schema)
    return typed.remove(merged, schema, paths.to_fields_v1((merged_set - left) & named_last))


def conflict_error(conflicts: list[tuple[Identity, PathSet]]) -> ApiError:
    """409 as the server words it: one line for one conflict, a list by manager for more."""
    conflicts = sorted(conflicts, key=lambda entry: entry[0].key)
    causes = [
        Cause("FieldManagerConflict", f"conflict with {_who(identity)}", paths.show(path))
        for identity, fields in conflicts
        for path in sorted(fields, key=_order)
    ]
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}"
    else:
        parts = [
            f"conflicts with {_who(identity)}:\n"
            + "\n".join(f"- {paths.show(path)}" for path in sorted(fields, key=_order))
            for identity, fields in conflicts
        ]
        message = f"Apply failed with {len(causes)} conflicts: " + "\n".join(parts)
    return ApiError(409, "Conflict", message, details_of("", "", causes=causes))


def _order(path: Path) -> Path:
    return path


def _who(identity: Identity) -> str:
    text = json.dumps(identity.manager)
    if identity.subresource:
        text += f' with subresource "{identity.subresource}"'
    if identity.operation == "Update":
        text += f" using {identity.api_version}"
    return text


def _cap(managers: Managers) -> Managers:
    """At most ten updaters; the oldest ones become one entry per version, as the server does."""
    updaters = [owned for owned in managers.values() if owned.identity.operation == "Update"]
    if len(updaters) <= MAX_UPDATE_MANAGERS:
        return managers
    updaters.sort(key=lambda owned: (owned.time, owned.identity.manager))
    result = {key: owned for key, owned in managers.items() if owned.identity.operation != "Update"}
    surplus, kept = (
        updaters[: len(updaters) - MAX_UPDATE_MANAGERS + 1],
        updaters[len(updaters) - MAX_UPDATE_MANAGERS + 1 :],
    )
    for owned in surplus:
        identity = Identity("ancient-changes", "Update", owned.identity.api_version)
        known = result.get(identity.key)
        result[identity.key] = Owned(identity, owned.fields | (known.fields if known else EMPTY), owned.time)
    for owned in kept:
        result[owned.identity.key] = owned
    return result
