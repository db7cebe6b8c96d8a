"""One request to a resource, read and checked, and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from apps.embedded.apiserver.domain.request import ResourcePath
from apps.embedded.apiserver.domain.status import Cause, invalid
from apps.embedded.apiserver.registry import Resource

Object = dict[str, Any]


@dataclass(frozen=True)
class User:
    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""


@dataclass(frozen=True)
class Call:
    """``query`` holds the last value of each parameter, ``dry_runs`` all those of dryRun. ``now`` is RFC 3339."""

    method: str
    path: ResourcePath
    resource: Resource
    query: dict[str, str]
    dry_runs: Sequence[str]
    content_type: str
    body: bytes
    user: User
    user_agent: str
    now: str
    warnings: list[str] = field(default_factory=list)

    @property
    def dry_run(self) -> bool:
        return "All" in self.dry_runs

    @property
    def field_manager(self) -> str:
        """Whose write this is: fieldManager, or the first part of the User-Agent as the real server takes it."""
        return self.query.get("fieldManager") or self.user_agent.split("/", 1)[0][:128]

    @property
    def force(self) -> bool:
        return self.query.get("force", "").lower() in ("true", "1")


@dataclass(frozen=True)
class Answer:
    body: Object
    status: int = 200


MAX_MANAGER = 128


def check_write_options(call: Call, kind: str, *, applying: bool = False) -> None:
    """ApiError 422 for values that an option cannot have. ``kind`` is e.g. CreateOptions."""
    causes = []
    manager = call.query.get("fieldManager", "")
    if applying and not manager:
        causes.append(Cause("FieldValueRequired", "Required value: is required for apply patch", "fieldManager"))
    elif "force" in call.query and kind == "PatchOptions" and not applying:
        causes.append(Cause("FieldValueForbidden", "Forbidden: may not be specified for non-apply patch", "force"))
    if len(manager.encode()) > MAX_MANAGER:
        why = f"Too long: may not be more than {MAX_MANAGER} bytes"
        causes.append(Cause("FieldValueTooLong", why, "fieldManager"))
    else:
        for position, letter in enumerate(manager):
            if not letter.isprintable():
                shown = orjson.dumps(manager).decode()
                why = f"Invalid value: {shown}: invalid character U+{ord(letter):04X} (at position {position})"
                causes.append(Cause("FieldValueInvalid", why, "fieldManager"))
                break
    if call.dry_runs and any(value != "All" for value in call.dry_runs):
        shown = orjson.dumps(list(call.dry_runs)).decode()
        causes.append(Cause("FieldValueNotSupported", f'Unsupported value: {shown}: supported values: "All"', "dryRun"))
    validation = call.query.get("fieldValidation", "")
    if validation not in ("", "Ignore", "Strict", "Warn"):
        message = f'Unsupported value: "{validation}": supported values: "", "Ignore", "Strict", "Warn"'
        causes.append(Cause("FieldValueNotSupported", message, "fieldValidation"))
    if causes:
        raise invalid("meta.k8s.io", kind, "", causes)
