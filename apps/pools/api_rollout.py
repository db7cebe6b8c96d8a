"""REST of a pool's roll-out: how far it is, and pause, resume, abort."""

from __future__ import annotations

from typing import Annotated, Literal

from drf_spectacular.utils import extend_schema
from pydantic import StringConstraints
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.api.base import answer, by, flag
from apps.core.api.parsers import only_document
from apps.core.api.schema import DRY_RUN, REASON, problem_responses
from apps.core.domain.documents import Spec
from apps.core.writes import By
from apps.pools import steering
from apps.pools.api import PoolView

_OBJECT = {"type": "object"}


class _ActionBody(Spec):
    """What POST …/rollout takes."""

    action: Literal["pause", "resume", "abort"]
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class RolloutView(PoolView):
    """How the newest spec is reaching the replicas, and steering it."""

    @extend_schema(
        operation_id="pools_rollout", summary="Roll-out of a pool", responses={200: _OBJECT, **problem_responses(404)}
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        return answer(steering.describe(self.pool(request, team, name)))

    @extend_schema(
        operation_id="pools_steer_rollout",
        summary="Pause, resume or abort the roll-out of a pool",
        parameters=[DRY_RUN, REASON],
        request={"application/json": _OBJECT},
        responses={200: _OBJECT, **problem_responses(400, 403, 404, 409, 422)},
    )
    def post(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name, write=True)
        body = _ActionBody.from_document(only_document(request).value, at="")
        who = by(request)
        why = By(who.actor, who.request_id, body.reason or who.reason)
        steering.act(pool=pool, action=body.action, by=why, dry_run=flag(request, "dry_run"))
        pool.refresh_from_db()
        return answer(steering.describe(pool))
