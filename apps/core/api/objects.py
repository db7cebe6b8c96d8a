"""The REST endpoints that every kind has: `kind_urls(handler)` in a room's urls.py is all it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from django.urls import URLPattern, path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import access, services, writes
from apps.core.api import schema
from apps.core.api.base import ApiView, actor_of, answer, by, etags, flag
from apps.core.api.paging import page_of_objects
from apps.core.api.parsers import only_document
from apps.core.domain.refusals import Refusal
from apps.core.kinds import KindHandler
from apps.core.representation import exported, full


class _KindView(ApiView):
    handler: ClassVar[KindHandler]

    def page(self, request: Request, rows: Any) -> Response:
        found, cursor = page_of_objects(rows, request)
        items = [full(obj) for obj in found]
        return answer({"items": items, "next": cursor}, exports=[exported(obj) for obj in found])

    def written(self, result: services.Written, dry_run: bool) -> Response:
        status = 201 if result.action == "created" and not dry_run else 200
        return answer(full(result.obj), status=status, etag=result.obj.etag, exports=[exported(result.obj)])


class EverywhereView(_KindView):
    """Objects of one kind of all teams that one may see."""

    def get(self, request: Request) -> Response:
        return self.page(request, self.handler.model.objects.visible_to(actor_of(request).visible_teams()))


class CollectionView(_KindView):
    """Objects of one kind of one team."""

    def get(self, request: Request, team: str) -> Response:
        access.require_read(actor_of(request), team)
        return self.page(request, self.handler.model.objects.filter(team=team))

    def post(self, request: Request, team: str) -> Response:
        access.require_write(actor_of(request), team)
        dry_run = flag(request, "dry_run")
        result = services.create(self.handler, only_document(request), team=team, by=by(request), dry_run=dry_run)
        return self.written(result, dry_run)


class ObjectView(_KindView):
    """One object."""

    def get(self, request: Request, team: str, name: str) -> Response:
        access.require_read(actor_of(request), team)
        obj = self.handler.model.objects.named(team, name).first()
        if obj is None:
            raise writes.missing(self.handler, team, name)
        return answer(full(obj), etag=obj.etag, exports=[exported(obj)])

    def put(self, request: Request, team: str, name: str) -> Response:
        return self._write(services.replace_with, request, team, name)

    def patch(self, request: Request, team: str, name: str) -> Response:
        return self._write(services.patch, request, team, name)

    def _write(self, write: Any, request: Request, team: str, name: str) -> Response:
        access.require_write(actor_of(request), team)
        dry_run = flag(request, "dry_run")
        result = write(
            self.handler,
            only_document(request),
            team=team,
            name=name,
            etags=etags(request),
            by=by(request),
            dry_run=dry_run,
        )
        return self.written(result, dry_run)

    def delete(self, request: Request, team: str, name: str) -> Response:
        access.require_write(actor_of(request), team)
        dry_run = flag(request, "dry_run")
        result = services.delete(
            self.handler,
            team=team,
            name=name,
            etags=etags(request),
            by=by(request),
            dry_run=dry_run,
            orphan=_orphan(request),
        )
        if result.action == "deleted":
            return Response(status=204)
        return answer(full(result.obj), status=202, etag=result.obj.etag)


def _orphan(request: Request) -> bool:
    cascade = request.query_params.get("cascade", "background")
    if cascade not in ("background", "orphan"):
        raise Refusal(f"cascade is background or orphan, not {cascade[:40]!r}.")
    return cascade == "orphan"


def kind_urls(handler: KindHandler) -> list[URLPattern]:
    """The routes of a kind below /api/v1/, named `<plural>-everywhere`, `-collection` and `-object`."""
    plural = handler.plural

    return [
        path(plural, _documented(EverywhereView, handler).as_view(), name=f"{plural}-everywhere"),
        path(
            f"teams/<slug:team>/{plural}", _documented(CollectionView, handler).as_view(), name=f"{plural}-collection"
        ),
        path(
            f"teams/<slug:team>/{plural}/<slug:name>",
            _documented(ObjectView, handler).as_view(),
            name=f"{plural}-object",
        ),
    ]


def _documented(base: type[_KindView], handler: KindHandler) -> Any:
    """A view class of this kind whose methods carry their OpenAPI description."""
    view = type(f"{handler.kind}{base.__name__}", (base,), {"handler": handler, "__doc__": base.__doc__})
    return extend_schema_view(**_DESCRIPTIONS[base](handler))(view)


_READS = [schema.LIMIT, schema.CURSOR, schema.FORMAT]
_WRITES = [schema.DRY_RUN, schema.REASON]
_CASCADE = OpenApiParameter(
    "cascade",
    OpenApiTypes.STR,
    enum=["background", "orphan"],
    description="orphan: gone at once; what it owns in its cluster stays there, for a cluster that is no more.",
)
_GUARDED = [schema.IF_MATCH, *_WRITES]
_problems = schema.problem_responses


def _body(handler: KindHandler) -> dict[str, Any]:
    return dict.fromkeys(("application/json", "application/yaml"), schema.ref(handler.kind))


def _describe_everywhere(handler: KindHandler) -> dict[str, Any]:
    return {
        "get": extend_schema(
            operation_id=f"{handler.plural}_everywhere",
            summary=f"List {handler.plural} of all teams",
            parameters=_READS,
            responses={200: schema.ref(f"{handler.kind}List")},
        )
    }


def _describe_collection(handler: KindHandler) -> dict[str, Any]:
    return {
        "get": extend_schema(
            operation_id=f"{handler.plural}_list",
            summary=f"List {handler.plural} of a team",
            parameters=_READS,
            responses={200: schema.ref(f"{handler.kind}List"), **_problems(404)},
        ),
        "post": extend_schema(
            operation_id=f"{handler.plural}_create",
            summary=f"Declare a new {handler.kind}",
            parameters=_WRITES,
            request=_body(handler),
            responses={201: schema.ref(handler.kind), **_problems(400, 403, 404, 409, 422)},
        ),
    }


def _describe_object(handler: KindHandler) -> dict[str, Any]:
    one, name = schema.ref(handler.kind), handler.plural
    changed = {200: one, **_problems(400, 403, 404, 409, 412, 422, 428)}
    gone = {204: OpenApiResponse(description="It is gone."), 202: one, **_problems(403, 404, 409, 412, 428)}
    part = {"application/merge-patch+json": {"type": "object"}, "application/yaml": {"type": "object"}}
    return {
        "get": extend_schema(
            operation_id=f"{name}_get",
            summary=f"Get a {handler.kind}",
            parameters=[schema.FORMAT],
            responses={200: one, **_problems(404)},
        ),
        "put": extend_schema(
            operation_id=f"{name}_replace",
            summary=f"Declare a {handler.kind} anew",
            parameters=_GUARDED,
            request=_body(handler),
            responses=changed,
        ),
        "patch": extend_schema(
            operation_id=f"{name}_patch",
            summary=f"Change parts of a {handler.kind} (JSON merge patch)",
            parameters=_GUARDED,
            request=part,
            responses=changed,
        ),
        "delete": extend_schema(
            operation_id=f"{name}_delete",
            summary=f"Delete a {handler.kind}",
            parameters=[*_GUARDED, _CASCADE],
            responses=gone,
        ),
    }


_DESCRIPTIONS: dict[type[_KindView], Callable[[KindHandler], dict[str, Any]]] = {
    EverywhereView: _describe_everywhere,
    CollectionView: _describe_collection,
    ObjectView: _describe_object,
}
