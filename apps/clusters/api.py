"""REST of this room beyond what every kind has."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.clusters import preflight, selectors
from apps.clusters.domain.inventory import totals
from apps.clusters.errors import ClusterAway, KubeError
from apps.clusters.kinds import ClusterKind
from apps.clusters.models import Cluster
from apps.core import access, clock, writes
from apps.core.api.base import ApiView, actor_of, answer
from apps.core.api.schema import problem_responses
from apps.core.domain.conditions import format_time

_MOST_NODES = 2000


class InventoryView(ApiView):
    """Accelerators of a cluster, read from its nodes and pods now."""

    @extend_schema(
        operation_id="clusters_inventory",
        summary="Accelerators of a cluster: allocatable, used and free",
        responses={200: {"type": "object"}, **problem_responses(404, 502)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        access.require_read(actor_of(request), team)
        cluster = Cluster.objects.named(team, name).first()
        if cluster is None:
            raise writes.missing(ClusterKind(), team, name)
        try:
            rows = selectors.inventory(cluster)
        except KubeError as error:
            raise ClusterAway(f"{cluster.key} cannot be asked: {error}.") from error
        nodes: list[dict[str, Any]] = [
            {
                "node": row.node,
                "resource": row.resource,
                "product": row.product,
                "allocatable": row.allocatable,
                "used": row.used,
                "free": row.free,
                "schedulable": row.schedulable,
            }
            for row in rows[:_MOST_NODES]
        ]
        return answer({"accelerators": [total.to_json() for total in totals(rows)], "nodes": nodes})


class PreflightView(ApiView):
    """Whether pools can live in a cluster, asked of it now: version, kinds, rights, accelerators, watches."""

    @extend_schema(
        operation_id="clusters_preflight",
        summary="Can pools live there? Version, kinds, rights missing, accelerators, watches",
        responses={200: {"type": "object"}, **problem_responses(404, 502)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        access.require_read(actor_of(request), team)
        cluster = Cluster.objects.named(team, name).first()
        if cluster is None:
            raise writes.missing(ClusterKind(), team, name)
        try:
            checks = preflight.run(cluster)
        except KubeError as error:
            raise ClusterAway(f"{cluster.key} cannot be asked: {error}.") from error
        return answer(
            {
                "checkedAt": format_time(clock.now()),
                "ok": not any(check.state == "failed" for check in checks),
                "checks": [check.to_json() for check in checks],
            }
        )
