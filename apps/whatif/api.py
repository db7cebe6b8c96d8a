"""What-if over REST: ask for a simulation of a pool, and see what came of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import IO, Any
from uuid import UUID

import orjson
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.base import actor_of, answer
from apps.core.api.paging import limit_of
from apps.core.api.schema import LIMIT, problem_responses
from apps.core.domain.refusals import Malformed, Missing, TooLarge
from apps.pools.api import PoolView
from apps.whatif import selectors, services, tasks
from apps.whatif.domain.request import MOST_BYTES, SimulateBody
from apps.whatif.planning import check

__all__ = ["SimulateView", "SimulationView", "SimulationsView"]

log = logging.getLogger(__name__)

_OBJECT = {"type": "object"}
# a trace in JSON is longer than the trace
_MOST_BODY = 2 * MOST_BYTES


class _BodyParser(BaseParser):
    """JSON with a trace in it: larger than any document that is declared."""

    media_type = "*/*"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        data = stream.read(_MOST_BODY + 1)
        if len(data) > _MOST_BODY:
            raise TooLarge(f"The body is over {_MOST_BODY} bytes; a trace has at most {MOST_BYTES}: cut it.")
        try:
            return orjson.loads(data) if data.strip() else {}
        except orjson.JSONDecodeError as error:
            raise Malformed(f"The body is not JSON: {error}.") from None


class SimulateView(PoolView):
    """Ask for a simulation."""

    parser_classes = [_BodyParser]

    @extend_schema(
        operation_id="pools_simulate",
        summary="Play a trace or the pool's history through policies, in virtual time",
        request={"application/json": _OBJECT},
        responses={202: _OBJECT, **problem_responses(400, 403, 404, 409, 413, 422)},
    )
    def post(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name, write=True)
        body = SimulateBody.from_document(request.data, at="")
        check(pool, body)
        made = services.ask(pool=pool, body=body, by=actor_of(request).id)
        try:
            tasks.play.apply_async((str(made.id),), expires=60, retry=False)
        except Exception as error:
            log.warning("a simulation was not sent to a worker (%s); the tick will send it", error)
        response = answer(selectors.shown(made, result=True), status=202)
        response["Location"] = f"/api/v1/teams/{team}/pools/{name}/simulations/{made.id}"
        return response


class SimulationsView(PoolView):
    """The newest simulations of a pool."""

    @extend_schema(
        operation_id="pools_simulations",
        summary="Simulations of a pool, newest first",
        parameters=[LIMIT],
        responses={200: _OBJECT, **problem_responses(400, 404)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name)
        rows = selectors.newest(pool, limit_of(request, default=services.KEPT, most=services.KEPT))
        return answer({"items": [selectors.shown(row, result=False) for row in rows], "next": None})


class SimulationView(PoolView):
    """One simulation with its result."""

    @extend_schema(
        operation_id="pools_simulation", summary="One simulation", responses={200: _OBJECT, **problem_responses(404)}
    )
    def get(self, request: Request, team: str, name: str, simulation: UUID) -> Response:
        row = selectors.one(self.pool(request, team, name), simulation)
        if row is None:
            raise Missing(f"Pool {name} has no simulation {simulation}; the newest {services.KEPT} are kept.")
        return answer(selectors.shown(row, result=True))
