"""Events: one stored object, shown by two API groups with other names for the same fields."""

from __future__ import annotations

from typing import Any

from apps.embedded.apiserver.domain import checks
from apps.embedded.apiserver.domain.status import Cause, invalid
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

    def check_version(self, obj: Object, group: str) -> None:
        """The new API asks for more than the old one."""
        if group != "events.k8s.io":
            return
        causes = []
        if not obj.get("eventTime"):
            causes.append(checks.required("eventTime"))
        if obj.get("type") not in ("Normal", "Warning"):
            causes.append(checks.invalid("type", "", f"has invalid value: {obj.get('type', '')}"))
        if causes:
            raise invalid("", "Event", obj["metadata"].get("name", ""), causes)

    def validate(self, obj: Object) -> list[Cause]:
        about, namespace = obj.get("involvedObject", {}).get("namespace", ""), obj["metadata"].get("namespace")
        if about and about != namespace:
            return [checks.invalid("involvedObject.namespace", about, "does not match event.namespace")]
        return []

    def validate_version_update(self, new: Object, old: Object, group: str) -> list[Cause]:
        if group != "events.k8s.io":
            return []
        return [
            cause
            for field in ("involvedObject", "reason", "message", "type", "eventTime", "reportingComponent", "action")
            for cause in checks.immutable(field, new.get(field), old.get(field))
        ]

    def stored_field(self, path: str) -> str:
        head, dot, rest = path.partition(".")
        return TO_OLD.get(head, head) + dot + rest

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
