"""`/apply` and `/export`: many documents at once, in and out."""

from __future__ import annotations

from typing import Any, cast

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import access, kinds, services
from apps.core.api import schema
from apps.core.api.base import ApiView, actor_of, answer, by, flag
from apps.core.domain.refusals import Refusal
from apps.core.representation import exported
from apps.core.yamlio import Document

_TEAM = OpenApiParameter("team", OpenApiTypes.STR, description="Team of documents that name none (default: default).")
_MOST_EXPORTED = 5000
_OUTCOME = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "kind": {"type": "string"},
                    "team": {"type": "string"},
                    "name": {"type": "string"},
                    "action": {"type": "string", "enum": ["created", "updated", "unchanged"]},
                    "object": {"type": "object"},
                    "problem": schema.ref("Problem"),
                },
            },
        }
    },
}


class ApplyView(ApiView):
    """Make everything that the documents declare true, or nothing."""

    @extend_schema(
        operation_id="apply",
        summary="Apply a bundle of documents, all or nothing",
        parameters=[_TEAM, schema.DRY_RUN, schema.REASON],
        request={
            "application/yaml": {"type": "string", "description": "one or more documents"},
            "application/json": {"type": "object", "description": "one document, a list, or {items: [...]}"},
        },
        responses={200: _OUTCOME, **schema.problem_responses(400, 403, 404, 409, 412, 413, 422)},
    )
    def post(self, request: Request) -> Response:
        team = request.query_params.get("team") or services.DEFAULT_TEAM
        outcomes = services.apply_documents(
            cast(list[Document], request.data), by=by(request), team=team, dry_run=flag(request, "dry_run")
        )
        return answer({"items": [outcome.to_json() for outcome in outcomes]})


class ExportView(ApiView):
    """All declarations of a team (or of all that one may see), as apply takes them."""

    @extend_schema(
        operation_id="export",
        summary="Export declarations",
        parameters=[OpenApiParameter("team", OpenApiTypes.STR, description="One team only."), schema.FORMAT],
        responses={200: {"type": "object", "properties": {"items": {"type": "array", "items": {"type": "object"}}}}},
    )
    def get(self, request: Request) -> Response:
        actor = actor_of(request)
        team = request.query_params.get("team")
        teams = actor.visible_teams()
        if team:
            access.require_read(actor, team)
            teams = frozenset([team])
        documents: list[dict[str, Any]] = []
        for handler in kinds.all_handlers():
            rows = handler.model.objects.living().visible_to(teams).order_by("team", "name")
            documents += [exported(obj) for obj in rows[: _MOST_EXPORTED - len(documents) + 1]]
        if len(documents) > _MOST_EXPORTED:
            raise Refusal(f"There are more than {_MOST_EXPORTED} objects: export one team at a time (?team=).")
        return answer({"items": documents}, exports=documents)
