"""What a pool has in its cluster: from the informers' cache while it is in sync, else read in one list per kind.

What comes from the cache may be a moment old. It is good for comparing and telling; whatever takes something away
(a delete, a scale) names the version that it was decided on, and reads live when that is not the newest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from apps.clusters import cache
from apps.clusters.kube import Kube, Resource
from apps.pools.domain.engines import COMPONENT_ENGINE
from apps.pools.domain.manifests import COMPONENT, POOL_UID, VARIANT, WORKLOADS, Manifest
from apps.pools.domain.picker import COMPONENT_PICKER
from apps.pools.domain.pods import Replica, read_pod
from apps.pools.models import Pool

# kinds that a pool's rendering may contain, by `Kind.group`; those that the cluster lacks are skipped
OWNED_KINDS = (
    "Service.",
    "ServiceAccount.",
    "ConfigMap.",
    "Deployment.apps",
    "PodDisruptionBudget.policy",
    "Role.rbac.authorization.k8s.io",
    "RoleBinding.rbac.authorization.k8s.io",
    "InferencePool.inference.networking.k8s.io",
    "HTTPRoute.gateway.networking.k8s.io",
    "PodMonitor.monitoring.coreos.com",
    "PrometheusRule.monitoring.coreos.com",
    "PersistentVolumeClaim.",
    "Job.batch",
    "HorizontalPodAutoscaler.autoscaling",
    "ScaledObject.keda.sh",
    "ResourceClaimTemplate.resource.k8s.io",
    "ComputeDomain.resource.nvidia.com",
    "LeaderWorkerSet.leaderworkerset.x-k8s.io",
    "InferenceObjective.llm-d.ai",
    "InferenceModelRewrite.llm-d.ai",
    "InferenceObjective.inference.networking.x-k8s.io",
    "InferenceModelRewrite.inference.networking.x-k8s.io",
)


# what the informers watch: the above, and what the cluster's own controllers make of them
WATCHED_KINDS = (*OWNED_KINDS, "ReplicaSet.apps", "Pod.")


@dataclass(frozen=True)
class Observed:
    """`live`: the pool's objects; `pods`: its pods, sorted by name; `replica_sets`: what Deployments made of them.

    `cached`: read from the informers' cache.
    """

    live: list[Manifest]
    pods: list[Replica]
    replica_sets: tuple[Manifest, ...] = ()
    cached: bool = False

    def engine_deployments(self) -> dict[str, Manifest]:
        """What makes the engines of each variant: a Deployment, or a LeaderWorkerSet."""
        return {
            obj["metadata"]["labels"][VARIANT]: obj
            for obj in self.live
            if obj["kind"] in WORKLOADS
            and obj["metadata"]["labels"].get(COMPONENT) == COMPONENT_ENGINE
            and VARIANT in obj["metadata"]["labels"]
        }

    def picker(self) -> Manifest | None:
        return next(
            (
                obj
                for obj in self.live
                if obj["kind"] == "Deployment" and obj["metadata"]["labels"].get(COMPONENT) == COMPONENT_PICKER
            ),
            None,
        )

    def object(self, kind: str, name: str) -> Manifest | None:
        return next((obj for obj in self.live if obj["kind"] == kind and obj["metadata"]["name"] == name), None)


def observe(kube: Kube, pool: Pool) -> Observed:
    """Read the pool's objects and pods. Raises KubeError."""
    return sorted_out(*everything(kube, pool))


def observe_cached(kube: Kube, cluster: UUID, pools: Iterable[Pool]) -> dict[UUID, Observed]:
    """What the cache has of pools of a cluster, by uid; nothing while it is not in sync. Raises KubeError."""
    present = kube.resources()
    kinds = [kind for kind in WATCHED_KINDS if kind in present]
    held = cache.read_several(cluster, {pool.uid: pool.namespace for pool in pools}, kinds)
    return {uid: sorted_out(objects, True) for uid, objects in held.items() if objects is not None}


def sorted_out(objects: list[Manifest], cached: bool) -> Observed:
    sets = tuple(obj for obj in objects if obj["kind"] == "ReplicaSet")
    live = [obj for obj in objects if obj["kind"] not in ("Pod", "ReplicaSet")]
    return Observed(live, _replicas(objects), sets, cached)


def everything(kube: Kube, pool: Pool) -> tuple[list[Manifest], bool]:
    """All that carries the pool's uid, down to ReplicaSets and pods; whether it was read from the cache.

    Raises KubeError.
    """
    present = kube.resources()
    kinds = [kind for kind in WATCHED_KINDS if kind in present]
    held = cache.read(pool.cluster_uid, pool.uid, kinds, pool.namespace) if pool.cluster_uid else None
    if held is not None:
        return held, True
    return [obj for kind in kinds for obj in kube.list(present[kind], pool.namespace, labels=mine(pool))], False


def pods_of(kube: Kube, pool: Pool) -> list[Replica]:
    """The pool's pods (engines and picker), sorted by name. Raises KubeError."""
    return _replicas(kube.list(kube.resource("Pod"), pool.namespace, labels=mine(pool)))


def _replicas(objects: Iterable[Manifest]) -> list[Replica]:
    return sorted((read_pod(obj) for obj in objects if obj["kind"] == "Pod"), key=lambda replica: replica.name)


def mine(pool: Pool) -> dict[str, str]:
    return {POOL_UID: str(pool.uid)}


def owned_resources(kube: Kube) -> list[Resource]:
    present = kube.resources()
    return [present[kind] for kind in OWNED_KINDS if kind in present]
