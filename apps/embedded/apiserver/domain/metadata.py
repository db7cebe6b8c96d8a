"""The rules of ObjectMeta that all kinds share."""

from __future__ import annotations

from typing import Any

from apps.embedded.apiserver.domain import checks
from apps.embedded.apiserver.domain.status import Cause
from apps.embedded.apiserver.domain.strategy import Strategy

Object = dict[str, Any]
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
    for index, owner in enumerate(metadata.get("ownerReferences") or ()):
        where = f"metadata.ownerReferences[{index}]"
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                causes.append(checks.invalid(f"{where}.{field}", owner.get(field, ""), f"{field} must not be empty"))
    controllers = [owner for owner in metadata.get("ownerReferences") or () if owner.get("controller")]
    if len(controllers) > 1:
        named = [f"{owner.get('kind')}/{owner.get('name')}" for owner in controllers[:2]]
        causes.append(
            checks.invalid(
                "metadata.ownerReferences",
                metadata["ownerReferences"],
                'Only one reference can have Controller set to true. Found "true" in references for '
                + " and ".join(named),
            )
        )
    for finalizer in metadata.get("finalizers") or ():
        causes += checks.qualified_name("metadata.finalizers", finalizer)
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
