"""The object tree of a pool: pool, Deployment, ReplicaSet, pod, container, with health on each and events beside it.

Pods of a LeaderWorkerSet hang on it by group: leaders below the set, workers below their leader. What stands between
(StatefulSets of its controller) carries no label of ours and is not watched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.pools.domain.groups import GROUP_KIND, group_size, rolling
from apps.pools.domain.health import rolled_out, stuck
from apps.pools.domain.manifests import WORKLOADS, Manifest
from apps.pools.domain.pods import GROUP_LABELS, UNSCHEDULABLE, read_pod

MOST_NODES = 2000
MOST_EVENTS = 200
_FIRST = ("Deployment", "LeaderWorkerSet", "InferencePool", "HTTPRoute", "Service", "ConfigMap")


@dataclass(frozen=True)
class Node:
    """One object, or a container of a pod. `id` is `Kind/name`; `more` is what only its kind has."""

    id: str
    parent: str | None
    depth: int
    kind: str
    name: str
    health: str | None
    sync: str | None
    reason: str
    message: str
    created_at: str | None
    namespace: str | None = None
    uid: str | None = None
    more: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "parent": self.parent,
            "depth": self.depth,
            "kind": self.kind,
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.uid,
            "health": self.health,
            "sync": self.sync,
            "reason": self.reason or None,
            "message": self.message or None,
            "createdAt": self.created_at,
            **self.more,
        }


@dataclass(frozen=True)
class Standing:
    """How the rendered objects stand, by `Kind/name`: Synced, OutOfSync, or Missing (rendered, and not there).

    None where it cannot be told (the pool cannot be rendered).
    """

    sync: Mapping[str, str] | None


@dataclass(frozen=True)
class Tree:
    """Nodes in the order of an indented tree. `truncated`: there were more."""

    nodes: tuple[Node, ...]
    truncated: bool


def build(root: Node, objects: Sequence[Manifest], standing: Standing) -> Tree:
    """The tree below `root`. `objects`: everything of the pool as it is, plain dicts."""
    ids = {obj["metadata"]["uid"]: id_of(obj) for obj in objects}
    children: dict[str, list[Manifest]] = {}
    for obj in objects:
        owner = next((ids[o["uid"]] for o in obj["metadata"].get("ownerReferences") or [] if o["uid"] in ids), None)
        owner = owner or _of_group(obj, set(ids.values())) or root.id
        children.setdefault(owner, []).append(obj)
    nodes = [root]

    def grow(parent: Node) -> None:
        for obj in sorted(children.get(parent.id, []), key=_order):
            node = _node(obj, parent, standing)
            nodes.append(node)
            if obj["kind"] == "Pod":
                nodes.extend(_containers(obj, node))
            grow(node)

    grow(root)
    for name, state in sorted((standing.sync or {}).items()):
        if state == "Missing":
            kind, _, bare = name.partition("/")
            said = "declared, and not in the cluster"
            nodes.append(Node(name, root.id, 1, kind, bare, "Missing", "OutOfSync", "NotThere", said, None))
    return Tree(tuple(nodes[:MOST_NODES]), len(nodes) > MOST_NODES)


def _of_group(obj: Manifest, known: set[str]) -> str | None:
    """Where a pod of a LeaderWorkerSet belongs, by the labels that its controller puts on it."""
    labels = obj["metadata"].get("labels") or {}
    name, index = labels.get(f"{GROUP_LABELS}/name"), labels.get(f"{GROUP_LABELS}/group-index")
    if obj["kind"] != "Pod" or name is None:
        return None
    leader, whole = f"Pod/{name}-{index}", f"{GROUP_KIND}/{name}"
    worker = labels.get(f"{GROUP_LABELS}/worker-index", "0") != "0"
    return leader if worker and leader in known else whole if whole in known else None


def id_of(obj: Mapping[str, Any]) -> str:
    return f"{obj['kind']}/{obj['metadata']['name']}"


def _order(obj: Manifest) -> tuple[int, int, str]:
    kind = obj["kind"]
    # the newest ReplicaSet first
    return (_FIRST.index(kind) if kind in _FIRST else len(_FIRST), -_revision(obj), id_of(obj))


def _revision(obj: Manifest) -> int:
    text = (obj["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision", "0")
    return int(text) if str(text).isdecimal() else 0


def _node(obj: Manifest, parent: Node, standing: Standing) -> Node:
    metadata = obj["metadata"]
    health, reason, message, more = _state(obj)
    if metadata.get("deletionTimestamp"):
        reason, message = "Deleting", message or "it is being deleted"
    sync = (standing.sync or {}).get(id_of(obj)) if parent.depth == 0 else None
    return Node(
        id=id_of(obj),
        parent=parent.id,
        depth=parent.depth + 1,
        kind=obj["kind"],
        name=metadata["name"],
        health=health,
        sync=sync,
        reason=reason,
        message=message,
        created_at=metadata.get("creationTimestamp"),
        namespace=metadata.get("namespace"),
        uid=metadata["uid"],
        more={"apiVersion": obj["apiVersion"], **more},
    )


def _state(obj: Manifest) -> tuple[str | None, str, str, dict[str, Any]]:
    """Health, reason, message, and what only this kind has."""
    kind, spec, status = obj["kind"], obj.get("spec") or {}, obj.get("status") or {}
    if kind in WORKLOADS:
        desired, ready = int(spec.get("replicas", 1)), int(status.get("readyReplicas") or 0)
        counts = {"desired": desired, "ready": ready, "updated": int(status.get("updatedReplicas") or 0)}
        more = {"replicas": counts, "paused": bool(spec.get("paused") or rolling(obj).get("partition"))}
        late = stuck(obj)
        if late is not None:
            return "Degraded", "ProgressDeadlineExceeded", late, more
        what = f" groups of {group_size(obj)} pods" if kind == GROUP_KIND else ""
        said = f"{ready} of {desired}{what} ready, {counts['updated']} of the newest spec"
        if not rolled_out(obj, desired):
            return "Progressing", "RollingOut", said, more
        return ("Healthy" if desired else "Suspended"), "", said, more
    if kind == "ReplicaSet":
        desired, ready = int(spec.get("replicas") or 0), int(status.get("readyReplicas") or 0)
        more = {"replicas": {"desired": desired, "ready": ready}, "revision": _revision(obj)}
        state = "Suspended" if not desired else "Healthy" if ready >= desired else "Progressing"
        return state, "", f"{ready} of {desired} ready" if desired else "of an older spec: no replicas", more
    if kind == "Pod":
        pod = read_pod(obj)
        more = {"phase": pod.phase, "node": pod.node, "ip": pod.ip, "restarts": pod.restarts}
        state = "Healthy" if pod.ready else "Degraded" if pod.bad else "Progressing"
        if pod.terminating:
            state = "Progressing"
        waits = "waiting for room" if pod.reason == UNSCHEDULABLE else ""
        if pod.scheduler:
            waits = f"no scheduler has looked at it yet ({pod.scheduler})"
        return state, pod.reason, pod.message or waits, more
    return None, "", "", {}


def _containers(pod: Manifest, parent: Node) -> Iterable[Node]:
    statuses: dict[str, Mapping[str, Any]] = {
        row["name"]: row
        for name in ("initContainerStatuses", "containerStatuses")
        for row in (pod.get("status") or {}).get(name) or []
    }
    spec = pod.get("spec") or {}
    for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]:
        name = container["name"]
        row: Mapping[str, Any] = statuses.get(name) or {}
        states: Mapping[str, Mapping[str, Any]] = row.get("state") or {"waiting": {}}
        state, detail = next(iter(states.items()))
        message = str(detail.get("message") or "")
        if state == "terminated":
            message = f"it ended with exit code {detail.get('exitCode')}" + (f": {message}" if message else "")
        done = state == "terminated" and detail.get("exitCode") == 0
        good = bool(row.get("ready")) or done
        yield Node(
            id=f"Container/{parent.name}/{name}",
            parent=parent.id,
            depth=parent.depth + 1,
            kind="Container",
            name=name,
            health="Healthy" if good else "Degraded" if state == "terminated" else "Progressing",
            sync=None,
            reason=str(detail.get("reason") or ""),
            message=message[:1000],
            created_at=detail.get("startedAt"),
            namespace=parent.namespace,
            more={"image": container.get("image"), "state": state, "restarts": int(row.get("restartCount") or 0)},
        )


@dataclass(frozen=True)
class TreeEvent:
    """What the cluster reported about an object of the tree."""

    about: str
    type: str
    reason: str
    message: str
    count: int
    first_at: str | None
    last_at: str | None

    def to_json(self) -> dict[str, Any]:
        return {
            "about": self.about,
            "type": self.type,
            "reason": self.reason,
            "message": self.message,
            "count": self.count,
            "firstAt": self.first_at,
            "lastAt": self.last_at,
        }


def events_of(tree: Tree, events: Iterable[Mapping[str, Any]]) -> tuple[list[TreeEvent], bool]:
    """Events about the tree's objects, newest first, and whether there were more. `events`: core/v1, plain dicts."""
    by_uid = {node.uid: node.id for node in tree.nodes if node.uid}
    found = []
    for event in events:
        about = by_uid.get(str((event.get("involvedObject") or {}).get("uid")))
        if about is None:
            continue
        last = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"].get("creationTimestamp")
        found.append(
            TreeEvent(
                about=about,
                type=str(event.get("type") or "Normal"),
                reason=str(event.get("reason") or ""),
                message=str(event.get("message") or "")[:2000],
                count=int(event.get("count") or (event.get("series") or {}).get("count") or 1),
                first_at=event.get("firstTimestamp") or event.get("eventTime") or last,
                last_at=last,
            )
        )
    found.sort(key=lambda event: event.last_at or "", reverse=True)
    return found[:MOST_EVENTS], len(found) > MOST_EVENTS
