"""Carrying out a plan against a cluster. Each step may be the last one that happens: the next reconcile goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from apps.clusters.errors import Conflict, FieldManagerConflict, Forbidden, Invalid, NotFound
from apps.clusters.kube import Kube
from apps.pools.domain.adoption import TAKE_OWNERSHIP, adoptable, fitted
from apps.pools.domain.drift import hand_edited
from apps.pools.domain.effects import immutable_fields
from apps.pools.domain.manifests import POOL_UID, WORKLOADS, Manifest, PlanRefused
from apps.pools.domain.plan import (
    MANAGER,
    SCALER,
    Plan,
    Write,
    address_of,
    must_hand_over,
    owners_of_replicas,
    replicas_claim,
    sendable,
    with_metadata,
    without_replicas,
)
from apps.pools.domain.replicas import foreign_writer
from apps.pools.models import Pool
from apps.pools.strangers import Strangers, foreign
from apps.reconcile.services import Fence

# how often a write is decided anew when the object has changed since it was read; the next reconcile goes on
TRIES = 4


def allowed_managers(annotations: Mapping[str, str]) -> frozenset[str]:
    """Managers whose fields a person allows to be taken over."""
    return frozenset(name.strip() for name in annotations.get(TAKE_OWNERSHIP, "").split(",")) - {""}


def ensure_namespace(kube: Kube, namespace: str, fence: Fence) -> None:
    """Create the pool's namespace if it is missing. It is never deleted: others may live there."""
    resource = kube.resource("Namespace")
    try:
        kube.get(resource, namespace)
    except NotFound:
        manifest = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": namespace, "labels": {"app.kubernetes.io/managed-by": "lamplight"}},
        }
        fence.check()
        try:
            kube.create(manifest, manager=MANAGER)
        except Conflict:
            return
    except Forbidden:
        return  # credentials of one namespace only: then it exists, or the first apply says that it does not


def refuse_foreign(kube: Kube, pool: Pool, writes: Sequence[Write], strangers: Strangers | None) -> list[Manifest]:
    """Before anything is written: no name that we are about to create may be taken by an object that is not ours.

    `strangers`: where they can be found for several pools at once. Returns objects that are to be adopted instead, as a
    person allows by naming their managers. Raises PlanRefused.
    """
    made = [write.manifest for write in writes if write.why == "create"]
    if strangers is not None:
        held = strangers.among(pool, made) if made else {}
    else:
        asked = ((address_of(manifest), foreign(kube, pool, manifest)) for manifest in made)
        held = {name: obj for name, obj in asked if obj is not None}
    for manifest in made:
        present = held.get(address_of(manifest))
        if present is not None and not adoptable(present, allowed_managers(pool.annotations)):
            raise PlanRefused("NameClash", name_clash(manifest))
    return list(held.values())


def name_clash(manifest: Manifest) -> str:
    metadata = manifest["metadata"]
    return (
        f"{manifest['kind']} {metadata['name']} in namespace {metadata['namespace']} exists already and is not of this "
        "pool: delete it, or choose another pool name or namespace"
    )


@dataclass(frozen=True)
class Carried:
    """What became of a plan: objects as written, by kind/name, and what could not be.

    `owned`: fields by the manager that owns them. `immutable`: fields that only a new object can have, by kind/name.
    """

    written: dict[str, Manifest]
    owned: dict[str, list[str]]
    immutable: dict[str, tuple[str, ...]]


def carry_out(
    kube: Kube,
    pool: Pool,
    todo: Plan,
    live: Mapping[str, Manifest],
    fence: Fence,
    *,
    hands: bool = False,
    recreate: bool = False,
) -> Carried:
    """Apply what differs and delete what is no longer rendered. `live`: present objects by kind/name. Raises KubeError.

    An object with fields that somebody else owns, or that cannot be changed in place, is left as it is and does not
    keep the others waiting. `hands`: what was edited by hand (Update, not Apply) is taken back. `recreate`: a person
    consents to making anew what cannot be changed in place.
    """
    written: dict[str, Manifest] = {}
    owned: dict[str, list[str]] = {}
    immutable: dict[str, tuple[str, ...]] = {}
    for write in todo.writes:
        name = f"{write.manifest['kind']}/{write.manifest['metadata']['name']}"
        fence.check()
        try:
            written[name] = _apply(kube, pool, write.manifest, live.get(name), fence, hands=hands)
        except FieldManagerConflict as conflict:
            for manager, fields in conflict.owned.items():
                owned.setdefault(manager, []).extend(f"{name} {field}" for field in fields)
        except Invalid as refused:
            fields = immutable_fields(str(refused))
            if name not in live or not fields:
                raise
            if recreate:
                written[name] = _make_anew(kube, write.manifest, live[name], fence)
            else:
                immutable[name] = fields
    for orphan in todo.orphans:
        delete_object(kube, orphan, fence)
    return Carried(written, owned, immutable)


