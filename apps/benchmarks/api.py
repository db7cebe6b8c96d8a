"""Loads of a pool over REST: start one, watch it, stop it, put two beside each other."""

from __future__ import annotations

import logging
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.benchmarks import selectors, services, tasks
from apps.benchmarks.api_shapes import COMPARISON, LOAD, LOADS, REQUEST
from apps.benchmarks.domain.asking import LoadBody
from apps.benchmarks.domain.comparing import Load, compare
from apps.benchmarks.models import LoadRun
from apps.core.api.base import answer, by
from apps.core.api.paging import limit_of
from apps.core.api.parsers import only_document
from apps.core.api.schema import LIMIT, problem_responses
from apps.core.domain.refusals import Missing
from apps.pools.api import PoolView
from apps.pools.models import Pool

__all__ = ["CompareView", "LoadView", "LoadsView", "StopView"]

log = logging.getLogger(__name__)


class _LoadsView(PoolView):
    def run(self, pool: Pool, load: UUID) -> LoadRun:
        found = selectors.one(pool, load)
        if found is None:
            raise Missing(f"Pool {pool.name} has no load {load}; the newest {services.KEPT} are kept.")
        return found


class LoadsView(_LoadsView):
    """The newest loads of a pool, and how one begins."""

    @extend_schema(
        operation_id="pools_loads",
        summary="Loads of a pool, newest first",
        parameters=[LIMIT],
        responses={200: LOADS, **problem_responses(400, 404)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name)
        runs = selectors.newest(pool, limit_of(request, default=services.KEPT, most=services.KEPT))
        return answer({"items": selectors.shown(runs, slices=False), "next": None})

    @extend_schema(
        operation_id="pools_load_begin",
        summary="Send a load to the pool's own address, as its users would",
        request={"application/json": REQUEST},
        responses={202: LOAD, **problem_responses(400, 403, 404, 409, 422)},
    )
    def post(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name, write=True)
        body = LoadBody.from_document(only_document(request).value if request.data else {}, at="")
        who = by(request)
        run = services.ask(pool=pool, body=body, actor=who.actor.id, request_id=who.request_id)
        try:
            tasks.begin.apply_async((str(run.id),), expires=60, retry=False)
        except Exception as error:
            log.warning("a load was not sent to a worker (%s); the tick will send it", error)
        response = answer(_one(run), status=202)
        response["Location"] = f"/api/v1/teams/{team}/pools/{name}/loads/{run.id}"
        return response


class LoadView(_LoadsView):
    """One load as it goes on."""

    @extend_schema(
        operation_id="pools_load",
        summary="One load, with how it went over time",
        responses={200: LOAD, **problem_responses(404)},
    )
    def get(self, request: Request, team: str, name: str, load: UUID) -> Response:
        return answer(_one(self.run(self.pool(request, team, name), load)))


class StopView(_LoadsView):
    """The end of a load before its time."""

    @extend_schema(
        operation_id="pools_load_stop",
        summary="Stop a load; requests under way are cut off",
        request=None,
        responses={202: LOAD, **problem_responses(403, 404, 409)},
    )
    def post(self, request: Request, team: str, name: str, load: UUID) -> Response:
        run = self.run(self.pool(request, team, name, write=True), load)
        who = by(request)
        return answer(_one(services.request_stop(run=run, actor=who.actor.id, request_id=who.request_id)), status=202)


class CompareView(_LoadsView):
    """Before and after."""

    @extend_schema(
        operation_id="pools_loads_compare",
        summary="Two loads beside each other: what users got before and after",
        responses={200: COMPARISON, **problem_responses(404)},
    )
    def get(self, request: Request, team: str, name: str, load: UUID, other: UUID) -> Response:
        pool = self.pool(request, team, name)
        sides = [self.run(pool, load), self.run(pool, other)]
        one, two = (Load(run.generation, run.request, run.measured) for run in sides)
        shown = selectors.shown(sides, slices=True)
        return answer({"before": shown[0], "after": shown[1], **compare(one, two)})


def _one(run: LoadRun) -> dict[str, Any]:
    return selectors.shown([run], slices=True)[0]
