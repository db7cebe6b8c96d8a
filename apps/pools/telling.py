"""What a reconcile says of what it met on the way: a cluster's refusals, what stands in the way, what was done."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from apps.clusters.errors import (
    BadCredentials,
    Conflict,
    FieldManagerConflict,
    Forbidden,
    KubeError,
    NotServed,
    ServerFault,
    Throttled,
    Unreachable,
)
from apps.pools.actions import Carried
from apps.pools.domain.adoption import TAKE_OWNERSHIP
from apps.pools.domain.drift import Drifted
from apps.pools.domain.health import Sync
from apps.pools.domain.plan import Plan, Write, address_of
from apps.pools.models import Pool
from apps.pools.recording import Note

__all__ = ["deletion_waits", "in_the_way", "notes_of", "read_only", "refused_by"]


def refused_by(error: KubeError) -> Sync:
    """What a pool says of itself when its cluster does not do as asked, or does not answer."""
    if isinstance(error, Unreachable):
        reason = "BadCredentials" if isinstance(error, BadCredentials) else "ClusterUnreachable"
        return Sync("Unknown", reason, f"{error}. What runs there keeps running; changes wait until it answers")
    if isinstance(error, FieldManagerConflict):
        return _owned_by_others(error.owned)
    if isinstance(error, NotServed):
        return Sync("OutOfSync", "KindMissing", str(error))
    if isinstance(error, Throttled | ServerFault):
        return Sync("OutOfSync", type(error).__name__, str(error))
    return Sync("OutOfSync", f"{type(error).__name__}Answer", f"the cluster refused: {error}")


# as every Kubernetes words it: User "…" cannot delete resource "services" in API group "" in the namespace "serving"
_RIGHT = re.compile(r'cannot (\S+) resource "([^"]+)" in API group "([^"]*)"')


def deletion_waits(pool: Pool, error: KubeError, held: Sequence[str] = (), left: int | None = None) -> Sync:
    """What a pool on its way out says when its cluster refuses, or does not answer.

    `held`: objects that it does not let go, none where it does not even tell what is left. `left`: how many are there.
    """
    way_out = f"`lamp delete pool {pool.name} --cascade=orphan` forgets the pool and leaves what it has there"
    if isinstance(error, Unreachable):
        return Sync("Unknown", refused_by(error).reason, f"{error}. The deletion waits until it answers; {way_out}")
    if isinstance(error, Throttled | ServerFault | Conflict):
        return Sync("OutOfSync", refused_by(error).reason, f"the deletion waits: {error}")
    named = ", ".join(held[:5]) + (f" and {len(held) - 5} more" if len(held) > 5 else "")
    what = f"does not let {named} go" if held else "does not tell what is left of the pool"
    said = f"the deletion waits: the cluster {what} ({error})"
    if isinstance(error, Forbidden) and (right := _RIGHT.search(str(error))):
        kind = f"{right[2]}.{right[3]}" if right[3] else right[2]
        said += (
            f". Lamplight lacks the right to {right[1]} {kind} in namespace {pool.namespace}: "
            f"`lamp preflight cluster {pool.spec['cluster']}` has it as a rule of a Role"
        )
    counted = f"{left} of the pool's objects and pods are left; " if left is not None else ""
    return Sync("OutOfSync", "DeletionRefused", f"{said}. {counted[:1].upper()}{counted[1:]}{way_out}")


def in_the_way(pool: Pool, carried: Carried) -> Sync | None:
    """What kept a plan from being carried out as a whole; None where nothing did."""
    if carried.owned:
        return _owned_by_others(carried.owned)
    if not carried.immutable:
        return None
    rows = sorted(carried.immutable.items())
    fields = "; ".join(f"{name.replace('/', ' ')}: {', '.join(held)}" for name, held in rows)
    message = (
        f"fields that cannot be changed on a living object differ from what is declared ({fields}). Making it anew "
        f"interrupts what runs: see `lamp plan pool/{pool.name}`, and consent to it with "
        f"`lamp approve pool/{pool.name} --plan NUMBER --consent recreate`"
    )
    return Sync("OutOfSync", "RecreateNeedsConsent", message)


def _owned_by_others(owned: Mapping[str, Sequence[str]]) -> Sync:
    fields = "; ".join(f"{manager} owns {', '.join(places[:5])}" for manager, places in sorted(owned.items()))
    message = (
        f"somebody else changed fields that the pool declares: {fields}. Undo that there, or allow it to be taken back "
        f"with the annotation {TAKE_OWNERSHIP}: {','.join(sorted(owned))}"
    )
    return Sync("OutOfSync", "OwnershipConflict", message)


def read_only(todo: Plan) -> Sync:
    """How a cluster that is declared readOnly differs from what is declared."""
    if not todo.writes and not todo.orphans:
        return Sync("Synced", "Applied", "the cluster holds what is declared")
    names = [f"{write.manifest['kind']} {write.manifest['metadata']['name']}" for write in todo.writes]
    names += [f"{obj['kind']} {obj['metadata']['name']}" for obj in todo.orphans]
    return Sync(
        "OutOfSync",
        "ReadOnlyCluster",
        f"the cluster is declared readOnly, so nothing is written; {len(names)} objects differ: {', '.join(names[:5])}",
    )


def notes_of(todo: Plan, drifted: Mapping[str, Drifted], carried: Carried) -> list[Note]:
    """Lines of the timeline about a plan that was carried out. `drifted`: what it put right, by `Kind/name`."""
    notes: list[Note] = []
    meant = [write for write in todo.writes if address_of(write.manifest) not in drifted]
    created = [write for write in meant if write.why == "create"]
    changed = [write for write in meant if write.why != "create"]
    if created:
        notes.append(Note("Normal", "Created", _listed(created)))
    if changed:
        notes.append(Note("Normal", "Updated", _listed(changed)))
    for name, one in drifted.items():
        if name in carried.written:
            notes.append(Note("Warning", "DriftHealed", f"put right: {one.sentence()}"))
    if todo.orphans:
        names = ", ".join(f"{obj['kind']} {obj['metadata']['name']}" for obj in todo.orphans)
        notes.append(Note("Normal", "Removed", names))
    return notes


def _listed(writes: Sequence[Write]) -> str:
    return ", ".join(f"{write.manifest['kind']} {write.manifest['metadata']['name']}" for write in writes)
