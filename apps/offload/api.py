"""REST of the room: how a pool's tiers stand, the curve, what else could be, decisions and their replay, probes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import clock
from apps.core.api.base import answer
from apps.core.api.decisions import camels, page, replayed, verbs_of
from apps.core.api.schema import CURSOR, LIMIT, problem_responses
from apps.core.domain.conditions import format_time
from apps.core.domain.refusals import Missing, Refusal
from apps.core.domain.units import parse_bytes
from apps.offload import selectors, services, views
from apps.offload.models import OffloadDecision
from apps.pools import selectors as pools
from apps.pools.api import PoolView
from apps.pools.domain.tiers.plan import plan_of
from apps.pools.models import Pool

_OBJECT = {"type": "object"}
_VERBS = ("hold", "canary", "keep", "roll-back", "retire", "advise", "blind")
_HOLDS = ("hold", "blind")
_VERB = OpenApiParameter(
    "verb", str, description=f"Only these, separated by commas: {', '.join(_VERBS)}; `moves`: all but hold and blind."
)
_SCOPE = OpenApiParameter("scope", str, description="`replica` (a cache each; the default) or `pool` (one for all).")
_CLASS = OpenApiParameter("class", str, description="Only blocks of this class.")
_SIZES = [
    OpenApiParameter(kind, str, description=f"What a {kind} tier of this size would bring, as 256Gi.")
    for kind in ("host", "filesystem")
]
_OWNERS = {
    "auto": "Lamplight decides on the tiers and puts them in force, one replica first.",
    "advisory": "Lamplight says which tiers would be worth it; nothing is changed.",
    "fixed": "The tiers are as declared.",
    "off": "KV blocks stay on the accelerators; nothing is measured.",
}


class OffloadView(PoolView):
    """How a pool's tiers stand."""

    @extend_schema(
        operation_id="pools_offload",
        summary="KV-cache offload of a pool: plan, canary, tiers with bandwidth and benefit",
        responses={200: _OBJECT, **problem_responses(404)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name)
        spec = pools.spec_of(pool).offload
        plan = plan_of(spec, pools.tier_plan(pool))
        newest = selectors.latest(pool.uid)
        standing = selectors.standing_of(pool) if spec.mode != "off" else None
        told: dict[str, Any] = {
            "mode": spec.mode,
            "owner": _OWNERS[spec.mode],
            "plan": plan.to_json(),
            "decision": summary(newest) if newest is not None else None,
            "store": views.store(pool, selectors.beside_on_volume(pool)) if spec.mode != "off" else None,
            "phase": "off" if spec.mode == "off" else "steady" if spec.mode == "fixed" else "learning",
        }
        if standing is None:
            now = clock.now()
            told["measured"] = (
                views.measured(selectors.reuse_of(pool.uid), None, now) if spec.mode != "off" else {"state": "off"}
            )
            return answer({**told, "tiers": [], "canary": {"state": "none"}, "proof": None})
        policy, signals = standing.policy, standing.signals
        return answer(
            {
                **told,
                "phase": "blind" if signals.blind else standing.state.phase,
                "canary": views.canary(standing.state, policy, signals),
                "proof": views.proof(standing.state, policy),
                "measured": views.measured(standing.reuse, signals, clock.now()),
                "kvBytesPerToken": policy.kv_bytes,
                "prefillTokensPerSecond": views.prefill_rate(policy),
                "deviceTokens": standing.measured.replica.held,
                "replicas": signals.replicas,
                "tiers": views.tiers(standing, selectors.probes_of(pool.uid)),
            }
        )


class _Measured(PoolView):
    def standing(self, pool: Pool) -> selectors.Standing:
        found = selectors.standing_of(pool)
        if found is None:
            mode = pools.spec_of(pool).offload.mode
            raise Missing(
                f"Nothing has been measured for {pool.key}: "
                + ("offload.mode is off." if mode == "off" else "the first look follows within half a minute.")
            )
        return found


class CurveView(_Measured):
    """Hit rate by cache size."""

    @extend_schema(
        operation_id="pools_offload_curve",
        summary="Hit rate of a pool by cache size, with present size and knee",
        parameters=[_SCOPE, _CLASS],
        responses={200: _OBJECT, **problem_responses(400, 404)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name)
        scope = request.query_params.get("scope", "replica")
        if scope not in ("replica", "pool"):
            raise Refusal(f"scope is replica or pool, not {scope[:40]}.")
        standing = self.standing(pool)
        sketches = selectors.sketches_of(standing.reuse, scope)
        klass = request.query_params.get("class", "")
        if "" not in sketches:
            raise Missing(
                f"No KV event of {pool.key} has been collected yet: {standing.signals.blind or 'wait a little.'}"
            )
        if klass not in sketches:
            raise Missing(
                f"{pool.key} has no class {klass[:80]}; it has {', '.join(n for n in sketches if n) or 'none'}."
            )
        return answer(views.curve(standing, scope, klass, sketches))


class WhatIfView(_Measured):
    """What other tiers would bring."""

    @extend_schema(
        operation_id="pools_offload_what_if",
        summary="What other tiers and sizes would bring a pool",
        parameters=_SIZES,
        responses={200: _OBJECT, **problem_responses(400, 404)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name)
        sizes = {}
        for kind in ("host", "filesystem"):
            if text := request.query_params.get(kind):
                try:
                    sizes[kind] = parse_bytes(text)
                except ValueError as error:
                    raise Refusal(f"{kind}: {error}.") from None
        return answer(views.what_if(self.standing(pool), sizes))


class OffloadDecisionsView(PoolView):
    """Decisions of one pool, newest first; a run of equal holds is one."""

    @extend_schema(
        operation_id="pools_offload_decisions",
        summary="Decisions on a pool's tiers, newest first",
        parameters=[_VERB, LIMIT, CURSOR],
        responses={200: _OBJECT, **problem_responses(400, 404)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name)
        rows = selectors.decisions(pool.uid, verbs=verbs_of(request, _VERBS, _HOLDS))
        return answer(page(request, rows, summary))


class _OneDecision(PoolView):
    def decision(self, request: Request, team: str, name: str, number: int) -> OffloadDecision:
        pool = self.pool(request, team, name)
        found = OffloadDecision.objects.filter(pool=pool.uid, id=number).first() if number < 2**63 else None
        if found is None:
            raise Missing(
                f"{pool.key} has no offload decision {number}: lamp offload explain pool {name} shows the newest."
            )
        return found


class OffloadDecisionView(_OneDecision):
    """One decision with everything that it rests on."""

    @extend_schema(
        operation_id="pools_offload_decision",
        summary="One decision on a pool's tiers: inputs, options, clamps",
        responses={200: _OBJECT, **problem_responses(404)},
    )
    def get(self, request: Request, team: str, name: str, number: int) -> Response:
        row = self.decision(request, team, name, number)
        record = row.record
        options = [
            {
                "tiers": [_tier(t) for t in option["configuration"]["tiers"]],
                "chunkTokens": option["configuration"]["chunk"],
                "hitRate": option["gain"]["hit_rate"],
                "gpuSecondsPerHour": option["gain"]["gpu_seconds"],
                "cost": option["gain"]["cost"],
                "net": option["gain"]["net"],
            }
            for option in record["options"]
        ]
        return answer(
            {
                **summary(row),
                "inputs": camels(record["inputs"]),
                "options": options,
                "clamps": camels(record["clamps"]),
                "advice": record.get("advice", []),
                "policy": camels(row.policy),
            }
        )


class OffloadReplayView(_OneDecision):
    """The decision made again from what it was made from."""

    @extend_schema(
        operation_id="pools_offload_decision_replay",
        summary="Make a stored decision on tiers again and compare",
        responses={200: _OBJECT, **problem_responses(404)},
    )
    def get(self, request: Request, team: str, name: str, number: int) -> Response:
        row = self.decision(request, team, name, number)
        return answer(replayed(row.id, row.record, selectors.replay(row)))


class ProbeView(PoolView):
    """Have the pool's volumes and object stores measured."""

    @extend_schema(
        operation_id="pools_offload_probe",
        summary="Have the bandwidth of a pool's volumes and object stores measured anew",
        request=None,
        responses={202: _OBJECT, **problem_responses(403, 404, 409)},
    )
    def post(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name, write=True)
        asked = services.ask_for_probe(pool=pool, again=True)
        tiers = [{"kind": row.kind, "claim": row.claim} for row in asked]
        return answer({"state": "asked", "tiers": tiers, "notBefore": None}, status=202)


def summary(row: OffloadDecision) -> dict[str, Any]:
    """A decision as lists show it."""
    record = row.record
    gain = record["gain"]
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
        "before": _plan(record["before"], False),
        "plan": _plan(record["plan"], record["canary"]),
        "gain": {
            "hitRate": gain["hit_rate"],
            "gpuSecondsPerHour": gain["gpu_seconds"],
            "ttftSeconds": gain["ttft"],
            "moneyPerHour": gain["net"],
        },
        "sentence": row.sentence,
        "actuation": row.actuation or None,
    }


def _plan(configuration: Mapping[str, Any], canary: bool) -> dict[str, Any]:
    return {
        "tiers": [_tier(tier) for tier in configuration["tiers"]],
        "chunkTokens": configuration["chunk"],
        "promptOnly": configuration["prompt_only"],
        "canary": canary,
    }


def _tier(tier: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": tier["kind"], "bytes": tier["bytes"], "claim": tier["claim"], "ttlSeconds": tier["ttl"]}
