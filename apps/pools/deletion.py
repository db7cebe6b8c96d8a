"""Taking a pool out of its cluster, in order: routing, engines, the rest, and last the row. Foreign objects stay."""

from __future__ import annotations

from collections.abc import Iterable

from apps.clusters.errors import Conflict, KubeError, ServerFault, Throttled, Unreachable
from apps.clusters.kube import Kube
from apps.core import services as documents
from apps.pools.actions import delete_object
from apps.pools.domain.health import Health, Sync
from apps.pools.domain.manifests import Manifest
from apps.pools.domain.picker import COMPONENT_PICKER
from apps.pools.domain.plan import removal_stage
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.weights import left_behind
from apps.pools.models import Pool
from apps.pools.observing import Observed, mine, observe
from apps.pools.recording import Report, record
from apps.pools.sharing import forget_claim
from apps.pools.telling import deletion_waits
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
    message = f"removing {_STAGES[stage]}; {left} of the pool's objects and pods are left{_held(observed)}"
    if read_only:
        message = f"the cluster is declared readOnly, so nothing is deleted; {left} objects are left there"
    engines_going = stage == 2 and any(pod.variant for pod in observed.pods)
    stuck = read_only or engines_going
    goes = [obj for obj in observed.live if not stuck and _may_go(obj, stage)]
    refused = _delete(kube, goes, reconcile.Fence(lease))
    if refused:
        said = deletion_waits(pool, next(iter(refused.values())), list(refused), left - len(goes) + len(refused))
        record(lease, pool, going(said))
        return Retry(said.message)
    record(lease, pool, going(Sync("OutOfSync", "Deleting", message)))
    return Retry(message) if read_only else Done(requeue_after=LOOK_AGAIN_SECONDS, priority=Priority.PERSON)


def _may_go(obj: Manifest, stage: int) -> bool:
    return removal_stage(obj, COMPONENT_PICKER) == stage and not obj["metadata"].get("deletionTimestamp")


def going(sync: Sync) -> Report:
    """The report of a pool on its way out: whether it serves is no question any more."""
    return Report(sync, Health("Unknown" if sync.state == "Unknown" else "Progressing", "Deleting", sync.message))


def _delete(kube: Kube, objects: Iterable[Manifest], fence: reconcile.Fence) -> dict[str, KubeError]:
    """Delete objects, and return what the cluster would not let go: one that stays keeps no other waiting.

    Raises KubeError where trying again by itself helps.
    """
    refused: dict[str, KubeError] = {}
    for obj in objects:
        try:
            delete_object(kube, obj, fence)
        except (Unreachable, Throttled, ServerFault, Conflict):
            raise
        except KubeError as error:
            refused[f"{obj['kind']} {obj['metadata']['name']}"] = error
    return refused


# what the cluster's own collector puts on and takes off
_ITS_OWN = frozenset({"foregroundDeletion", "orphan"})


def _held(observed: Observed) -> str:
    """Which of the objects that are on their way out wait for somebody's finalizer, as the end of a sentence."""
    held = []
    for obj in observed.live:
        finalizers = [name for name in obj["metadata"].get("finalizers") or [] if name not in _ITS_OWN]
        if finalizers and obj["metadata"].get("deletionTimestamp"):
            which = "finalizer" if len(finalizers) == 1 else "finalizers"
            held.append(f"{obj['kind']} {obj['metadata']['name']} waits for its {which} {', '.join(finalizers)}")
    return "".join(f"; {words}" for words in held[:5])


def _left(kube: Kube, pool: Pool, observed: Observed) -> int:
    """Objects of the pool that are still there, with those that the cluster's own controllers made for it."""
    replica_sets = kube.list(kube.resource("ReplicaSet", "apps"), pool.namespace, labels=mine(pool))
    return len(observed.live) + len(observed.pods) + len(replica_sets)
