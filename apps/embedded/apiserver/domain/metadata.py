"""The rules of ObjectMeta that all kinds share."""

from __future__ import annotations

from typing import Any

from apps.embedded.apiserver.domain import checks
from apps.embedded.apiserver.domain.status import Cause
from apps.embedded.apiserver.domain.strategy import Strategy

Object = dict[str, Any]
STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")
MAX_ANNOTATIONS = 256 * 1024


def validate(obj: Object, strategy: Strategy) -> list[Cause]:
    metadata = obj["metadata"]
    name = metadata.get("name", "")
    if not name:
        return [checks.required("metadata.name", "name or generateName is required")]
    causes = strategy.name_check("metadata.name", name) if strategy.name_check is not None else []
    return causes + _common(metadata)


def _common(metadata: Object) -> list[Cause]:
    causes = checks.labels("metadata.labels", metadata.get("labels"))
    annotations = metadata.get("annotations") or {}
    for key in annotations:
        causes += checks.qualified_name("metadata.annotations", key.lower())
    if sum(len(key) + len(value) for key, value in annotations.items()) > MAX_ANNOTATIONS:
        causes.append(
            Cause(
                "FieldValueTooLong", f"Too long: may not be more than {MAX_ANNOTATIONS} bytes", "metadata.annotations"
            )
        )
    for owner in metadata.get("ownerReferences") or ():
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                why = "version must not be empty" if field == "apiVersion" else "must not be empty"
                causes.append(checks.invalid(f"metadata.ownerReferences.{field}", owner.get(field, ""), why))
    controllers = [owner for owner in metadata.get("ownerReferences") or () if owner.get("controller")]
    if len(controllers) > 1:
        named = " and ".join(f"{owner.get('kind')}/{owner.get('name')}" for owner in controllers[:2])
        why = f'Only one reference can have Controller set to true. Found "true" in references for {named}'
        causes.append(checks.invalid("metadata.ownerReferences", metadata["ownerReferences"], why))
    for index, finalizer in enumerate(metadata.get("finalizers") or ()):
        where = f"metadata.finalizers[{index}]"
        causes += checks.qualified_name(where, finalizer)
        if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
            why = "name is neither a standard finalizer name nor is it fully qualified"
            causes.append(checks.invalid(where, finalizer, why))
    return causes


def validate_update(new: Object, old: Object, stated_deletion: str | None) -> list[Cause]:
    """The checks of an update. The real server runs those of metadata twice, and so reports each cause twice."""
    causes = []
    uid = new["metadata"].get("uid")
    if uid != old["metadata"].get("uid"):
        causes.append(checks.invalid("metadata.uid", uid, "field is immutable"))
    if stated_deletion and stated_deletion != old["metadata"].get("deletionTimestamp"):
        causes.append(checks.invalid("metadata.deletionTimestamp", stated_deletion, "field is immutable"))
    if old["metadata"].get("deletionTimestamp"):
        before = old["metadata"].get("finalizers", [])
        added = [finalizer for finalizer in new["metadata"].get("finalizers", []) if finalizer not in before]
        if added:
            listed = "[]string{" + ", ".join(f'"{finalizer}"' for finalizer in added) + "}"
            why = f"no new finalizers can be added if the object is being deleted, found new finalizers {listed}"
            causes.append(checks.forbidden("metadata.finalizers", why))
    return causes * 2 + _common(new["metadata"])
