"""The fleet: all pools that one may see, with one query to each room."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.db.models import Max
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.autoscaling.selectors import last_of
from apps.catalog.domain.accelerators import accelerators
from apps.clusters.models import Cluster
from apps.clusters.selectors import spec_of
from apps.console.domain.fleet import SORTS, Facts, Figures, fleet_row, matches, ordered, totals
from apps.console.kept import Keeper
from apps.core.api.base import ApiView, actor_of
from apps.core.api.paging import limit_of
from apps.core.domain.conditions import format_time
from apps.core.domain.refusals import Refusal
from apps.core.domain.units import HourlyPrice
from apps.core.models import OutboxEvent
from apps.pools.models import Pool
from apps.pools.selectors import asleep_of
from apps.slos.selectors import slos_of_pools
from apps.telemetry.selectors import Summary, last_tick_at, summaries

__all__ = ["FleetView"]

# a screen; totals are over all that match
MAX_ROWS = 1000
# pools looked at in one answer, in the order of team and name
MAX_POOLS = 5000

_READ = ("uid", "team", "name", "spec", "status", "conditions", "updated_at", "cluster_uid")
_FILTERS = ("team", "health", "sync", "model")
_PARAMETERS = [
    OpenApiParameter("q", str, description="Part of the name, team, model or cluster."),
    *(OpenApiParameter(name, str) for name in _FILTERS),
    OpenApiParameter("name", str, description="Exactly this pool's name, in every team or in `team`."),
    OpenApiParameter("sort", str, enum=list(SORTS)),
    OpenApiParameter("order", str, enum=["asc", "desc"]),
    OpenApiParameter("limit", int, description=f"Rows, at most {MAX_ROWS}; totals are over all that match."),
]


class FleetView(ApiView):
    """All pools that one may see: what was declared, what is live, what it does and costs.

    Every open console asks each few seconds: the rows are computed once for all who may see the same teams.
    """

    kept: ClassVar[Keeper[list[dict[str, Any]]]] = Keeper()

    @extend_schema(operation_id="fleet", parameters=_PARAMETERS, responses={200: dict[str, Any]})
    def get(self, request: Request) -> Response:
        query = request.query_params
        sort = query.get("sort", "name")
        if sort not in SORTS:
            raise Refusal(f"sort is one of {', '.join(SORTS)}, not {sort[:40]}.")
        order = query.get("order", "asc")
        if order not in ("asc", "desc"):
            raise Refusal(f"order is asc or desc, not {order[:40]}.")
        limit = limit_of(request, default=MAX_ROWS, most=MAX_ROWS)
        filters = {name: query.get(name, "") for name in _FILTERS}
        only = {name: value for name in ("team", "name") if (value := query.get(name, ""))}
        teams = actor_of(request).visible_teams()
        every = (
            fleet_rows(teams, only)
            if "name" in only
            else self.kept.get(teams, _mark, lambda: fleet_rows(teams), seconds=settings.FLEET_KEPT_SECONDS)
        )
        rows = [row for row in every if matches(row, text=query.get("q", ""), **filters)]
        shown = ordered(rows, sort, descending=order == "desc")[:limit]
        return Response({"items": shown, "totals": totals(rows), "truncated": len(shown) < len(rows), "next": None})


def _mark() -> tuple[Any, ...]:
    """What moves with whatever the rows tell of: the newest change, the newest measurement."""
    return OutboxEvent.objects.aggregate(newest=Max("id"))["newest"], last_tick_at()


def fleet_rows(teams: frozenset[str] | None, only: Mapping[str, str] = MappingProxyType({})) -> list[dict[str, Any]]:
    """Rows of the pools of these teams (None: all), in the order of team and name; at most MAX_POOLS.

    `only`: columns of a pool (`team`, `name`) and the value that they must have.
    """
    pools = list(Pool.objects.visible_to(teams).filter(**only).only(*_READ).order_by("team", "name")[:MAX_POOLS])
    prices = _prices({pool.cluster_uid for pool in pools if pool.cluster_uid is not None})
    figures = summaries((pool.uid for pool in pools), hour=False)
    slos = slos_of_pools((pool.team, pool.name) for pool in pools)
    since = {key: _since(slo for slo, _ in found) for key, found in slos.items()}
    decided = last_of(pool.uid for pool in pools if _in_need(slos.get((pool.team, pool.name), [])))
    asleep = asleep_of(pool.uid for pool in pools)
    return [
        fleet_row(
            replace(
                _facts(pool, prices.get(pool.cluster_uid, {})),
                breached_since=since.get((pool.team, pool.name)),
                decided=decided.get(pool.uid),
                asleep=asleep.get(pool.uid, {}),
            ),
            _figures(figures.get(pool.uid)),
            [(slo.name, spec, slo.status) for slo, spec in slos.get((pool.team, pool.name), [])],
        )
        for pool in pools
    ]


def _in_need(slos: Iterable[tuple[Any, Any]]) -> bool:
    """Whether an objective is broken or on its way: then people ask what was done about it."""
    judged = (one for slo, _ in slos for one in slo.status.get("objectives", []))
    return any(one.get("state") in ("Breached", "AtRisk") for one in judged)


def _since(slos: Iterable[Any]) -> str | None:
    """Since when the first of these SLOs is not met; None where all are, or nobody can tell."""
    conditions = (slo.condition("Met") for slo in slos)
    broken = [one.last_transition_time for one in conditions if one is not None and one.status == "False"]
    known = [at for at in broken if at is not None]
    return format_time(min(known)) if known else None


def _facts(pool: Pool, prices: dict[str, HourlyPrice]) -> Facts:
    # as it is stored: a thousand pools have ten conditions each
    ready = next((one for one in pool.conditions if one["type"] == "Ready" and one["status"] != "True"), None)
    known = accelerators()
    return Facts(
        uid=str(pool.uid),
        team=pool.team,
        name=pool.name,
        spec=pool.spec,
        status=pool.status,
        ready_reason=ready["reason"] if ready else "",
        ready_message=ready["message"] if ready else "",
        unready_since=ready.get("lastTransitionTime") if ready else None,
        updated_at=pool.updated_at.isoformat(),
        accelerators={
            variant["name"]: (variant["accelerator"], math.prod(variant["parallelism"].values()))
            for variant in pool.spec["variants"]
            # a plain CPU is no accelerator, and has no price of its own
            if variant["accelerator"] not in known or known[variant["accelerator"]].resource is not None
        },
        prices=prices,
    )


def _prices(clusters: set[UUID]) -> dict[UUID, dict[str, HourlyPrice]]:
    """Price of one accelerator by cluster: the cluster's own, else the catalogue's."""
    listed = {name: row.price for name, row in accelerators().items() if row.price is not None}
    found = Cluster.objects.in_bulk(clusters)
    return {uid: {**listed, **spec_of(cluster).prices} for uid, cluster in found.items()}


def _figures(summary: Summary | None) -> Figures | None:
    return Figures(summary.state, summary.reason, summary.figures) if summary else None
