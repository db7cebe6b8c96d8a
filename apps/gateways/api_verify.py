"""The self-test of a pool's path over REST."""

from __future__ import annotations

import logging
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.base import actor_of, answer
from apps.core.api.paging import limit_of
from apps.core.api.schema import LIMIT, problem_responses
from apps.core.domain.refusals import Missing
from apps.gateways import tasks, verifying
from apps.gateways.models import Verification
from apps.pools.api import PoolView

__all__ = ["VerificationView", "VerificationsView"]

log = logging.getLogger(__name__)

_OBJECT = {"type": "object"}


class VerificationsView(PoolView):
    """The self-tests of a pool."""

    @extend_schema(
        operation_id="pools_verifications",
        summary="The newest self-tests, newest first",
        parameters=[LIMIT],
        responses={200: _OBJECT, **problem_responses(404)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name)
        rows = Verification.objects.filter(pool=pool.uid).order_by("-created_at")[: limit_of(request)]
        return answer({"items": [verifying.shown(row) for row in rows], "next": None})

    @extend_schema(
        operation_id="pools_verify",
        summary="Run the path's self-test",
        request=None,
        responses={202: _OBJECT, **problem_responses(403, 404, 409)},
    )
    def post(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name, write=True)
        made = verifying.ask(pool=pool, by=actor_of(request).id)
        try:
            tasks.verify.apply_async((str(made.id),), expires=60, retry=False)
        except Exception as error:
            log.warning("a self-test was not sent to a worker (%s); the tick will send it", error)
        response = answer(verifying.shown(made), status=202)
        response["Location"] = f"/api/v1/teams/{team}/pools/{name}/verifications/{made.id}"
        return response


class VerificationView(PoolView):
    """One self-test."""

    @extend_schema(
        operation_id="pools_verification",
        summary="One self-test with its checks",
        responses={200: _OBJECT, **problem_responses(404)},
    )
    def get(self, request: Request, team: str, name: str, verification: UUID) -> Response:
        pool = self.pool(request, team, name)
        row = Verification.objects.filter(pool=pool.uid, id=verification).first()
        if row is None:
            raise Missing(f"{pool.key} has no self-test {verification}; only the last ones are kept.")
        return answer(verifying.shown(row))
