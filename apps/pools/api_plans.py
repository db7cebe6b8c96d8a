"""REST of plans: what would a declaration change, and apply it while that is still true."""

from __future__ import annotations

from typing import Annotated, Literal, cast

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from pydantic import Field, StringConstraints
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import access, services
from apps.core.api.base import ApiView, actor_of, answer, by, flag
from apps.core.api.paging import decode_cursor, encode_cursor, limit_of
from apps.core.api.parsers import only_document
from apps.core.api.schema import CURSOR, DRY_RUN, LIMIT, REASON, problem_responses
from apps.core.domain.documents import Name, Spec
from apps.core.yamlio import Document
from apps.pools import imports, plans
from apps.pools.api import PoolView
from apps.pools.applying import apply_plan
from apps.pools.models import PoolPlan

_OBJECT = {"type": "object"}
_BODY = {
    "application/yaml": {"type": "string", "description": "one or more documents"},
    "application/json": {"type": "object", "description": "one document, a list, or {items: [...]}"},
}
_TEAM = OpenApiParameter("team", OpenApiTypes.STR, description="Team of documents that name none (default: default).")


class PlanBundleView(ApiView):
    """What a bundle of documents would change, in the declarations and in the clusters."""

    @extend_schema(
        operation_id="plan",
        summary="Plan a bundle of documents: fields of declarations and of every object of the pools that it touches",
        parameters=[_TEAM, DRY_RUN, REASON],
        request=_BODY,
        responses={200: _OBJECT, **problem_responses(400, 403, 404, 409, 412, 413, 422)},
    )
    def post(self, request: Request) -> Response:
        team = request.query_params.get("team") or services.DEFAULT_TEAM
        documents = cast(list[Document], request.data)
        planned = plans.plan_documents(documents, by=by(request), team=team, keep=not flag(request, "dry_run"))
        return answer({"items": [row.to_json() for row in planned]})


class PlanView(PoolView):
    """A plan of one pool: of the document in the body, else of what is declared."""

    @extend_schema(
        operation_id="pools_plan",
        summary="Plan a pool, present or proposed; with dry_run the plan is not kept",
        parameters=[DRY_RUN, REASON],
        request={"application/yaml": {"type": "string"}, "application/json": _OBJECT},
        responses={201: _OBJECT, 200: _OBJECT, **problem_responses(400, 403, 404, 409, 412, 413, 422, 502)},
    )
    def post(self, request: Request, team: str, name: str) -> Response:
        access.require_write(actor_of(request), team)
        keep = not flag(request, "dry_run")
        if request.data:
            plan = plans.plan_document(only_document(request), team=team, name=name, by=by(request), keep=keep)
        else:
            plan = plans.plan_pool(self.pool(request, team, name, write=True), by=by(request), keep=keep)
        return answer(plans.representation(plan), status=201 if keep else 200)


class PlansView(PoolView):
    """Plans of a pool, newest first; of a pool that is only proposed too."""

    @extend_schema(
        operation_id="pools_plans",
        summary="Plans of a pool, newest first",
        parameters=[LIMIT, CURSOR, OpenApiParameter("state", OpenApiTypes.STR, enum=["open", "applied", "superseded"])],
        responses={200: _OBJECT, **problem_responses(404)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        access.require_read(actor_of(request), team)
        limit = limit_of(request, default=20, most=100)
        rows = PoolPlan.objects.filter(team=team, name=name).order_by("-id")
        if state := request.query_params.get("state"):
            rows = rows.filter(state=state)
        if cursor := request.query_params.get("cursor"):
            rows = rows.filter(pk__lt=decode_cursor(cursor, int)[0])
        found = list(rows[: limit + 1])
        items = [plans.representation(plan, detail=False) for plan in found[:limit]]
        return answer({"items": items, "next": encode_cursor(items[-1]["id"]) if len(found) > limit else None})


class PlanDetailView(PoolView):
    """One plan, in full."""

    @extend_schema(
        operation_id="pools_plan_detail",
        summary="A plan: objects, fields before and after, cost, warnings",
        responses={200: _OBJECT, **problem_responses(404)},
    )
    def get(self, request: Request, team: str, name: str, number: int) -> Response:
        access.require_read(actor_of(request), team)
        return answer(plans.representation(plans.find_plan(team, name, number)))


class _ApplyBody(Spec):
    """What POST …/plans/{id}/apply takes."""

    consent: Annotated[list[Literal["recreate"]], Field(max_length=10)] = []


class PlanApplyView(PoolView):
    """Apply exactly what a plan says."""

    @extend_schema(
        operation_id="pools_plan_apply",
        summary="Apply a plan; 409 names what moved since it was made",
        parameters=[REASON],
        request={"application/json": _OBJECT},
        responses={200: _OBJECT, **problem_responses(400, 403, 404, 409, 412, 422, 502)},
    )
    def post(self, request: Request, team: str, name: str, number: int) -> Response:
        access.require_write(actor_of(request), team)
        body = _ApplyBody.from_document(only_document(request).value if request.data else {}, at="")
        plan = plans.find_plan(team, name, number)
        return answer(plans.representation(apply_plan(plan, by=by(request), consent=body.consent)))


class _ImportBody(Spec):
    """What POST …/import takes."""

    namespace: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
    cluster: Name = "embedded"


class ImportView(ApiView):
    """Documents for what runs in a namespace already; nothing is declared."""

    @extend_schema(
        operation_id="import",
        summary="Propose documents for vLLM Deployments, llm-d releases and KServe services of a namespace",
        request={"application/json": _OBJECT},
        responses={200: _OBJECT, **problem_responses(400, 403, 404, 422, 502)},
    )
    def post(self, request: Request, team: str) -> Response:
        access.require_write(actor_of(request), team)
        body = _ImportBody.from_document(only_document(request).value, at="")
        found = imports.proposals(team=team, namespace=body.namespace, cluster=body.cluster)
        return answer({"items": [proposal.to_json() for proposal in found], "next": None})
