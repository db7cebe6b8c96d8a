"""The timeline and the change records over REST."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit import selectors, services
from apps.audit.models import ChangeRecord, Event
from apps.core import access, kinds
from apps.core.api import schema
from apps.core.api.base import ApiView, actor_of
from apps.core.api.paging import decode_cursor, encode_cursor, from_micros, limit_of, to_micros
from apps.core.domain.conditions import format_time
from apps.core.domain.refusals import Refusal

_FILTERS = [
    OpenApiParameter("kind", OpenApiTypes.STR, description="Pool, Model, …"),
    OpenApiParameter("team", OpenApiTypes.STR),
    OpenApiParameter("name", OpenApiTypes.STR),
    schema.LIMIT,
    schema.CURSOR,
]
# what has change records and no documents
_UNDECLARED = ("Team", "User")
_ITEMS = {
    "type": "object",
    "properties": {
        "items": {"type": "array", "items": {"type": "object"}},
        "next": {"type": ["string", "null"]},
    },
}


class EventsView(ApiView):
    """What happened to objects, newest first; repeats are counted."""

    @extend_schema(operation_id="events", parameters=_FILTERS, responses={200: _ITEMS})
    def get(self, request: Request) -> Response:
        rows, limit = selectors.events(**_filters(request)), limit_of(request)
        if cursor := request.query_params.get("cursor"):
            micros, last = decode_cursor(cursor, int, int)
            at = from_micros(micros)
            rows = rows.filter(Q(last_at__lt=at) | Q(last_at=at, id__lt=last))
        found = list(rows[: limit + 1])
        more = len(found) > limit
        found = found[:limit]
        following = encode_cursor(to_micros(found[-1].last_at), found[-1].id) if more else None
        return Response({"items": [_event(event) for event in found], "next": following})


class ChangesView(ApiView):
    """Who changed what, and why, newest first."""

    @extend_schema(operation_id="changes", parameters=_FILTERS, responses={200: _ITEMS})
    def get(self, request: Request) -> Response:
        rows, limit = selectors.changes(**_filters(request, _UNDECLARED)), limit_of(request)
        if cursor := request.query_params.get("cursor"):
            rows = rows.filter(id__lt=decode_cursor(cursor, int)[0])
        found = list(rows[: limit + 1])
        more = len(found) > limit
        found = found[:limit]
        following = encode_cursor(found[-1].id) if more else None
        return Response({"items": [_change(record) for record in found], "next": following})


def _filters(request: Request, beside: tuple[str, ...] = ()) -> dict[str, Any]:
    """The query's filters with the teams that may be seen. `beside`: kinds that are no documents.

    Raises Missing for a team that may not be seen.
    """
    actor, query = actor_of(request), request.query_params
    if query.get("kind"):
        known = [*(handler.kind for handler in kinds.all_handlers()), *beside]
        if query["kind"] not in known:
            raise Refusal(f"kind is one of {', '.join(known)}, not {query['kind'][:40]}.")
    if query.get("team"):
        access.require_read(actor, query["team"])
    return {"teams": actor.visible_teams(), **{key: query.get(key) or None for key in ("kind", "team", "name")}}


def _event(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "kind": event.kind,
        "uid": str(event.uid),
        "team": event.team,
        "name": event.name,
        "type": event.type,
        "reason": event.reason,
        "message": event.message,
        "source": event.source,
        "count": event.count,
        "firstSeen": format_time(event.first_at),
        "lastSeen": format_time(event.last_at),
    }


def _change(record: ChangeRecord) -> dict[str, Any]:
    return {"id": record.id, **services.chained_fields(record), "at": format_time(record.at), "digest": record.digest}
