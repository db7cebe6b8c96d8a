"""LeaderWorkerSets: which pods are to come and go so that there are as many whole groups as declared, and the status.

A group is a leader (worker 0) and its workers. It starts as one and, with restartPolicy RecreateGroupOnPodRestart, dies
as one. Unlike the real controller's, pods are made without StatefulSets between: the set owns leaders, a leader its
workers, and older templates are not kept, so that a group which dies below `partition` comes back with the newest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from apps.embedded.controllers.domain.rollout import spec_replicas
from apps.embedded.controllers.domain.template_hash import template_hash
from apps.embedded.domain.objects import (
    Object,
    controller_reference,
    find_condition,
    is_controlled_by,
    is_deleting,
    rfc3339,
    scaled_value,
)
from apps.embedded.domain.pods import is_ready, is_terminal, restart_count

GROUP, VERSION, KIND, PLURAL = "leaderworkerset.x-k8s.io", "v1", "LeaderWorkerSet", "leaderworkersets"
PREFIX = "leaderworkerset.sigs.k8s.io"
NAME, INDEX, WORKER, REVISION = (
    f"{PREFIX}/{word}" for word in ("name", "group-index", "worker-index", "template-revision-hash")
)
RECREATE = "RecreateGroupOnPodRestart"


@dataclass(frozen=True)
class Group:
    """One replica as it is. `members`: pods by worker index, the leader is 0; those that are going are among them."""

    index: int
    members: Mapping[int, Object]
    size: int

    @property
    def leader(self) -> Object | None:
        return self.members.get(0)

    @property
    def revision(self) -> str:
        return (self.leader or {"metadata": {}})["metadata"].get("labels", {}).get(REVISION, "")

    @property
    def ready(self) -> bool:
        pods = self.members.values()
        return len(self.members) == self.size and all(is_ready(pod) and not is_deleting(pod) for pod in pods)

    @property
    def broken(self) -> bool:
        """Whether one of its pods restarted, failed or was taken away: then the rest of the group goes too."""
        going = any(is_deleting(pod) for index, pod in self.members.items() if index)
        return going or any(is_terminal(pod) or restart_count(pod) for pod in self.members.values())


@dataclass(frozen=True)
class GroupPlan:
    """Pods to make and to take away, and the status that the set is to have."""

    create: tuple[Object, ...]
    delete: tuple[Object, ...]
    status: Object


def revision_of_set(lws: Mapping[str, Any]) -> str:
    return template_hash(lws["spec"]["leaderWorkerTemplate"])


def groups_of(lws: Object, pods: Iterable[Object]) -> dict[int, Group]:
    """The groups of a set by index. Workers count with the leader that owns them, be it one that is gone by now."""
    size = int(lws["spec"]["leaderWorkerTemplate"].get("size", 1))
    members: dict[int, dict[int, Object]] = {}
    for pod in pods:
        labels = pod["metadata"].get("labels") or {}
        if labels.get(NAME) != lws["metadata"]["name"] or not labels.get(INDEX, "").isdecimal():
            continue
        worker = int(labels.get(WORKER, "0"))
        if worker == 0 and not is_controlled_by(pod, lws):
            continue
        members.setdefault(int(labels[INDEX]), {})[worker] = pod
    return {index: Group(index, found, size) for index, found in members.items()}


def plan(lws: Object, pods: Sequence[Object], now: datetime) -> GroupPlan:
    """What to do next for a set that is not being deleted. `pods`: of its namespace."""
    spec, desired, revision = lws["spec"], spec_replicas(lws), revision_of_set(lws)
    template = spec["leaderWorkerTemplate"]
    groups = groups_of(lws, pods)
    rolling = (spec.get("rolloutStrategy") or {}).get("rollingUpdateConfiguration") or {}
    partition = int(rolling.get("partition") or 0)
    old = [g for g in groups.values() if g.leader is not None and partition <= g.index < desired]
    old = [g for g in old if g.revision != revision]
    # a group beside the others stays until those it stood in for are ready again
    beside = any(index >= desired for index in groups)
    unready = any(index not in groups or not groups[index].ready for index in range(desired))
    surge = scaled_value(rolling.get("maxSurge", 0), desired, round_up=True) if old or (beside and unready) else 0
    create: list[Object] = []
    delete: list[Object] = []
    for index in range(desired + surge):
        create += _missing(lws, index, groups.get(index), template, revision)
    for group in groups.values():
        leader = group.leader
        if leader is None or is_deleting(leader):
            continue
        together = template.get("restartPolicy", RECREATE) == RECREATE
        if group.index >= desired + surge or (together and group.broken):
            delete.append(leader)
    staying = sum(group.ready for group in groups.values() if group.index < desired + surge)
    delete += _replaced(
        old, staying - desired + scaled_value(rolling.get("maxUnavailable", 1), desired, round_up=False)
    )
    unique = {pod["metadata"]["uid"]: pod for pod in delete}
    return GroupPlan(tuple(create), tuple(unique.values()), _status(lws, groups, revision, now))


def _missing(lws: Object, index: int, group: Group | None, template: Object, revision: str) -> list[Object]:
    """Pods that a group lacks: its leader first, workers once their leader is there and stays."""
    if group is None or group.leader is None:
        # workers of an earlier leader are in the way until they are gone: their names are wanted again
        return [pod_of(lws, index, 0, None, revision)] if group is None else []
    if is_deleting(group.leader) or group.broken:
        return []
    if lws["spec"].get("startupPolicy") == "LeaderReady" and not is_ready(group.leader):
        return []
    missing = (worker for worker in range(1, int(template.get("size", 1))) if worker not in group.members)
    return [pod_of(lws, index, worker, group.leader, group.revision) for worker in missing]


def _replaced(old: list[Group], spare: int) -> list[Object]:
    """Leaders of groups of an older template that may go now, the last first. `spare`: how many ready ones may; whoever
    is not ready costs nothing."""
    going: list[Object] = []
    for group in sorted(old, key=lambda g: -g.index):
        if group.leader is None or is_deleting(group.leader):
            continue
        if group.ready:
            if spare <= 0:
                continue
            spare -= 1
        going.append(group.leader)
    return going


def pod_of(lws: Object, index: int, worker: int, leader: Object | None, revision: str) -> Object:
    """The manifest of one pod of a group."""
    metadata, template = lws["metadata"], lws["spec"]["leaderWorkerTemplate"]
    size = int(template.get("size", 1))
    own = template.get("leaderTemplate") if worker == 0 else None
    chosen = own or template["workerTemplate"]
    leader_name = f"{metadata['name']}-{index}"
    name = leader_name if worker == 0 else f"{leader_name}-{worker}"
    variables = [
        {"name": "LWS_LEADER_ADDRESS", "value": f"{leader_name}.{metadata['name']}.{metadata['namespace']}"},
        {"name": "LWS_GROUP_SIZE", "value": str(size)},
        {"name": "LWS_WORKER_INDEX", "value": str(worker)},
    ]
    spec = dict(chosen["spec"])
    for kind in ("containers", "initContainers"):
        if spec.get(kind):
            spec[kind] = [{**one, "env": [*variables, *(one.get("env") or [])]} for one in spec[kind]]
    given = chosen.get("metadata") or {}
    key = hashlib.sha1(f"{metadata['namespace']}/{leader_name}".encode(), usedforsecurity=False).hexdigest()
    owner = (
        controller_reference(lws, f"{GROUP}/{VERSION}", KIND)
        if leader is None
        else controller_reference(leader, "v1", "Pod")
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": {
                **(given.get("labels") or {}),
                NAME: metadata["name"],
                INDEX: str(index),
                WORKER: str(worker),
                REVISION: revision,
                f"{PREFIX}/group-key": key,
            },
            "annotations": {
                **(given.get("annotations") or {}),
                f"{PREFIX}/size": str(size),
                **({f"{PREFIX}/leader-name": leader_name} if worker else {}),
            },
            "ownerReferences": [owner],
        },
        "spec": {**spec, "hostname": name, "subdomain": metadata["name"]},
    }


def _status(lws: Object, groups: Mapping[int, Group], revision: str, now: datetime) -> Object:
    present = [g for g in groups.values() if g.leader is not None and not is_deleting(g.leader)]
    ready = sum(group.ready for group in present)
    updated = sum(group.revision == revision for group in present)
    desired = spec_replicas(lws)
    whole = ready >= desired and updated >= desired and len(present) == desired
    rolling = any(group.revision != revision for group in present)
    before = (lws.get("status") or {}).get("conditions") or []
    rows = [
        ("Available", whole, "AllGroupsReady", "All replicas are ready"),
        ("Progressing", not whole, "GroupsProgressing", "Replicas are progressing"),
        ("UpdateInProgress", rolling, "GroupsUpdating", "Rolling Upgrade is in progress"),
    ]
    return {
        "conditions": [_condition(before, *row, now) for row in rows],
        "hpaPodSelector": f"{WORKER}=0,{NAME}={lws['metadata']['name']}",
        "observedGeneration": int(lws["metadata"].get("generation", 0)),
        "readyReplicas": ready,
        "replicas": len(present),
        "updatedReplicas": updated,
    }


def _condition(before: list[Object], type_: str, holds: bool, reason: str, message: str, now: datetime) -> Object:
    status = "True" if holds else "False"
    held = find_condition(before, type_)
    since = held["lastTransitionTime"] if held is not None and held["status"] == status else rfc3339(now)
    return {"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": since}
