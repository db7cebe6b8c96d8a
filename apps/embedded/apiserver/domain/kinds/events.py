"""Events: one stored object, shown by two API groups with other names for the same fields."""

from __future__ import annotations

from typing import Any

from apps.embedded.apiserver.domain import checks
from apps.embedded.apiserver.domain.strategy import Strategy

Object = dict[str, Any]
TO_NEW = {
    "involvedObject": "regarding",
    "message": "note",
    "source": "deprecatedSource",
    "firstTimestamp": "deprecatedFirstTimestamp",
    "lastTimestamp": "deprecatedLastTimestamp",
    "count": "deprecatedCount",
    "reportingComponent": "reportingController",
}
TO_OLD = {new: old for old, new in TO_NEW.items()}


class EventStrategy(Strategy):
    """Stored as core/v1 has it."""

    create_on_update = True
    name_check = staticmethod(checks.subdomain)
    selectable_fields = (
        "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
        "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath",
        "reason", "reportingComponent", "source", "type",
    )  # fmt: skip

    def present(self, obj: Object, group: str) -> Object:
        if group != "events.k8s.io":
            return obj
        shown = {TO_NEW.get(field, field): value for field, value in obj.items()}
        for field in ("reportingController", "reportingInstance"):
            if shown.get(field) == "":
                del shown[field]
        return shown

    def from_version(self, obj: Object, group: str) -> Object:
        if group != "events.k8s.io":
            return obj
        stored = {TO_OLD.get(field, field): value for field, value in obj.items()}
        for field in ("reportingComponent", "reportingInstance"):
            stored.setdefault(field, "")
        return stored
