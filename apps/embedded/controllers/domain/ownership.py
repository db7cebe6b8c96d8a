"""What the garbage collector does with an object, given what is known of its owners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from apps.embedded.domain.objects import Object, is_deleting

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"

Policy = Literal["Background", "Foreground", "Orphan"]
OwnerState = Literal["solid", "gone", "waiting"]
"""solid: exists; gone: does not; waiting: is in foreground deletion and waits for its dependents."""


@dataclass(frozen=True)
class Keep:
    """Nothing to do."""


@dataclass(frozen=True)
class DropReferences:
    """Another owner lives: only the references to these uids go."""

    uids: frozenset[str]


@dataclass(frozen=True)
class Delete:
    """Nobody owns it any more. ``unblock``: dependents must stop blocking first (an ownership cycle)."""

    policy: Policy
    unblock: bool = False


def is_waiting_for_dependents(obj: Mapping[str, Any]) -> bool:
    return is_deleting(obj) and FOREGROUND in (obj["metadata"].get("finalizers") or [])


def is_orphaning(obj: Mapping[str, Any]) -> bool:
    return is_deleting(obj) and ORPHAN in (obj["metadata"].get("finalizers") or [])


def decide(
    obj: Mapping[str, Any], owners: Mapping[str, OwnerState], dependents: Sequence[Object]
) -> Keep | DropReferences | Delete:
    """The verdict on an object that is not being deleted. ``owners``: uid → state, one for each reference."""
    references = obj["metadata"].get("ownerReferences") or []
    if not references or is_deleting(obj):
        return Keep()
    states = {reference["uid"]: owners[reference["uid"]] for reference in references}
    doomed = frozenset(uid for uid, state in states.items() if state != "solid")
    if len(doomed) < len(states):
        return DropReferences(doomed) if doomed else Keep()
    if "waiting" in states.values() and dependents:
        return Delete("Foreground", unblock=any(is_waiting_for_dependents(child) for child in dependents))
    finalizers = obj["metadata"].get("finalizers") or []
    if ORPHAN in finalizers:
        return Delete("Orphan")
    return Delete("Foreground" if FOREGROUND in finalizers else "Background")


def blocking(owner_uid: str, dependents: Sequence[Object]) -> list[Object]:
    """The dependents that a foreground deletion of their owner waits for."""
    return [
        child
        for child in dependents
        if any(
            reference["uid"] == owner_uid and reference.get("blockOwnerDeletion")
            for reference in child["metadata"].get("ownerReferences") or []
        )
    ]
