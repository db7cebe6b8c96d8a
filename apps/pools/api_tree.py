"""REST of what people look into when a pool is not as it should be: the object tree, and logs."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.clusters.errors import ClusterAway, KubeError
from apps.clusters.selectors import kube_for
from apps.core.api.base import answer, flag
from apps.core.api.schema import problem_responses
from apps.core.domain.refusals import Refusal
from apps.pools import selectors, tree
from apps.pools.api import PoolView
from apps.pools.models import Pool

_OBJECT = {"type": "object"}


def _gone(pool: Pool) -> ClusterAway:
    return ClusterAway(f"The cluster of {pool.key} is not declared any more.")


class TreeView(PoolView):
    """Everything that follows from a pool, down to containers, with what the cluster reported about it."""

    @extend_schema(
        operation_id="pools_tree",
        summary="Object tree of a pool: Deployment, ReplicaSet, pod, container, events",
        responses={200: _OBJECT, **problem_responses(404, 502)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name)
        cluster = selectors.cluster_of(pool)
        if cluster is None:
            raise _gone(pool)
        try:
            return answer(tree.object_tree(kube_for(cluster), pool, cluster))
        except KubeError as error:
            raise ClusterAway(f"The objects of {pool.key} cannot be read: {error}.") from error


class LogsView(PoolView):
    """The newest lines of a container's log."""

    @extend_schema(
        operation_id="pools_pod_logs",
        summary="Newest log lines of a container of a pool",
        parameters=[
            OpenApiParameter("container", OpenApiTypes.STR, description="default: the pod's first"),
            OpenApiParameter("tail", OpenApiTypes.INT, description=f"lines, 1 to {tree.MOST_LINES}; default 200"),
            OpenApiParameter("previous", OpenApiTypes.BOOL, description="of the run before the present one"),
        ],
        responses={200: _OBJECT, **problem_responses(400, 404, 409, 502)},
    )
    def get(self, request: Request, team: str, name: str, pod: str) -> Response:
        pool = self.pool(request, team, name)
        cluster = selectors.cluster_of(pool)
        if cluster is None:
            raise _gone(pool)
        tail = request.query_params.get("tail", "200")
        if not tail.isascii() or not tail.isdecimal() or not 1 <= int(tail[:9]) <= tree.MOST_LINES:
            raise Refusal(f"tail is a number of lines from 1 to {tree.MOST_LINES}, not {tail[:50]}.")
        try:
            found = tree.log_tail(
                kube_for(cluster),
                pool,
                pod,
                container=request.query_params.get("container", ""),
                lines=int(tail),
                previous=flag(request, "previous"),
            )
        except KubeError as error:
            raise ClusterAway(f"The log of {pod} cannot be read: {error}.") from error
        return answer(found.to_json())
