"""How SLOs stand and went, over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import access, clock, writes
from apps.core.api import schema
from apps.core.api.base import ApiView, actor_of
from apps.core.api.paging import decode_cursor, encode_cursor, from_micros, limit_of, to_micros
from apps.core.domain.refusals import Missing, Refusal
from apps.pools.models import Pool
from apps.slos import selectors
from apps.slos.alerting import alert_json
from apps.slos.domain.calendar import MAX_STEPS, boundaries
from apps.slos.domain.standing import status_of
from apps.slos.kinds import SLO_KIND
from apps.slos.models import SLO, IntegrityReport
from apps.slos.ticking import end_of_measuring, pools_told
from apps.telemetry.ranges import Range, range_of

__all__ = ["AlertsView", "AttainmentView", "BudgetView", "BurnView", "IntegrityView"]

_DAY = 86_400.0
_RANGE = [
    OpenApiParameter(
        "from", str, description="Unix seconds or ISO 8601; the objective's window before `to` when left out."
    ),
    OpenApiParameter("to", str, description="Unix seconds or ISO 8601; now when left out."),
    OpenApiParameter("step", str, description=f"Seconds of a step; at most {MAX_STEPS} steps; a day when left out."),
]
_ANSWER = {200: dict[str, Any]}


class _SLOView(ApiView):
    def slo(self, request: Request, team: str, name: str) -> Any:
        access.require_read(actor_of(request), team)
        slo = SLO.objects.named(team, name).first()
        if slo is None:
            raise writes.missing(SLO_KIND, team, name)
        return slo

    def range(self, request: Request, now: datetime, found: selectors.Measured) -> Range:
        longest = max(objective.window.total_seconds() for objective in found.spec.objectives)
        asked = range_of(request, now=now.timestamp(), default=longest, longest=401 * _DAY)
        step = asked.step or (_DAY if asked.end - asked.start >= 2 * _DAY else 3600.0)
        if (asked.end - asked.start) / step > MAX_STEPS:
            raise Refusal(f"`step` {step:g} gives more than {MAX_STEPS} steps for this range; ask for a longer one.")
        return Range(asked.start, asked.end, step)


class AttainmentView(_SLOView):
    """What was attained in each step of a range: a calendar, with unknown time apart from good and bad."""

    @extend_schema(operation_id="slos_attainment", parameters=_RANGE, responses=_ANSWER)
    def get(self, request: Request, team: str, name: str) -> Response:
        found = selectors.measured(self.slo(request, team, name))
        asked = self.range(request, clock.now(), found)
        edges = boundaries(asked.start, asked.end, asked.step or _DAY)
        items = [
            {
                "key": objective.key,
                "promise": objective.sentence(found.spec.traffic),
                "fraction": float(objective.fraction),
                "since": min((one.began_at.timestamp() for one in series if one.began_at), default=None),
                "steps": selectors.history(objective, series, edges) if series else [],
            }
            for objective, series in found.objectives
        ]
        return Response({"from": edges[0], "to": edges[-1], "step": asked.step, "items": items})


class BudgetView(_SLOView):
    """Each objective's error budget: what is left, how it went, when it will be used up."""

    @extend_schema(operation_id="slos_budget", parameters=_RANGE, responses=_ANSWER)
    def get(self, request: Request, team: str, name: str) -> Response:
        slo, now = self.slo(request, team, name), clock.now()
        found = selectors.measured(slo)
        asked = self.range(request, now, found)
        times = boundaries(asked.start, asked.end, asked.step or _DAY)
        status = _status(slo, found, now)
        items = [
            {
                **{name: one[name] for name in ("key", "promise", "state", "message", "fraction", "window")},
                "budget": one["budget"],
                "history": selectors.budget_history(objective, series, times) if series else [],
            }
            for one, (objective, series) in zip(status["objectives"], found.objectives, strict=True)
        ]
        return Response({"from": times[0], "to": times[-1], "step": asked.step, "items": items})


class BurnView(_SLOView):
    """How fast each objective's budget burns, in the windows that alerts look at."""

    @extend_schema(operation_id="slos_burn", responses=_ANSWER)
    def get(self, request: Request, team: str, name: str) -> Response:
        slo, now = self.slo(request, team, name), clock.now()
        status = _status(slo, selectors.measured(slo), now)
        names = ("key", "promise", "state", "message", "burn", "alerts")
        return Response(
            {
                "evaluatedAt": status["evaluatedAt"],
                "items": [{name: one[name] for name in names} for one in status["objectives"]],
            }
        )


class IntegrityView(ApiView):
    """Whether every loop that reads a pool is fed, and what to do where one is not."""

    @extend_schema(operation_id="pools_integrity", responses=_ANSWER)
    def get(self, request: Request, team: str, name: str) -> Response:
        access.require_read(actor_of(request), team)
        pool = Pool.objects.named(team, name).first()
        if pool is None:
            raise Missing(f"There is no pool {name} in team {team}.")
        found = IntegrityReport.objects.filter(pool=pool.uid).first()
        nothing: dict[str, Any] = {
            "checkedAt": None,
            "state": "unknown",
            "servedNames": [],
            "loops": [],
            "findings": [],
            "targets": [],
        }
        return Response(found.report if found is not None else nothing)


class AlertsView(ApiView):
    """Burn-rate alerts of the teams that one may see, newest first."""

    @extend_schema(
        operation_id="alerts",
        parameters=[
            OpenApiParameter("team", str),
            OpenApiParameter("state", str, enum=["firing", "resolved"]),
            OpenApiParameter("slo", str, description="Name of the SLO."),
            OpenApiParameter("pool", str, description="Name of the pool that the SLO is about."),
            OpenApiParameter("endpoint", str, description="Name of the endpoint that the SLO is about."),
            schema.LIMIT,
            schema.CURSOR,
        ],
        responses=_ANSWER,
    )
    def get(self, request: Request) -> Response:
        actor, query = actor_of(request), request.query_params
        if query.get("team"):
            access.require_read(actor, query["team"])
        if query.get("state", "firing") not in ("firing", "resolved"):
            raise Refusal(f"state is firing or resolved, not {query['state'][:40]}.")
        rows, limit = selectors.alerts(actor.visible_teams(), query), limit_of(request)
        if cursor := query.get("cursor"):
            micros, last = decode_cursor(cursor, int, int)
            at = from_micros(micros)
            rows = rows.filter(Q(started_at__lt=at) | Q(started_at=at, id__lt=last))
        found = list(rows[: limit + 1])
        more = len(found) > limit
        found = found[:limit]
        following = encode_cursor(to_micros(found[-1].started_at), found[-1].pk) if more else None
        return Response({"items": [alert_json(alert) for alert in found], "next": following})


def _status(slo: Any, found: selectors.Measured, now: datetime) -> dict[str, Any]:
    end = end_of_measuring(now)
    source = slo.status.get("measuredAt") or slo.spec.get("measuredAt")
    pools = pools_told(found.spec, found.pools)
    return status_of(selectors.standings(found, end), source=source, at=end.timestamp(), pools=pools)
