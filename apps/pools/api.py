"""REST of this room beyond what every kind has: replica targets, revisions, pods and objects of a pool."""

from __future__ import annotations

from typing import Annotated, Any

from drf_spectacular.utils import extend_schema
from pydantic import Field, StringConstraints
from rest_framework.request import Request
from rest_framework.response import Response

from apps.clusters.errors import ClusterAway, KubeError
from apps.clusters.selectors import kube_for
from apps.core import access, writes
from apps.core.api.base import ApiView, actor_of, answer, by, etags, flag
from apps.core.api.paging import decode_cursor, encode_cursor, limit_of
from apps.core.api.parsers import only_document
from apps.core.api.schema import CURSOR, DRY_RUN, IF_MATCH, LIMIT, REASON, problem_responses
from apps.core.domain.conditions import format_time
from apps.core.domain.documents import Name, Spec
from apps.core.domain.refusals import Stale
from apps.core.representation import full
from apps.pools import revisions, selectors, services
from apps.pools.kinds import PoolKind
from apps.pools.models import Pool
from apps.pools.observing import mine, owned_resources, pods_of
from apps.pools.selecting import selected

_OBJECT = {"type": "object"}


class _TargetBody(Spec):
    """One wanted replica target."""

    variant: Name
    desired: Annotated[int, Field(ge=0, le=1000)]
    reason: Annotated[str, StringConstraints(max_length=500)] = ""


class _TargetsBody(Spec):
    """What PUT …/targets takes."""

    items: Annotated[list[_TargetBody], Field(min_length=1, max_length=16)]


class PoolView(ApiView):
    """A part of one pool. Raises Missing for those who may not see it."""

    def pool(self, request: Request, team: str, name: str, *, write: bool = False) -> Pool:
        (access.require_write if write else access.require_read)(actor_of(request), team)
        pool: Pool | None = Pool.objects.named(team, name).first()
        if pool is None:
            raise writes.missing(PoolKind(), team, name)
        return pool


