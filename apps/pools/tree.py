"""Reading what a pool's people look into: its object tree with events, and the logs of its containers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.clusters.errors import Invalid as RefusedByCluster
from apps.clusters.errors import KubeError, NotFound
from apps.clusters.kube import Kube
from apps.clusters.models import Cluster
from apps.core.domain.conditions import find_condition, format_time, read_conditions
from apps.core.domain.refusals import Clash, Missing
from apps.pools import selectors
from apps.pools.desired import desired_of, gather
from apps.pools.domain import tree
from apps.pools.domain.manifests import POOL_UID, Manifest, PlanRefused
from apps.pools.domain.plan import plan
from apps.pools.models import Pool
from apps.pools.observing import OWNED_KINDS, everything

MOST_LINES = 2000
MOST_LOG_BYTES = 256 * 1024
_EVENT_PAGES = 4


def object_tree(kube: Kube, pool: Pool, cluster: Cluster) -> dict[str, Any]:
    """The tree as JSON (docs/api/rollouts-and-tree.md). Raises KubeError."""
    objects, cached = everything(kube, pool)
    grown = tree.build(_root(pool), objects, _standing(kube, pool, cluster, objects))
    try:
        reported = kube.list(kube.resource("Event"), pool.namespace, most_pages=_EVENT_PAGES)
    except KubeError:
        reported = []  # the right to read events is often not given: the tree is worth having without
    events, more = tree.events_of(grown, reported)
    return {
        "items": [node.to_json() for node in grown.nodes],
        "events": [event.to_json() for event in events],
        "truncated": grown.truncated or more,
        "cached": cached,
        "next": None,
    }


def _root(pool: Pool) -> tree.Node:
    ready = find_condition(read_conditions(pool.conditions), "Ready")
    return tree.Node(
        id="pool",
        parent=None,
        depth=0,
        kind="Pool",
        name=pool.name,
        health=pool.status.get("health", "Unknown"),
        sync=pool.status.get("sync", "Unknown"),
        reason=ready.reason if ready else "NotSeen",
        message=ready.message if ready else "nobody has looked yet",
        created_at=format_time(pool.created_at),
    )


def _standing(kube: Kube, pool: Pool, cluster: Cluster, objects: list[Manifest]) -> tree.Standing:
    owned = [obj for obj in objects if f"{obj['kind']}.{obj['apiVersion'].rpartition('/')[0]}" in OWNED_KINDS]
    try:
        desired = desired_of(gather(pool, selectors.spec_of(pool), cluster), kube.resources())
    except PlanRefused:
        return tree.Standing(None)
    todo = plan(desired.objects, owned)
    sync = {tree.id_of(obj): "Synced" for obj in owned}
    sync |= {tree.id_of(obj): "OutOfSync" for obj in todo.orphans}
    for write in todo.writes:
        sync[tree.id_of(write.manifest)] = "Missing" if write.why == "create" else "OutOfSync"
    return tree.Standing(sync)


@dataclass(frozen=True)
class LogTail:
    """The newest lines of a container's log, oldest first."""

    pod: str
    container: str
    containers: tuple[str, ...]
    previous: bool
    lines: tuple[str, ...]
    truncated: bool

    def to_json(self) -> dict[str, Any]:
        return {
            "pod": self.pod,
            "container": self.container,
            "containers": list(self.containers),
            "previous": self.previous,
            "lines": list(self.lines),
            "truncated": self.truncated,
        }


def log_tail(kube: Kube, pool: Pool, pod: str, *, container: str, lines: int, previous: bool) -> LogTail:
    """The end of a log. `container` "": the pod's first. Raises Missing, Clash, KubeError."""
    absent = Missing(f"{pool.key} has no pod named {pod} now: `lamp tree pool {pool.name}` lists them.")
    try:
        found = kube.get(kube.resource("Pod"), pod, pool.namespace)
    except NotFound:
        raise absent from None
    if (found["metadata"].get("labels") or {}).get(POOL_UID) != str(pool.uid):
        raise absent
    spec = found["spec"]
    names = tuple(row["name"] for row in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])])
    if container and container not in names:
        raise Missing(f"Pod {pod} has no container {container}; it has {', '.join(names)}.")
    wanted = container or names[0]
    try:
        text = kube.log_tail(pod, pool.namespace, wanted, lines=lines, previous=previous, most_bytes=MOST_LOG_BYTES)
    except (RefusedByCluster, NotFound) as error:
        # it has not started yet, or there was no run before this one: the cluster says which
        raise Clash(str(error).partition(": ")[2] or str(error)) from error
    said = text.splitlines()
    return LogTail(pod, wanted, names, previous, tuple(said[-lines:]), len(text) >= MOST_LOG_BYTES)