def _make_anew(kube: Kube, manifest: Manifest, live: Manifest, fence: Fence) -> Manifest:
    """Delete an object and create it as rendered, with the replicas that it has now."""
    if manifest["kind"] in WORKLOADS:
        manifest = {**manifest, "spec": {**manifest["spec"], "replicas": live["spec"].get("replicas", 1)}}
    delete_object(kube, live, fence)
    fence.check()
    return kube.apply(manifest, manager=MANAGER)


def settle_replicas(
    kube: Kube, desired: Manifest, live: Manifest, replicas: int, fence: Fence, *, external: bool
) -> Manifest | None:
    """Give replicas to their one writer and make them what they should be; None when nothing had to be written.

    Replicas are created by apply, claimed by the scaler, given up by apply, and written through /scale from then on.
    `external`: another scaler writes them, we do not.
    """
    name, namespace = live["metadata"]["name"], live["metadata"]["namespace"]
    changed = None
    resource = kube.resource_of(desired)
    for _ in range(TRIES):
        try:
            if must_hand_over(live):
                fence.check()
                present = int(live["spec"].get("replicas", 1))
                if SCALER not in owners_of_replicas(live):
                    claim = replicas_claim(live, present)
                    locked = with_metadata(claim, resourceVersion=live["metadata"]["resourceVersion"])
                    live = kube.apply(locked, manager=SCALER, force=True)
                changed = live = kube.apply(
                    with_metadata(without_replicas(fitted(desired, live)), uid=live["metadata"]["uid"]), manager=MANAGER
                )
            if not external and int(live["spec"].get("replicas", 1)) != replicas:
                fence.check()
                version = live["metadata"]["resourceVersion"]
                kube.scale(resource, name, namespace, replicas, manager=SCALER, version=version)
                changed = {**live, "spec": {**live["spec"], "replicas": replicas}}
                # the write raised the generation, which the status cannot have seen
                changed["metadata"] = {**live["metadata"], "generation": int(live["metadata"].get("generation", 0)) + 1}
        except FieldManagerConflict:
            raise
        except Conflict as conflict:
            # decided on what is not the newest any more: look, and decide again
            refused = conflict
            changed = live = kube.get(resource, name, namespace)
            external = external or foreign_writer(live) is not None
        else:
            return changed
    raise refused


def _apply(kube: Kube, pool: Pool, rendered: Manifest, live: Manifest | None, fence: Fence, *, hands: bool) -> Manifest:
    manifest = sendable(rendered, live)
    try:
        return kube.apply(manifest, manager=MANAGER)
    except NotFound:
        if live is not None:
            raise
        # the first object of a namespace that nobody has made yet: mostly it is there, and need not be asked for
        ensure_namespace(kube, pool.namespace, fence)
        return kube.apply(manifest, manager=MANAGER)
    except FieldManagerConflict as conflict:
        edited = hands and live is not None and hand_edited(live, conflict.owned)
        if not edited and not conflict.owned.keys() <= allowed_managers(pool.annotations):
            raise
        return kube.apply(manifest, manager=MANAGER, force=True)


def delete_object(kube: Kube, obj: Manifest, fence: Fence) -> None:
    """Delete one object of the pool, if it is still that very object and still ours. Raises KubeError, LeaseLost."""
    metadata = obj["metadata"]
    resource, name, namespace = kube.resource_of(obj), metadata["name"], metadata.get("namespace")
    version = metadata["resourceVersion"]
    for _ in range(TRIES):
        fence.check()
        try:
            kube.delete(resource, name, namespace, uid=metadata["uid"], version=version)
        except NotFound:
            return
        except Conflict:
            # changed since it was read: only what is still ours goes
            try:
                present = kube.get(resource, name, namespace)["metadata"]
            except NotFound:
                return
            ours = (metadata.get("labels") or {}).get(POOL_UID)
            if present["uid"] != metadata["uid"] or (present.get("labels") or {}).get(POOL_UID) != ours:
                return  # another object by now, or given away: then it is not ours
            version = present["resourceVersion"]
        else:
            return