class TargetsView(PoolView):
    """Replica targets: what somebody wants within the declared bounds. No part of the declaration, so no revision."""

    @extend_schema(
        operation_id="pools_targets", summary="Replica targets", responses={200: _OBJECT, **problem_responses(404)}
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        return answer(_targets(self.pool(request, team, name)))

    @extend_schema(
        operation_id="pools_set_targets",
        summary="Set replica targets of some variants",
        parameters=[DRY_RUN, REASON],
        request={"application/json": _OBJECT},
        responses={200: _OBJECT, **problem_responses(400, 403, 404, 409, 412, 422)},
    )
    def put(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name, write=True)
        # a target does not touch the declaration: a version may be named, but need not
        sent = etags(request)
        if sent and "*" not in sent and pool.etag not in sent:
            raise Stale(f"{pool.key} is at {pool.etag} now: read it again.", headers={"ETag": pool.etag})
        body = _TargetsBody.from_document(only_document(request).value, at="")
        who = by(request)
        wanted = [
            services.Wanted(row.variant, row.desired, source="person", reason=row.reason or who.reason)
            for row in body.items
        ]
        dry_run = flag(request, "dry_run")
        became = services.set_replica_targets(
            pool=pool, wanted=wanted, actor=who.actor.id, request_id=who.request_id, dry_run=dry_run
        )
        held = _targets(pool)
        if dry_run:
            held["items"] = [{**item, "desired": became[item["variant"]]} for item in held["items"]]
        return answer(held)


def _targets(pool: Pool) -> dict[str, Any]:
    targets = selectors.replica_targets(pool)
    items = []
    for variant in selectors.spec_of(pool).variants:
        target = targets.get(variant.name)
        items.append(
            {
                "variant": variant.name,
                "desired": selectors.effective_replicas(variant, target),
                "asleep": selectors.asleep_wanted(target),
                "min": variant.replicas.min,
                "max": variant.replicas.max,
                "source": target.source if target else "default",
                "reason": (target.reason or None) if target else None,
                "updatedAt": format_time(target.updated_at) if target else None,
            }
        )
    return {"items": items, "next": None}


class RevisionsView(PoolView):
    """Accepted specs of a pool, newest first."""

    @extend_schema(
        operation_id="pools_revisions",
        summary="Revisions of a pool, newest first",
        parameters=[LIMIT, CURSOR],
        responses={200: _OBJECT, **problem_responses(404)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name)
        limit = limit_of(request, default=20, most=100)
        rows = pool.revisions.order_by("-generation")
        if cursor := request.query_params.get("cursor"):
            rows = rows.filter(generation__lt=decode_cursor(cursor, int)[0])
        found = list(rows[: limit + 1])
        items = revisions.representations(found[:limit])
        more = len(found) > limit
        return answer({"items": items, "next": encode_cursor(items[-1]["generation"]) if more else None})


class RevisionDiffView(PoolView):
    """What changed between two generations."""

    @extend_schema(
        operation_id="pools_revisions_diff",
        summary="Changes of the spec, and of the objects that it renders to, from one revision to another",
        responses={200: _OBJECT, **problem_responses(404)},
    )
    def get(self, request: Request, team: str, name: str, before: int, after: int) -> Response:
        return answer(revisions.compare(self.pool(request, team, name), before, after))


class RollbackView(PoolView):
    """A new generation with the spec of an old one."""

    @extend_schema(
        operation_id="pools_rollback",
        summary="Declare the spec of an old generation anew",
        parameters=[IF_MATCH, DRY_RUN, REASON],
        request=None,
        responses={200: _OBJECT, **problem_responses(403, 404, 409, 412, 422, 428)},
    )
    def post(self, request: Request, team: str, name: str, generation: int) -> Response:
        pool = self.pool(request, team, name, write=True)
        written = revisions.roll_back(
            pool, generation, by=by(request), etags=etags(request), dry_run=flag(request, "dry_run")
        )
        return answer(full(written.obj), etag=written.obj.etag)


class ReplicasView(PoolView):
    """Pods of a pool, read from its cluster now."""

    @extend_schema(
        operation_id="pools_replicas",
        summary="Pods of a pool with phase, readiness, node, restarts and the reason why not ready",
        responses={200: _OBJECT, **problem_responses(404, 502)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name)
        try:
            pods = pods_of(_kube(pool), pool)
        except KubeError as error:
            raise ClusterAway(f"The pods of {pool.key} cannot be read: {error}.") from error
        return answer({"items": [pod.to_json() for pod in pods], "next": None})


class ObjectsView(PoolView):
    """Kubernetes objects that a pool owns, read from its cluster now."""

    @extend_schema(
        operation_id="pools_objects",
        summary="Kubernetes objects of a pool",
        responses={200: _OBJECT, **problem_responses(404, 502)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name)
        try:
            kube = _kube(pool)
            live = [obj for r in owned_resources(kube) for obj in kube.list(r, pool.namespace, labels=mine(pool))]
        except KubeError as error:
            raise ClusterAway(f"The objects of {pool.key} cannot be read: {error}.") from error
        items = [
            {
                "apiVersion": obj["apiVersion"],
                "kind": obj["kind"],
                "name": obj["metadata"]["name"],
                "namespace": obj["metadata"].get("namespace"),
                "uid": obj["metadata"]["uid"],
                "generation": obj["metadata"].get("labels", {}).get("lamplight.dev/generation"),
                "createdAt": obj["metadata"].get("creationTimestamp"),
                "deletionRequestedAt": obj["metadata"].get("deletionTimestamp"),
            }
            for obj in live
        ]
        return answer({"items": sorted(items, key=lambda item: (item["kind"], item["name"])), "next": None})


class SelectedView(PoolView):
    """Which pods the pool's InferencePool selects in its cluster now, and which of them it should not."""

    @extend_schema(
        operation_id="pools_selected",
        summary="Pods that the pool's InferencePool catches, those that should not be there first",
        responses={200: _OBJECT, **problem_responses(404, 502)},
    )
    def get(self, request: Request, team: str, name: str) -> Response:
        pool = self.pool(request, team, name)
        try:
            return answer(selected(_kube(pool), pool).to_json())
        except KubeError as error:
            raise ClusterAway(f"The pods of {pool.key} cannot be read: {error}.") from error


def _kube(pool: Pool) -> Any:
    cluster = selectors.cluster_of(pool)
    if cluster is None:
        raise ClusterAway(f"The cluster of {pool.key} is not declared any more.")
    return kube_for(cluster)
