"""What rooms that decide share at the REST edge: verbs that are asked for, a page of runs, a replay with its record."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from rest_framework.request import Request

from apps.core.api.paging import decode_cursor, encode_cursor, limit_of
from apps.core.domain.refusals import Refusal

__all__ = ["camel", "camels", "page", "replayed", "verbs_of"]


def verbs_of(request: Request, verbs: Sequence[str], holds: Collection[str]) -> list[str]:
    """Those of `verb`; `moves` is all but `holds`; none: all. Raises Refusal for one that is none of `verbs`."""
    text = request.query_params.get("verb", "")
    if not text:
        return []
    if text == "moves":
        return [verb for verb in verbs if verb not in holds]
    wanted = text.split(",")
    for verb in wanted:
        if verb not in verbs:
            raise Refusal(f"verb is one of {', '.join(verbs)} or moves, not {verb[:40]}.")
    return wanted


def page(request: Request, rows: Any, summary: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """Rows of a queryset that is ordered by falling id, as `limit` and `cursor` ask for them."""
    limit = limit_of(request, default=50, most=200)
    if cursor := request.query_params.get("cursor"):
        rows = rows.filter(id__lt=decode_cursor(cursor, int)[0])
    found = list(rows[: limit + 1])
    more = len(found) > limit
    return {
        "items": [summary(row) for row in found[:limit]],
        "next": encode_cursor(found[limit - 1].id) if more else None,
    }


def replayed(number: int, stored: Mapping[str, Any], again: Mapping[str, Any] | str) -> dict[str, Any]:
    """A decision made again from what it was made from, beside its record; a sentence says why it cannot be."""
    if isinstance(again, str):
        told = {"comparable": False, "reason": again, "replayed": None, "stored": camels(stored)}
        return {"id": number, "equal": False, "differs": [], **told}
    differs = sorted(key for key in stored.keys() | again.keys() if stored.get(key) != again.get(key))
    return {
        "id": number,
        "comparable": True,
        "reason": None,
        "equal": not differs,
        "differs": [camel(key) for key in differs],
        "replayed": camels(again),
        "stored": camels(stored),
    }


def camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


def camels(value: Any) -> Any:
    """Keys as JSON of this API has them; what people named stands in values, never in keys."""
    if isinstance(value, Mapping):
        return {camel(key): camels(item) for key, item in value.items()}
    if isinstance(value, list):
        return [camels(item) for item in value]
    return value
