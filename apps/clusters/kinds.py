"""`Cluster` as a kind of document."""

from __future__ import annotations

from apps.clusters.domain.spec import ClusterSpec
from apps.clusters.models import Cluster
from apps.clusters.selectors import SHARD
from apps.core.domain.access import SHARED_TEAM
from apps.core.kinds import Accepted, CheckContext, KindHandler
from apps.reconcile import services as reconcile
from apps.reconcile.domain.priority import Priority


class ClusterKind(KindHandler):
    """A cluster that no pool uses holds nothing of ours: deleting the document deletes nothing there."""

    kind = "Cluster"
    plural = "clusters"
    singular = "cluster"
    model = Cluster
    spec_model = ClusterSpec

    def check(self, context: CheckContext) -> None:
        # a kubeconfig is a file of the machines that run Lamplight: naming one is using its rights
        if not context.actor.may_administer(SHARED_TEAM):
            context.refuse(
                "/spec/credentials",
                f"only an admin of team {SHARED_TEAM} may declare clusters, because credentials are files of the "
                "machines that run Lamplight: ask one of them",
            )

    def accepted(self, change: Accepted) -> None:
        if change.verb in ("created", "updated"):
            limits = change.spec.limits
            reconcile.limit_shard(str(change.obj.uid), limits.concurrency)
            reconcile.enqueue(kind=self.kind, uid=change.obj.uid, priority=Priority.PERSON, shard=SHARD)
