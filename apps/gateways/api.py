"""Routing decisions over REST: why a request of a pool went to which replica."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.base import answer
from apps.core.api.paging import limit_of
from apps.core.api.parsers import only_document
from apps.core.api.schema import LIMIT, problem_responses
from apps.gateways import pickers
from apps.gateways.domain.ask import Explain, list_query
from apps.pools.api import PoolView

__all__ = ["ExplainView", "RouteView", "RoutesView"]

_OBJECT = {"type": "object"}


class RoutesView(PoolView):
    """The newest decisions of a pool's picker."""

    @extend_schema(
        operation_id="pools_routes",
        summary="The newest routing decisions, newest first",
        parameters=[
            LIMIT,
            OpenApiParameter("model", OpenApiTypes.STR, description="Of requests for this model."),
            OpenApiParameter("endpoint", OpenApiTypes.STR, description="That this replica won or served."),
        ],
        responses={200: _OBJECT, **problem_responses(404, 409, 502)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name)
        query = request.query_params
        asked = list_query(query.get("model"), query.get("endpoint"), limit_of(request))
        found = pickers.ask(pool, "/debug/routes", asked)
        return answer({"items": found["items"], "next": None})


class RouteView(PoolView):
    """One decision, whole."""

    @extend_schema(
        operation_id="pools_route",
        summary="One routing decision: candidates, scores, weights, winner",
        responses={200: _OBJECT, **problem_responses(404, 409, 502)},
    )
    def get(self, request: Request, team: str, name: str, route: str) -> Response:
        return answer(pickers.ask(self.pool(request, team, name), f"/debug/routes/{route}"))


class ExplainView(PoolView):
    """Where a request would go now."""

    @extend_schema(
        operation_id="pools_routes_explain",
        summary="Where a request would go now; nothing is sent",
        request={"application/json": _OBJECT},
        responses={200: _OBJECT, **problem_responses(400, 404, 409, 413, 422, 502)},
    )
    def post(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name)
        wanted = Explain.from_document(only_document(request).value, at="")
        return answer(pickers.ask(pool, "/debug/routes/explain", body=wanted.body(pickers.served_name(pool))))
