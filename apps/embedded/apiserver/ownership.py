"""Field ownership of stored objects: the bridge between a request and the rules in ``domain/ssa``."""

from __future__ import annotations

from typing import Any

from apps.embedded.apiserver.call import Call
from apps.embedded.apiserver.domain.schema import Schema
from apps.embedded.apiserver.domain.ssa import managers as ssa
from apps.embedded.apiserver.domain.ssa import typed
from apps.embedded.apiserver.domain.ssa.paths import Path
from apps.embedded.apiserver.domain.strategy import Strategy
from apps.embedded.apiserver.domain.values import same

Object = dict[str, Any]


def read(obj: Object) -> ssa.Managers:
    """The managers of an object; none when its entries cannot be read, as the real server decides."""
    try:
        return ssa.decode(obj["metadata"].get("managedFields"))
    except ValueError:
        return {}


def write(obj: Object, managers: ssa.Managers) -> None:
    entries = ssa.encode(managers)
    if entries:
        obj["metadata"]["managedFields"] = entries
    else:
        obj["metadata"].pop("managedFields", None)


def without(obj: Object) -> Object:
    if "managedFields" not in obj["metadata"]:
        return obj
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "managedFields"}}


def track_update(call: Call, live: Object, new: Object, schema: Schema, strategy: Strategy, *, creating: bool) -> None:
    """Set managedFields of ``new`` after an ordinary write over ``live``."""
    stated = new["metadata"].get("managedFields")
    managers = read(live)
    if stated is not None and not call.path.subresource and not creating:
        if stated == [{}] or stated == []:
            managers = {} if stated == [{}] else managers
        else:
            managers = read(new) or managers
        if stated == [{}]:
            write(new, {})
            return
    if not creating and not managers:
        new["metadata"].pop("managedFields", None)
        return
    who = ssa.Identity(call.field_manager, "Update", call.resource.api_version, call.path.subresource)
    ignored = _ignored(call, strategy)
    write(new, ssa.update(without(live), without(new), schema, managers, who, call.now, ignored))


def apply(call: Call, live: Object, config: Object, schema: Schema, strategy: Strategy) -> Object | None:
    """The merged object with its managedFields; None when nothing but perhaps ownership times would change."""
    managers = read(live)
    if not managers and live["metadata"].get("uid"):
        first = ssa.Identity("before-first-apply", "Update", call.resource.api_version)
        fields = typed.field_set(without(live), schema) - ssa.NEVER_OWNED
        managers = {first.key: ssa.Owned(first, frozenset(p for p in fields if p[0] != "f:status"), call.now)}
    who = ssa.Identity(call.field_manager, "Apply", call.resource.api_version, call.path.subresource)
    merged, after = ssa.apply(
        without(live), config, schema, managers, who, call.now, force=call.force, ignored=_ignored(call, strategy)
    )
    if merged is None and after == managers:
        return None
    result = merged if merged is not None else without(live)
    result = {**result, "metadata": dict(result.get("metadata") or {})}
    write(result, after)
    return result


def _ignored(call: Call, strategy: Strategy) -> ssa.Ignore:
    """Paths that a write cannot change: status through the main resource, everything else through /status."""
    if call.path.subresource == "status":
        return lambda path: path[0] != "f:status" and path[:2] != strategy.owned_with_status
    if strategy.has_status:
        return lambda path: path[0] == "f:status"
    return ssa.ignore_nothing


def same_but_times(new: Object, old: Object) -> bool:
    """Do two objects differ in nothing but the times of their managedFields entries?"""
    if not same(without(new), without(old)):
        return False

    def untimed(obj: Object) -> list[Object]:
        entries = obj["metadata"].get("managedFields") or []
        return [{key: value for key, value in entry.items() if key != "time"} for entry in entries]

    def order(entry: Object) -> tuple[str, ...]:
        return tuple(str(entry.get(key, "")) for key in ("operation", "manager", "apiVersion", "subresource"))

    return sorted(untimed(new), key=order) == sorted(untimed(old), key=order)


__all__ = ["Path", "apply", "read", "same_but_times", "track_update", "without", "write"]
