"""Drift: live objects that are not as they were applied, who made them so, and whether to put them right.

An object that somebody keeps changing is put right a few times and then left alone: two controllers that write against
each other help nobody. It is tried again when the pool renders to something else or somebody else writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from apps.core.domain.conditions import Condition, format_time
from apps.pools.domain.adoption import fitted
from apps.pools.domain.changes import declared_part, diff, overlaid
from apps.pools.domain.fieldpaths import shown
from apps.pools.domain.managers import Writer, writers_of
from apps.pools.domain.manifests import Manifest
from apps.pools.domain.plan import OURS, Plan, Write, address_of, same_amount, without_replicas

Policy = Literal["report", "heal"]
# healed at once, then with these pauses, then no more
PAUSES = (timedelta(0), timedelta(seconds=10), timedelta(seconds=60))
# what stayed quiet for so long starts anew
QUIET = timedelta(hours=1)
_MOST_FIELDS = 5
_MOST_OBJECTS = 20


@dataclass(frozen=True)
class Drifted:
    """One object that is not as applied. `fields`: where; () when it is gone. `writers`: who wrote those fields."""

    name: str
    fields: tuple[str, ...]
    writers: tuple[Writer, ...] = ()

    @property
    def managers(self) -> tuple[str, ...]:
        return tuple(sorted({writer.manager for writer in self.writers}))

    def sentence(self) -> str:
        title = self.name.replace("/", " ", 1)
        if not self.fields:
            return f"{title} is gone"
        more = f" and {len(self.fields) - _MOST_FIELDS} more" if len(self.fields) > _MOST_FIELDS else ""
        said = f"{title} differs at {', '.join(self.fields[:_MOST_FIELDS])}{more}"
        newest = max(self.writers, key=lambda writer: writer.at or "", default=None)
        if newest is None:
            return said
        return f"{said}, written by {newest.manager}" + (f" at {newest.at}" if newest.at else "")

    def to_json(self) -> dict[str, Any]:
        return {
            "object": self.name,
            "fields": list(self.fields),
            "writers": [writer.to_json() for writer in self.writers],
        }


@dataclass(frozen=True)
class Attempts:
    """How often one object was put right against the same writers. `rendered`: what the pool rendered to then."""

    managers: tuple[str, ...]
    rendered: str
    count: int
    last: datetime

    def to_json(self) -> dict[str, Any]:
        return {
            "managers": list(self.managers),
            "rendered": self.rendered,
            "count": self.count,
            "lastAt": format_time(self.last),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Attempts:
        return cls(
            tuple(value["managers"]), value["rendered"], int(value["count"]), datetime.fromisoformat(value["lastAt"])
        )

    @property
    def given_up(self) -> bool:
        return self.count >= len(PAUSES)


@dataclass(frozen=True)
class Decision:
    """`heal`: names of objects to put right now. `waiting`: healed again later. `given_up`: not healed any more.

    `memory`: attempts by object, the ones that are made now counted already.
    """

    heal: frozenset[str]
    waiting: frozenset[str]
    given_up: frozenset[str]
    memory: Mapping[str, Attempts]
    next_at: datetime | None = None


def drifted_of(todo: Plan, live: Mapping[str, Manifest]) -> list[Drifted]:
    """What a plan of an unchanged rendering would put right. `live`: present objects by `Kind/name`."""
    return [_drifted(write, live.get(name)) for write in todo.writes if (name := address_of(write.manifest))]


def _drifted(write: Write, live: Manifest | None) -> Drifted:
    name = address_of(write.manifest)
    if live is None:
        return Drifted(name, ())
    before = declared_part(live)
    changes = [
        change
        for change in diff(before, declared_part(overlaid(live, without_replicas(fitted(write.manifest, live)))))
        if not same_amount(change.after, change.before, shown(change.path)) and change.after not in ({}, [], "")
    ]
    writers = {w for change in changes for w in writers_of(live, change.path) if w.manager not in OURS}
    # the labels that say from what it was rendered are no part of a review, but changing them is drift all the same
    fields = tuple(shown(change.path) for change in changes) or ("metadata.labels",)
    return Drifted(name, fields, tuple(sorted(writers, key=lambda w: (w.at or "", w.manager), reverse=True)))


def hand_edited(live: Mapping[str, Any], managers: Iterable[str]) -> bool:
    """Whether these managers own fields by editing them (Update) alone: none of them claims them by an apply."""
    operations: dict[str, set[str]] = {}
    for entry in (live.get("metadata") or {}).get("managedFields") or []:
        operations.setdefault(str(entry.get("manager")), set()).add(str(entry.get("operation")))
    return all(operations.get(manager) == {"Update"} for manager in managers)


def decide(
    policy: Policy,
    drifted: Iterable[Drifted],
    memory: Mapping[str, Attempts],
    rendered: str,
    now: datetime,
    *,
    consented: bool = False,
) -> Decision:
    """What to put right. `consented`: a person asked for it by applying a plan, which no cap stands against."""
    held = list(drifted)
    if policy == "report" and not consented:
        return Decision(frozenset(), frozenset(), frozenset(), _kept(memory, rendered, now))
    heal, waiting, given_up = set(), set(), set()
    kept = dict(_kept(memory, rendered, now))
    due: list[datetime] = []
    for one in held:
        before = kept.get(one.name)
        if before is None or consented or not set(one.managers) <= set(before.managers):
            before = Attempts(one.managers, rendered, 0, now)
        if before.given_up:
            given_up.add(one.name)
        elif before.count and now < before.last + PAUSES[before.count]:
            waiting.add(one.name)
            due.append(before.last + PAUSES[before.count])
        else:
            heal.add(one.name)
            managers = tuple(sorted({*before.managers, *one.managers}))
            before = replace(before, managers=managers, count=before.count + 1, last=now)
        kept[one.name] = before
    return Decision(frozenset(heal), frozenset(waiting), frozenset(given_up), kept, min(due) if due else None)


def _kept(memory: Mapping[str, Attempts], rendered: str, now: datetime) -> dict[str, Attempts]:
    """What still counts: of the same rendering and not long quiet; a cap that was reached stays until something new."""
    return {
        name: attempts
        for name, attempts in list(memory.items())[:_MOST_OBJECTS]
        if attempts.rendered == rendered and (attempts.given_up or now - attempts.last < QUIET)
    }


def read_memory(stored: Mapping[str, Any] | None) -> dict[str, Attempts]:
    """Attempts from a pool's status; what cannot be read is forgotten."""
    found: dict[str, Attempts] = {}
    for name, value in ((stored or {}).get("attempts") or {}).items():
        try:
            found[name] = Attempts.from_json(value)
        except (KeyError, TypeError, ValueError):
            continue
    return found


