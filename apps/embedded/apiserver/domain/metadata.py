"""The rules of ObjectMeta that all kinds share."""

from __future__ import annotations

import re
from typing import Any

from apps.embedded.apiserver.domain.status import Cause

Object = dict[str, Any]
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def validate(obj: Object, resource: Any) -> list[Cause]:
    metadata = obj["metadata"]
    if not metadata.get("name"):
        return [Cause("FieldValueRequired", "Required value: name or generateName is required", "metadata.name")]
    return []


def validate_update(new: Object, old: Object, resource: Any) -> list[Cause]:
    causes = []
    uid = new["metadata"].get("uid")
    if uid != old["metadata"].get("uid"):
        causes.append(Cause("FieldValueInvalid", f'Invalid value: "{uid}": field is immutable', "metadata.uid"))
    if old["metadata"].get("deletionTimestamp"):
        added = [f for f in new["metadata"].get("finalizers", []) if f not in old["metadata"].get("finalizers", [])]
        if added:
            listed = "[]string{" + ", ".join(f'"{f}"' for f in added) + "}"
            why = "no new finalizers can be added if the object is being deleted, found new finalizers"
            causes.append(Cause("FieldValueForbidden", f"Forbidden: {why} {listed}", "metadata.finalizers"))
    return causes
