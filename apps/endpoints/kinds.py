"""`Endpoint` as a kind of document."""

from __future__ import annotations

from typing import Any

from apps.clusters.models import Cluster
from apps.clusters.selectors import spec_of as cluster_spec
from apps.core.domain.conditions import Condition
from apps.core.kinds import Accepted, CheckContext, KindHandler
from apps.core.models import DeclaredObject
from apps.core.status import put_condition
from apps.endpoints import selectors
from apps.endpoints.domain.spec import EndpointSpec
from apps.endpoints.models import Endpoint
from apps.pools.selectors import cluster_named, holder_of
from apps.reconcile import services as reconcile
from apps.reconcile.domain.priority import Priority


class EndpointKind(KindHandler):
    """A deleted endpoint stays until its controller has removed its objects."""

    kind = "Endpoint"
    plural = "endpoints"
    singular = "endpoint"
    model = Endpoint
    spec_model = EndpointSpec
    references = ("Cluster", "Pool")
    immutable = ("/cluster", "/namespace")

    def check(self, context: CheckContext) -> None:
        spec: EndpointSpec = context.spec
        cluster: Cluster | None = context.require("Cluster", spec.cluster, "/spec/cluster")
        if cluster is not None:
            allowed = cluster_spec(cluster).namespaces
            if allowed and spec.namespace not in allowed:
                context.refuse(
                    "/spec/namespace",
                    f"cluster {cluster.name} has no room for endpoints in namespace {spec.namespace}; they may live in "
                    f"{', '.join(allowed)}",
                )
        for i, model in enumerate(spec.models):
            for k, backend in enumerate(model.backends):
                self._check_pool(context, backend.pool, f"/spec/models/{i}/backends/{k}/pool", cluster)
            for k, name in enumerate(model.failover):
                self._check_pool(context, name, f"/spec/models/{i}/failover/{k}", cluster)
        if cluster is not None:
            self._check_names(context, cluster)

    def _check_pool(self, context: CheckContext, name: str, at: str, cluster: Cluster | None) -> None:
        pool = context.require("Pool", name, at)
        if pool is None:
            return
        if pool.team != context.team:
            context.refuse(at, f"pool {name} is of team {pool.team}: an endpoint stands in the team of its pools")
            return
        if cluster is None or context.spec.gateway is None:
            return
        if (pool.cluster_uid, pool.namespace) != (cluster.uid, context.spec.namespace):
            context.refuse(
                at,
                f"pool {name} lives in namespace {pool.namespace} of another place than the endpoint, where a route of "
                "a Gateway does not reach: leave gateway out, or declare both in one namespace of one cluster",
            )

    def _check_names(self, context: CheckContext, cluster: Cluster) -> None:
        mine = frozenset({context.name, f"{context.name}-gw"})
        found = holder_of(mine, cluster, context.spec.namespace)
        if found is not None:
            context.refuse(
                "/metadata/name",
                f"a pool has an object named {found[1]} in namespace {context.spec.namespace}: give the endpoint "
                "another name",
            )

    def accepted(self, change: Accepted) -> None:
        endpoint: Endpoint = change.obj
        if change.verb == "created":
            cluster = cluster_named(endpoint.team, change.spec.cluster)
            endpoint.cluster_uid, endpoint.namespace = cluster.uid, change.spec.namespace
            Endpoint.objects.filter(uid=endpoint.uid).update(
                cluster_uid=endpoint.cluster_uid, namespace=endpoint.namespace
            )
            sentence = "Accepted; its cluster is asked next."
            put_condition(endpoint, Condition("Ready", "False", "Pending", sentence, endpoint.generation))
        reconcile.enqueue(kind=self.kind, uid=endpoint.uid, priority=Priority.PERSON, shard=str(endpoint.cluster_uid))

    def request_deletion(self, obj: Any) -> bool:
        return False


def pool_changed(change: Accepted) -> list[DeclaredObject]:
    """Watcher of pools: endpoints that name one look again. None of them changes by that alone."""
    for endpoint in selectors.naming(change.obj):
        reconcile.enqueue(kind="Endpoint", uid=endpoint.uid, priority=Priority.DRIFT, shard=str(endpoint.cluster_uid))
    return []
