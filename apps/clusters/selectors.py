"""Reads of the clusters room."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import orjson

from apps.clusters import answers
from apps.clusters.domain.inventory import NodeAccelerators, count
from apps.clusters.domain.spec import ClusterSpec
from apps.clusters.kube import Credentials, Kube, connect
from apps.clusters.models import Cluster
from apps.core.kinds import find_reference

# the looks at clusters share threads among themselves, and never hold up the keys of a cluster
SHARD = "clusters"


def spec_of(cluster: Cluster) -> ClusterSpec:
    stored = cluster.spec
    read: tuple[Any, ClusterSpec] | None = cluster.__dict__.get("_read_spec")
    # a document is never changed in its place: another spec is another one
    if read is None or read[0] is not stored:
        read = cluster.__dict__["_read_spec"] = (stored, _read(orjson.dumps(stored)))
    return read[1]


@functools.lru_cache(maxsize=256)
def _read(spec: bytes) -> ClusterSpec:
    return ClusterSpec.from_document(orjson.loads(spec))


def cluster_for(team: str, name: str) -> Cluster | None:
    """The cluster that `name` means in a team's documents: its own, else the shared team's."""
    return find_reference("Cluster", team, name)


def kube_for(cluster: Cluster) -> Kube:
    """The API client of a cluster, shared by the threads of this process; what it applies is in the cache at once.

    Raises BadCredentials.
    """
    return connect(str(cluster.uid), credentials_of(cluster), written=functools.partial(answers.put, cluster.uid))


def credentials_of(cluster: Cluster) -> Credentials:
    credentials = spec_of(cluster).credentials
    deadline = spec_of(cluster).limits.deadline.total_seconds()
    return Credentials(kubeconfig=credentials.kubeconfig, context=credentials.context, deadline=deadline)


def inventory(cluster: Cluster) -> list[NodeAccelerators]:
    """Accelerators by node, read from the cluster now. Raises KubeError."""
    kube = kube_for(cluster)
    nodes = kube.list(kube.resource("Node"))
    pods = kube.list(kube.resource("Pod"))
    claims = kube.resources().get("ResourceClaim.resource.k8s.io")
    return count(nodes, pods, kube.list(claims) if claims is not None else ())


def pods_of_pools(cluster: Cluster, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    """Pods with these labels wherever pools may live: one list, or one for each of the cluster's namespaces, since
    rights that end at these do not let the whole cluster be listed. Raises KubeError."""
    kube = kube_for(cluster)
    pod = kube.resource("Pod")
    return [found for place in spec_of(cluster).namespaces or (None,) for found in kube.list(pod, place, labels=labels)]


def queue_keys() -> Iterable[tuple[UUID, str]]:
    """Every cluster is looked at from time to time."""
    return [(uid, SHARD) for uid in Cluster.objects.values_list("uid", flat=True)]
