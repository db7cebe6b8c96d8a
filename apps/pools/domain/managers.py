"""Who wrote a field: `metadata.managedFields` read for people. The format is that of server-side apply (FieldsV1)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from apps.pools.domain.fieldpaths import ItemKey, Path


@dataclass(frozen=True, order=True)
class Writer:
    """A field manager. `operation`: Apply (a declared claim) or Update (an edit); `at`: its last write (RFC 3339)."""

    manager: str
    operation: str
    subresource: str = ""
    at: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "manager": self.manager,
            "operation": self.operation,
            "subresource": self.subresource or None,
            "at": self.at,
        }


def writers_of(obj: Mapping[str, Any], path: Path, *, exact: bool = False) -> tuple[Writer, ...]:
    """Managers that own the field, or something below it (`exact`: not below it), the newest first."""
    found = [
        Writer(
            str(entry.get("manager", "")),
            str(entry.get("operation", "")),
            str(entry.get("subresource") or ""),
            entry.get("time"),
        )
        for entry in (obj.get("metadata") or {}).get("managedFields") or []
        if _owns(entry.get("fieldsV1") or {}, path, exact)
    ]
    return tuple(sorted(found, key=lambda writer: writer.at or "", reverse=True))


def _owns(fields: Mapping[str, Any], path: Path, exact: bool) -> bool:
    here: Any = fields
    for part in path:
        below = _child(here, part)
        if below is None:
            return False
        if not below:  # a leaf: a list or mapping that is owned as a whole
            return True
        here = below
    return not exact or "." in here or not here


def _child(fields: Mapping[str, Any], part: Any) -> Mapping[str, Any] | None:
    if not isinstance(part, ItemKey):
        return fields.get(f"f:{part}")
    wanted = dict(part.fields)
    for name, below in fields.items():
        if name.startswith("k:") and _same_key(name[2:], wanted):
            return below
    return None


def _same_key(text: str, wanted: Mapping[str, Any]) -> bool:
    try:
        return bool(json.loads(text) == wanted)
    except ValueError:
        return False


def newest(writers: Iterable[Writer], *, but: frozenset[str] = frozenset()) -> Writer | None:
    """The one that wrote last, without those of some names."""
    others = [writer for writer in writers if writer.manager not in but]
    return max(others, key=lambda writer: writer.at or "", default=None)
