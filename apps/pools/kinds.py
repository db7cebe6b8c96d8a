"""`Pool` as a kind of document."""

from __future__ import annotations

from typing import Any

from apps.catalog.domain.dialects import dialect
from apps.clusters.models import Cluster
from apps.clusters.selectors import spec_of as cluster_spec
from apps.core import clock
from apps.core.kinds import Accepted, CheckContext, KindHandler
from apps.core.writes import same_value
from apps.pools import selectors
from apps.pools.domain.sharing import Sharer, faults_of_group, shares
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.validation import faults_of, object_names, unknown_accelerators
from apps.pools.models import Pool, PoolRevision
from apps.reconcile import services as reconcile
from apps.reconcile.domain.priority import Priority


class PoolKind(KindHandler):
    """A deleted pool stays until its controller has removed everything that it owned in the cluster."""

    kind = "Pool"
    plural = "pools"
    singular = "pool"
    model = Pool
    spec_model = PoolSpec
    references = ("Model", "Cluster")
    immutable = ("/cluster", "/namespace")

    def check(self, context: CheckContext) -> None:
        spec: PoolSpec = context.spec
        model = context.require("Model", spec.model, "/spec/model")
        cluster = self._cluster(context)
        context.faults += unknown_accelerators(spec, selectors.accelerators())
        offers = selectors.offers(cluster) if cluster is not None else None
        context.faults += faults_of(
            context.name,
            spec,
            selectors.shape_of(model),
            offers,
            model=selectors.model_facts(model) if model is not None else None,
            dialect=dialect(spec.dialect or cluster_spec(cluster).dialect) if cluster is not None else None,
        )
        if cluster is not None:
            self._check_place(context, cluster)
            self._check_group(context, cluster)

    def _check_group(self, context: CheckContext, cluster: Cluster) -> None:
        spec: PoolSpec = context.spec
        if not shares(spec):
            return
        others = selectors.sharers(cluster, context.team, spec, but=context.before)
        hosts = selectors.hosts_of(cluster, spec.variants[0].accelerator)
        for at, sentence in faults_of_group(Sharer(context.name, spec), others, hosts):
            context.refuse(at, sentence)

    def _cluster(self, context: CheckContext) -> Cluster | None:
        if isinstance(context.before, Pool):
            return selectors.cluster_of(context.before)
        found: Cluster | None = context.require("Cluster", context.spec.cluster, "/spec/cluster")
        return found

    def _check_place(self, context: CheckContext, cluster: Cluster) -> None:
        spec: PoolSpec = context.spec
        allowed = cluster_spec(cluster).namespaces
        if allowed and spec.namespace not in allowed:
            context.refuse(
                "/spec/namespace",
                f"cluster {cluster.name} has no room for pools in namespace {spec.namespace}; "
                f"they may live in {', '.join(allowed)}",
            )
        names = object_names(context.name, [variant.name for variant in spec.variants], spec.autoscaling.sets)
        found = selectors.holder_of(names, cluster, spec.namespace, but=context.before)
        if found is not None:
            other, name = found
            whose = other.name if other.team == context.team else "of another team"
            context.refuse(
                "/metadata/name",
                f"pool {whose} has an object named {name} in namespace {spec.namespace} of this cluster: "
                "choose another name or namespace",
            )

    def accepted(self, change: Accepted) -> None:
        pool: Pool = change.obj
        if change.verb == "created":
            cluster = selectors.cluster_named(pool.team, change.spec.cluster)
            pool.cluster_uid, pool.namespace = cluster.uid, change.spec.namespace
            Pool.objects.filter(uid=pool.uid).update(cluster_uid=pool.cluster_uid, namespace=pool.namespace)
        if change.spec_changed:
            now = clock.now()
            PoolRevision.objects.create(
                pool=pool,
                generation=pool.generation,
                spec=pool.spec,
                accepted_at=now,
                actor=change.actor.id,
                reason=change.reason,
                approved_at=now if self._goes_live(pool, change.spec) else None,
            )
            pool.plans.filter(origin="approval", state="open").update(state="superseded")
        reconcile.enqueue(kind=self.kind, uid=pool.uid, priority=Priority.PERSON, shard=str(pool.cluster_uid))

    def _goes_live(self, pool: Pool, spec: PoolSpec) -> bool:
        """Whether a spec needs no approval: the policy of the one that is live decides, so that none lifts its own."""
        live = selectors.approved_revision(pool)
        if live is None:
            return spec.policies.apply == "automatic"
        held = PoolSpec.from_document(live.spec)
        return held.policies.apply == "automatic" or same_value(live.spec, pool.spec)

    def request_deletion(self, obj: Any) -> bool:
        return False