def write_memory(memory: Mapping[str, Attempts], left: Iterable[Drifted]) -> dict[str, Any]:
    """The same for storing, beside the drift that is there now."""
    return {
        "objects": [one.to_json() for one in list(left)[:_MOST_OBJECTS]],
        "attempts": {name: attempts.to_json() for name, attempts in sorted(memory.items())},
    }


def condition(left: Iterable[Drifted], decision: Decision, policy: Policy, generation: int) -> Condition:
    """`Drifted`: what is not as applied after this reconcile, and what becomes of it."""
    held = list(left)
    if not held:
        return Condition("Drifted", "False", "NoDrift", "the live objects are as they were applied", generation)
    said = "; ".join(one.sentence() for one in held[:_MOST_OBJECTS])
    names = {one.name for one in held}
    if names & decision.given_up:
        message = (
            f"{said}. It was put right {len(PAUSES)} times and changed again each time, so it is left alone until the "
            "pool changes or somebody else writes it: stop whoever writes it, then apply a plan of the pool"
        )
        return Condition("Drifted", "True", "GaveUp", message, generation)
    if policy == "report":
        message = (
            f"{said}. The pool's policy is to report drift: apply a plan to put it right, or set policies.drift to heal"
        )
        return Condition("Drifted", "True", "Reported", message, generation)
    return Condition("Drifted", "True", "Healing", f"{said}. It is put right again soon", generation)
