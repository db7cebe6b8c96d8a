"""Conditions: what an object says about itself, in the form that people of Kubernetes know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, Self

Status = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class Condition:
    """One statement about an object: `type` holds, does not hold, or is not known, since when and why.

    `reason` is one CamelCase word for programs, `message` a sentence for people. `observed_generation` is the
    generation of the spec that the statement is about. `last_transition_time` (aware) is when `status` last changed.
    """

    type: str
    status: Status
    reason: str
    message: str
    observed_generation: int
    last_transition_time: datetime | None = None

    def to_json(self) -> dict[str, Any]:
        """The condition as it stands in an object's status (camelCase; time in RFC 3339, UTC)."""
        return _stored(self, format_time(self.last_transition_time) if self.last_transition_time else None)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`."""
        since = value.get("lastTransitionTime")
        return cls(
            type=value["type"],
            status=value["status"],
            reason=value["reason"],
            message=value["message"],
            observed_generation=value["observedGeneration"],
            last_transition_time=datetime.fromisoformat(since) if since else None,
        )


def set_condition(conditions: Iterable[Condition], new: Condition, now: datetime) -> tuple[Condition, ...]:
    """`conditions` with `new` in the place of the one of its type, or at the end.

    `last_transition_time` of the result is the old one while the status stays the same, else `now`; what `new`
    carries there is not read. The order of the others is kept.
    """
    held = {condition.type: condition for condition in conditions}
    old = held.get(new.type)
    since = old.last_transition_time if old is not None and old.status == new.status else None
    held[new.type] = replace(new, last_transition_time=since or now)
    return tuple(held.values())


def stored_with(stored: Iterable[dict[str, Any]], several: Iterable[Condition], now: datetime) -> list[dict[str, Any]]:
    """As `set_condition` of several, one after another, of conditions as they are stored: every look at a pool sets all
    of its conditions, and reading and writing each took as long as all else that is said of it."""
    held = {condition["type"]: condition for condition in stored}
    moment = format_time(now)
    for new in several:
        old = held.get(new.type)
        since = old["lastTransitionTime"] if old is not None and old["status"] == new.status else None
        held[new.type] = _stored(new, since or moment)
    return list(held.values())


def find_condition(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """The condition of a type, or None."""
    return next((c for c in conditions if c.type == type_), None)


def read_conditions(stored: Iterable[Mapping[str, Any]]) -> tuple[Condition, ...]:
    """Conditions from their stored JSON form."""
    return tuple(Condition.from_json(c) for c in stored)


def _stored(condition: Condition, since: str | None) -> dict[str, Any]:
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "observedGeneration": condition.observed_generation,
        "lastTransitionTime": since,
    }


def format_time(at: datetime) -> str:
    """RFC 3339 in UTC with `Z`, to the microsecond where there is one."""
    return (at if at.tzinfo is UTC else at.astimezone(UTC)).isoformat().replace("+00:00", "Z")
