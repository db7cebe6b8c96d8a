"""The timeline: changes by people and events of objects in one list."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Q
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.selectors import names_of_actors
from apps.audit import selectors
from apps.console.domain.timeline import SOURCES, change_line, event_line, merged, position
from apps.core import access
from apps.core.api import schema
from apps.core.api.base import ApiView, actor_of
from apps.core.api.paging import decode_cursor, encode_cursor, from_micros, limit_of, to_micros
from apps.core.domain.conditions import format_time
from apps.core.domain.refusals import Refusal

__all__ = ["TimelineView"]

_STRING = {"type": "string"}
_NULLABLE = {"type": ["string", "null"]}
_LINE = {
    "type": "object",
    "title": "TimelineLine",
    "required": [
        *("source", "id", "at", "kind", "team", "name", "type", "title", "message", "actor", "reason"),
        *("generation", "count", "parts"),
    ],
    "properties": {
        "source": {"type": "string", "enum": list(SOURCES)},
        "id": {"type": "integer"},
        "at": {"type": "string", "format": "date-time"},
        "kind": _STRING,
        "team": _STRING,
        "name": _STRING,
        "type": {"type": "string", "enum": ["Normal", "Warning"]},
        "title": {**_STRING, "description": "The action of a change; the reason of an event."},
        "message": _STRING,
        "actor": {**_NULLABLE, "description": "Who; of an event the controller that tells of it."},
        "reason": {**_STRING, "description": "Why, in the words of who changed it."},
        "generation": {"type": ["integer", "null"]},
        "count": {"type": "integer"},
        "parts": {
            "type": "array",
            "description": "What a change changed, at most 40 places.",
            "items": {
                "type": "object",
                "required": ["pointer", "before", "after"],
                "properties": {"pointer": _STRING, "before": {}, "after": {}},
            },
        },
    },
}
_ANSWER = {
    "type": "object",
    "required": ["items", "next"],
    "properties": {"items": {"type": "array", "items": _LINE}, "next": _NULLABLE},
}
_PARAMETERS = [
    OpenApiParameter("kind", OpenApiTypes.STR, description="Pool, Model, …"),
    OpenApiParameter("team", OpenApiTypes.STR),
    OpenApiParameter("name", OpenApiTypes.STR),
    OpenApiParameter("source", OpenApiTypes.STR, enum=list(SOURCES), description="Only these; both without it."),
    OpenApiParameter("type", OpenApiTypes.STR, enum=["Warning"], description="Only events that warn."),
    OpenApiParameter("from", OpenApiTypes.INT, description="Unix seconds; not older."),
    OpenApiParameter("to", OpenApiTypes.INT, description="Unix seconds; not newer."),
    schema.LIMIT,
    schema.CURSOR,
]
_LATEST = 253402300799
# events that say what a change record beside them says, with the same words
_TOLD_BY_CHANGES = ("TargetSet", "TiersSet")


class TimelineView(ApiView):
    """Who changed what and why, and what happened then: one list, newest first."""

    @extend_schema(operation_id="timeline", parameters=_PARAMETERS, responses={200: _ANSWER})
    def get(self, request: Request) -> Response:
        query, actor, limit = request.query_params, actor_of(request), limit_of(request)
        if query.get("team"):
            access.require_read(actor, query["team"])
        source = query.get("source", "")
        if source and source not in SOURCES:
            raise Refusal(f"source is one of {', '.join(SOURCES)}, not {source[:40]}.")
        warnings = query.get("type", "") == "Warning"
        narrowed: dict[str, Any] = {key: query.get(key) or None for key in ("kind", "team", "name")}
        teams = actor.visible_teams()
        lists = []
        if source != "event" and not warnings:
            rows = selectors.changes(teams=teams, **narrowed).order_by("-at", "-id")
            lists.append(_changes(rows.filter(_within("at", "change", request))[: limit + 1]))
        if source != "change":
            found = selectors.events(teams=teams, **narrowed).filter(_within("last_at", "event", request))
            if not source:
                found = found.exclude(reason__in=_TOLD_BY_CHANGES)
            lists.append(_events((found.filter(type="Warning") if warnings else found)[: limit + 1]))
        lines, more = merged(lists, limit)
        following = None
        if more:
            at, last, id_ = position(lines[-1])
            following = encode_cursor(to_micros(at), last, id_)
        return Response({"items": [{**line, "at": format_time(line["at"])} for line in lines], "next": following})


def _within(field: str, source: str, request: Request) -> Q:
    """Rows of this source in the asked stretch of time, and behind the cursor."""
    query = request.query_params
    found = Q()
    if start := _moment(query.get("from"), "from"):
        found &= Q(**{f"{field}__gte": start})
    if end := _moment(query.get("to"), "to"):
        found &= Q(**{f"{field}__lte": end})
    if not query.get("cursor"):
        return found
    micros, last, id_ = decode_cursor(query["cursor"], int, str, int)
    if last not in SOURCES:
        raise Refusal("This cursor is not one that a list has given out: start again without it.")
    at = from_micros(micros)
    mine, its = SOURCES.index(source), SOURCES.index(last)
    behind = Q(**{f"{field}__lt": at})
    if mine == its:
        behind |= Q(**{field: at, "id__lt": id_})
    elif mine > its:
        behind |= Q(**{field: at})
    return found & behind


def _moment(text: str | None, name: str) -> datetime | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 12 or int(text) > _LATEST:
        raise Refusal(f"{name} is a moment in Unix seconds, not {text[:40]}.")
    return from_micros(int(text) * 1_000_000)


def _changes(records: Iterable[Any]) -> list[dict[str, Any]]:
    held = list(records)
    names = names_of_actors({record.actor for record in held})
    fields = ("id", "at", "actor", "action", "kind", "team", "name", "generation", "before", "after", "reason")
    return [
        change_line({field: getattr(record, field) for field in fields}, names.get(record.actor, record.actor))
        for record in held
    ]


def _events(rows: Iterable[Any]) -> list[dict[str, Any]]:
    fields = ("id", "kind", "team", "name", "type", "reason", "message", "source", "count")
    return [event_line({"at": row.last_at, **{field: getattr(row, field) for field in fields}}) for row in rows]
