"""The REST endpoints that every kind has: `kind_urls(handler)` in a room's urls.py is all it takes."""

from __future__ import annotations

from types import FunctionType
from typing import Any, ClassVar

from django.urls import URLPattern, path
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import access, services, writes
from apps.core.api import schema
from apps.core.api.base import ApiView, actor_of, answer, by, etags, flag
from apps.core.api.paging import page_of_objects
from apps.core.api.parsers import only_document
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
            self.handler, team=team, name=name, etags=etags(request), by=by(request), dry_run=dry_run
        )
        if result.action == "deleted":
            return Response(status=204)
        return answer(full(result.obj), status=202, etag=result.obj.etag)


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


def _copy(method: Any) -> Any:
    """The same method as a function of its own: `extend_schema` marks the very function that it is given."""
    return FunctionType(method.__code__, method.__globals__, method.__name__, method.__defaults__, method.__closure__)


def _documented(base: Any, handler: KindHandler) -> Any:
    """A view class of this kind whose methods carry their OpenAPI description."""
    view: Any = type(f"{handler.kind}{base.__name__}", (base,), {"handler": handler, "__doc__": base.__doc__})
    one, many, kind = schema.ref(handler.kind), schema.ref(f"{handler.kind}List"), handler.kind
    problems = schema.problem_responses
    body = {"application/json": one, "application/yaml": one}
    write = [schema.DRY_RUN, schema.REASON]
    guarded = [schema.IF_MATCH, *write]
    reads = [schema.LIMIT, schema.CURSOR, schema.FORMAT]
    name = handler.plural
    if base is EverywhereView:
        view.get = extend_schema(
            operation_id=f"{name}_everywhere",
            summary=f"List {name} of all teams",
            parameters=reads,
            responses={200: many},
        )(_copy(base.get))
    elif base is CollectionView:
        view.get = extend_schema(
            operation_id=f"{name}_list",
            summary=f"List {name} of a team",
            parameters=reads,
            responses={200: many, **problems(404)},
        )(_copy(base.get))
        view.post = extend_schema(
            operation_id=f"{name}_create",
            summary=f"Declare a new {kind}",
            parameters=write,
            request=body,
            responses={201: one, **problems(400, 403, 404, 409, 422)},
        )(_copy(base.post))
    else:
        changed = {200: one, **problems(400, 403, 404, 409, 412, 422, 428)}
        view.get = extend_schema(
            operation_id=f"{name}_get",
            summary=f"Get a {kind}",
            parameters=[schema.FORMAT],
            responses={200: one, **problems(404)},
        )(_copy(base.get))
        view.put = extend_schema(
            operation_id=f"{name}_replace",
            summary=f"Declare a {kind} anew",
            parameters=guarded,
            request=body,
            responses=changed,
        )(_copy(base.put))
        view.patch = extend_schema(
            operation_id=f"{name}_patch",
            summary=f"Change parts of a {kind} (JSON merge patch)",
            parameters=guarded,
            request={"application/merge-patch+json": {"type": "object"}, "application/yaml": {"type": "object"}},
            responses=changed,
        )(_copy(base.patch))
        view.delete = extend_schema(
            operation_id=f"{name}_delete",
            summary=f"Delete a {kind}",
            parameters=guarded,
            responses={204: OpenApiResponse(description="It is gone."), 202: one, **problems(403, 404, 409, 412, 428)},
        )(_copy(base.delete))
    return view
