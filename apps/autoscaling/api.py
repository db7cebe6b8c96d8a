"""REST of the room: decisions, one decision whole, its replay, and how a pool's autoscaling stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.autoscaling import selectors
from apps.autoscaling.models import Decision
from apps.core import access
from apps.core.api.base import ApiView, actor_of, answer
from apps.core.api.decisions import camels, page, replayed, verbs_of
from apps.core.api.schema import CURSOR, LIMIT, problem_responses
from apps.core.domain.conditions import format_time
from apps.core.domain.refusals import Missing, Refusal
from apps.pools import selectors as pools
from apps.pools.api import PoolView

_OBJECT = {"type": "object"}
_VERBS = ("up", "down", "mix", "hold", "frozen", "zero", "from-zero", "sleep", "wake")
_HOLDS = ("hold", "frozen")
_VERB = OpenApiParameter(
    "verb", str, description=f"Only these, separated by commas: {', '.join(_VERBS)}; `moves`: all but hold and frozen."
)
_TEAM = OpenApiParameter("team", str, description="Only of this team.")
_STRETCH = [
    OpenApiParameter("from", int, description="Unix seconds: only those that still held then or later."),
    OpenApiParameter("to", int, description="Unix seconds: only those that were first taken by then."),
]


class AllDecisionsView(ApiView):
    """Decisions of all pools that one may see, newest first."""

    @extend_schema(
        operation_id="decisions",
        summary="Decisions of the autoscaler, newest first",
        parameters=[_TEAM, _VERB, *_STRETCH, LIMIT, CURSOR],
        responses={200: _OBJECT, **problem_responses(400)},
    )
    def get(self, request: Request) -> Response:
        actor = actor_of(request)
        team = request.query_params.get("team")
        if team is not None:
            access.require_read(actor, team)
        rows = selectors.decisions(
            teams=[team] if team else actor.visible_teams(), verbs=verbs_of(request, _VERBS, _HOLDS)
        )
        return answer(page(request, _within(request, rows), summary))


class DecisionsView(PoolView):
    """Decisions of one pool, newest first; a run of equal holds is one."""

    @extend_schema(
        operation_id="pools_decisions",
        summary="Decisions of the autoscaler for a pool, newest first",
        parameters=[_VERB, *_STRETCH, LIMIT, CURSOR],
        responses={200: _OBJECT, **problem_responses(400, 404)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name)
        rows = selectors.decisions(pool=pool.uid, verbs=verbs_of(request, _VERBS, _HOLDS))
        return answer(page(request, _within(request, rows), summary))


class _OneDecision(PoolView):
    def decision(self, request: Request, team: str, name: str, number: int) -> Decision:
        pool = self.pool(request, team, name)
        found = Decision.objects.filter(pool=pool.uid, id=number).first() if number < 2**63 else None
        if found is None:
            raise Missing(f"{pool.key} has no decision {number}: lamp explain pool {name} shows the newest.")
        return found


class DecisionView(_OneDecision):
    """One decision with everything that it rests on."""

    @extend_schema(
        operation_id="pools_decision",
        summary="One decision: inputs, forecast, proposals, clamps, counterfactuals",
        responses={200: _OBJECT, **problem_responses(404)},
    )
    def get(self, request: Request, team: str, name: str, number: int) -> Response:
        return answer(whole(self.decision(request, team, name, number)))


class ReplayView(_OneDecision):
    """The decision made again from what it was made from."""

    @extend_schema(
        operation_id="pools_decision_replay",
        summary="Make a stored decision again and compare",
        responses={200: _OBJECT, **problem_responses(404)},
    )
    def get(self, request: Request, team: str, name: str, number: int) -> Response:
        row = self.decision(request, team, name, number)
        return answer(replayed(row.id, row.record, selectors.replay(row)))


class AutoscalingView(PoolView):
    """Who owns the replicas of a pool, its newest decision, and what has been learned of it."""

    @extend_schema(
        operation_id="pools_autoscaling",
        summary="How a pool's autoscaling stands",
        responses={200: _OBJECT, **problem_responses(404)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name)
        spec = pools.spec_of(pool).autoscaling
        newest = selectors.latest(pool.uid)
        memory = selectors.memory_of(pool.uid)
        return answer(
            {
                "mode": spec.mode,
                "owner": _HANDED_OVER[spec.handover] if spec.handover != "none" else _OWNERS[spec.mode],
                "latest": summary(newest) if newest is not None else None,
                "learned": _learned(memory) if memory is not None else None,
            }
        )


_HANDED_OVER = {
    "hpa": "A HorizontalPodAutoscaler that Lamplight renders writes the replicas, as Lamplight decides.",
    "keda": "A KEDA ScaledObject that Lamplight renders writes the replicas, as Lamplight decides.",
}
_OWNERS = {
    "active": "Lamplight's autoscaler writes the replicas, within the bounds of each variant.",
    "advisory": "People set the replicas; Lamplight's autoscaler says what it would do.",
    "external": "Another scaler (HPA or KEDA) writes the replicas; Lamplight does not.",
    "off": "People set the replicas; nobody scales.",
}


def _learned(memory: Mapping[str, Any]) -> dict[str, Any]:
    pool = memory["pool"]
    return {
        "at": format_time(memory["at"]),
        "gain": pool["gain"],
        "crowding": pool["crowding"],
        "dispersion": pool["dispersion"],
        "holdSeconds": pool["hold"],
        "reversalsLastHour": pool["reversals"],
        "variants": {
            name: {
                "stepTimeFactors": dict(zip(("fixed", "token", "attention", "kv"), row["factors"], strict=True)),
                "residual": row["residual"],
                "startupSeconds": row["startup"] if row["startup"] >= 0 else None,
                "starting": len(memory["starting"].get(name, [])),
            }
            for name, row in memory["variants"].items()
        },
    }


def _within(request: Request, rows: Any) -> Any:
    for name, field in (("from", "last_at__gte"), ("to", "first_at__lte")):
        text = request.query_params.get(name)
        if text:
            if not (text.isascii() and text.isdigit() and len(text) <= 10):
                raise Refusal(f"{name} is a moment in Unix seconds, not {text[:40]}.")
            rows = rows.filter(**{field: datetime.fromtimestamp(int(text), UTC)})
    return rows


def summary(row: Decision) -> dict[str, Any]:
    """A decision as lists show it."""
    carries = next((one["value"] for one in row.record["inputs"] if one["name"] == "carries"), None)
    needed = next((one["replicas"] for one in row.record["proposals"] if one["rule"] == "forecast"), None)
    return {
        "id": row.id,
        "team": row.team,
        "pool": row.name,
        "mode": row.mode,
        "firstAt": format_time(row.first_at),
        "lastAt": format_time(row.last_at),
        "count": row.count,
        "verb": row.verb,
        "binding": row.binding,
        "before": row.before,
        "targets": row.targets,
        "costPerHour": {"amount": row.cost, "currency": row.currency},
        "sentence": row.sentence,
        "actuation": row.actuation or None,
        "forecast": row.record["quantiles"] or None,
        "needed": needed,
        "carries": carries,
    }


def whole(row: Decision) -> dict[str, Any]:
    """A decision with all that explains it."""
    record = row.record
    made = datetime.fromtimestamp(record["at"], UTC)
    parts = ("inputs", "proposals", "clamps", "counterfactuals", "attainment")
    return {
        **summary(row),
        "at": format_time(made),
        "quantiles": record["quantiles"],
        **{name: camels(record[name]) for name in parts},
        "policy": camels(row.policy),
    }
