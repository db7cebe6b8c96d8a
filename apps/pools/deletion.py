"""Taking a pool out of its cluster, in order: routing, engines, the rest, and last the row. Foreign objects stay."""

from __future__ import annotations

from apps.clusters.kube import Kube
from apps.core import services as documents
from apps.pools.actions import delete_object
from apps.pools.domain.health import Health, Sync
from apps.pools.domain.picker import COMPONENT_PICKER
from apps.pools.domain.plan import removal_stage
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.weights import left_behind
from apps.pools.models import Pool
from apps.pools.observing import Observed, mine, observe
from apps.pools.recording import Report, record
from apps.pools.sharing import forget_claim
from apps.reconcile import services as reconcile
from apps.reconcile.domain.outcomes import Done, Outcome, Retry
from apps.reconcile.domain.priority import Priority
from apps.reconcile.queue import Lease

LOOK_AGAIN_SECONDS = 1.0
_STAGES = ("routing", "engines", "services and the rest")


def delete_pool(lease: Lease, pool: Pool, kube: Kube, *, read_only: bool) -> Outcome:
    """One step of a deletion. Raises KubeError."""
    observed = observe(kube, pool)
    left = _left(kube, pool, observed)
    if not left:
        if not read_only:
            forget_claim(kube, pool)
        stays = left_behind(PoolSpec.from_document(pool.spec), str(pool.uid))
        with reconcile.holding(lease, Pool):
            documents.finish_deletion(pool, reason=f"everything that it owned is gone from the cluster{stays}")
        return Done()
    stage = min(removal_stage(obj, COMPONENT_PICKER) for obj in observed.live) if observed.live else 1
    message = f"removing {_STAGES[stage]}; {left} of the pool's objects and pods are left"
    if read_only:
        message = f"the cluster is declared readOnly, so nothing is deleted; {left} objects are left there"
    record(lease, pool, Report(Sync("OutOfSync", "Deleting", message), Health("Progressing", "Deleting", message)))
    if read_only:
        return Retry(message)
    engines_going = stage == 2 and any(pod.variant for pod in observed.pods)
    if not engines_going:
        fence = reconcile.Fence(lease)
        for obj in observed.live:
            if removal_stage(obj, COMPONENT_PICKER) == stage and not obj["metadata"].get("deletionTimestamp"):
                delete_object(kube, obj, fence)
    return Done(requeue_after=LOOK_AGAIN_SECONDS, priority=Priority.PERSON)


def _left(kube: Kube, pool: Pool, observed: Observed) -> int:
    """Objects of the pool that are still there, with those that the cluster's own controllers made for it."""
    replica_sets = kube.list(kube.resource("ReplicaSet", "apps"), pool.namespace, labels=mine(pool))
    return len(observed.live) + len(observed.pods) + len(replica_sets)
