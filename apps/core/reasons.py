"""The table of condition types and reasons, filled by the rooms when they start."""

from __future__ import annotations

from collections.abc import Iterable

from apps.core.domain.reasons import ConditionType, Reason

_types: dict[tuple[str, str], ConditionType] = {}
_reasons: dict[tuple[str, str, str], Reason] = {}


def register_conditions(types: Iterable[ConditionType], reasons: Iterable[Reason]) -> None:
    """Add what a room's objects may say. A reason stands for one thing: registering it twice is an error."""
    for entry in types:
        _types[(entry.kind, entry.type)] = entry
    for row in reasons:
        key = (row.kind, row.type, row.reason)
        if _reasons.get(key, row) != row:
            raise ValueError(f"reason {row.reason} of {row.kind} {row.type} is registered with two meanings")
        if (row.kind, row.type) not in _types:
            raise ValueError(f"{row.kind} has no condition {row.type}: register the type with its reasons")
        _reasons[key] = row


def condition_types() -> list[ConditionType]:
    return list(_types.values())


def reasons() -> list[Reason]:
    return list(_reasons.values())


def known(kind: str, type_: str, reason: str) -> bool:
    """Whether a reason is registered. A condition with parts repeats what they say, so their reasons are its own."""
    below = {type_}
    for entry in condition_types() * 3:
        if entry.kind == kind and entry.parent in below:
            below.add(entry.type)
    return any((kind, name, reason) in _reasons for name in below)
