"""Changes and events as one list, newest first, and where its next page starts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["SOURCES", "change_line", "changed_parts", "event_line", "merged", "position"]

# equal moments: what a person did stands above what came of it
SOURCES = ("change", "event")
_MOST_PARTS = 40


def changed_parts(before: Any, after: Any, at: str = "") -> list[dict[str, Any]]:
    """Leaves that differ, as JSON pointers with both values (None: not there); a list differs as a whole.

    At most 40; what is masked in the records stays masked.
    """
    parts = list(_differences(before, after, at))
    return parts[:_MOST_PARTS]


def _differences(before: Any, after: Any, at: str) -> Iterable[dict[str, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            yield from _differences(before.get(key), after.get(key), f"{at}/{_escaped(key)}")
    elif _rows_by_name(before) and _rows_by_name(after):
        yield from _differences(_rows_by_name(before), _rows_by_name(after), at)
    elif before != after:
        yield {"pointer": at, "before": before, "after": after}


def _rows_by_name(value: Any) -> dict[str, Any] | None:
    """A list of named objects (variants) by their names; None for any other value."""
    if not isinstance(value, list) or not value:
        return None
    if not all(isinstance(row, Mapping) and isinstance(row.get("name"), str) for row in value):
        return None
    return {row["name"]: row for row in value}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def change_line(change: Mapping[str, Any], name_of_actor: str | None) -> dict[str, Any]:
    """A change record (`id, at, actor, action, kind, team, name, generation, before, after, reason`) as a line."""
    creates = change["before"] is None or change["after"] is None
    return {
        "source": "change",
        "id": change["id"],
        "at": change["at"],
        "kind": change["kind"],
        "team": change["team"],
        "name": change["name"],
        "type": "Normal",
        "title": change["action"],
        "message": "",
        "actor": name_of_actor,
        "reason": change["reason"],
        "generation": change["generation"],
        "count": 1,
        "parts": [] if creates else changed_parts(change["before"], change["after"]),
    }


def event_line(event: Mapping[str, Any]) -> dict[str, Any]:
    """An event (`id, at, kind, team, name, type, reason, message, source, count`) as a line."""
    return {
        "source": "event",
        "id": event["id"],
        "at": event["at"],
        "kind": event["kind"],
        "team": event["team"],
        "name": event["name"],
        "type": event["type"],
        "title": event["reason"],
        "message": event["message"],
        "actor": event["source"],
        "reason": "",
        "generation": None,
        "count": event["count"],
        "parts": [],
    }


def merged(lists: Iterable[Sequence[dict[str, Any]]], limit: int) -> tuple[list[dict[str, Any]], bool]:
    """The newest `limit` lines, and whether there are more; each list holds one more than that where it has them."""
    lines = sorted((line for lines in lists for line in lines), key=_order, reverse=True)
    return lines[:limit], len(lines) > limit


def _order(line: Mapping[str, Any]) -> tuple[Any, int, int]:
    return line["at"], -SOURCES.index(line["source"]), line["id"]


def position(line: Mapping[str, Any]) -> tuple[Any, str, int]:
    """Where a page that ends with this line goes on."""
    return line["at"], line["source"], line["id"]
