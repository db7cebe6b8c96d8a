"""The scheduling loop: on every change of pods or nodes, place what is pending."""

from __future__ import annotations

import copy
import logging

from apps.embedded.client import KubeError
from apps.embedded.controllers.runtime import Controller, now
from apps.embedded.domain.objects import Object, find_condition, is_deleting, rfc3339, without_condition
from apps.embedded.domain.pods import is_terminal
from apps.embedded.informer import Change, Key
from apps.embedded.scheduler.claims import ClaimBook
from apps.embedded.scheduler.domain.claimed import claim_names
from apps.embedded.scheduler.domain.fit import NodeState, Placement, place

log = logging.getLogger(__name__)

NAME = "default-scheduler"
PASS: Key = ("", "pass")
RETRY_SECONDS = 1.0


class Scheduler(Controller):
    """One key stands for a pass over all pending pods: highest priority first, then the oldest."""

    name = NAME
    workers = 1

    def watch(self) -> None:
        self._bound: dict[str, str] = {}
        self._book = ClaimBook(self.client)
        self.cluster.pods.informer.on_change(self._pod_changed)
        self.cluster.nodes.informer.on_change(self._node_changed)

    def _pod_changed(self, change: Change) -> None:
        pod = change.new
        if change.type == "DELETED":
            self._bound.pop(pod["metadata"]["uid"], None)
        if change.type == "DELETED" or is_terminal(pod) or not pod["spec"].get("nodeName"):
            self.queue.add(PASS)

    def _node_changed(self, change: Change) -> None:
        if change.old is None or change.type == "DELETED" or _offer(change.old) != _offer(change.new):
            self.queue.add(PASS)

    async def sync(self, key: Key) -> float | None:
        again: float | None = None
        pods = [self._with_binding(pod) for pod in self.cluster.pods.all() if not is_terminal(pod)]
        claims = await self._book.read(pods)
        counted = claims.counted(pod for pod in pods if pod["spec"].get("nodeName"))
        states = {
            node["metadata"]["name"]: NodeState(
                node, [pod for pod in counted if pod["spec"]["nodeName"] == node["metadata"]["name"]]
            )
            for node in self.cluster.nodes.all()
            if not is_deleting(node)
        }
        pending = [pod for pod in pods if _waits_for_us(pod)]
        pending.sort(
            key=lambda pod: (
                -(pod["spec"].get("priority") or 0),
                pod["metadata"]["creationTimestamp"],
                pod["metadata"]["name"],
            )
        )
        for pod in pending:
            asking, at, waits = claims.asking(pod)
            able = [state for name, state in states.items() if at in (None, name)]
            placement = Placement(None, waits) if waits else place(asking, able)
            if placement.node is None:
                await self._mark_unschedulable(pod, placement.message)
                # a claim that is made later tells nobody here
                again = RETRY_SECONDS if claim_names(pod) else again
            elif await self._bind(pod, placement.node):
                states[placement.node].assume(asking)
                claims.bound(pod, placement.node)
            else:
                again = RETRY_SECONDS
        await self._book.write(claims)
        return again

    def _with_binding(self, pod: Object) -> Object:
        """The pod with the node that we bound it to, while the watch has not shown it yet."""
        if pod["spec"].get("nodeName"):
            self._bound.pop(pod["metadata"]["uid"], None)
            return pod
        node = self._bound.get(pod["metadata"]["uid"])
        return {**pod, "spec": {**pod["spec"], "nodeName": node}} if node else pod

    async def _bind(self, pod: Object, node: str) -> bool:
        metadata = pod["metadata"]
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "uid": metadata["uid"]},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        }
        try:
            await self.client.create(
                "", "v1", "pods", binding, namespace=metadata["namespace"], name=metadata["name"], subresource="binding"
            )
        except KubeError as error:
            if error.status not in (404, 409):
                raise
            log.debug("%s/%s not bound: %s", metadata["namespace"], metadata["name"], error)
            return False
        self._bound[metadata["uid"]] = node
        self.recorder.event(
            pod,
            "Scheduled",
            f"Successfully assigned {metadata['namespace']}/{metadata['name']} to {node}",
            action="Binding",
        )
        return True

    async def _mark_unschedulable(self, pod: Object, message: str) -> None:
        conditions = (pod.get("status") or {}).get("conditions")
        known = find_condition(conditions, "PodScheduled")
        if known is not None and known.get("reason") == "Unschedulable" and known.get("message") == message:
            return
        marked = copy.deepcopy(without_condition(conditions, "PodScheduled"))
        changed = known is None or known["status"] != "False"
        marked.append(
            {
                "type": "PodScheduled",
                "observedGeneration": pod["metadata"].get("generation", 1),
                "status": "False",
                "lastProbeTime": None,
                "lastTransitionTime": rfc3339(now()) if changed or known is None else known["lastTransitionTime"],
                "reason": "Unschedulable",
                "message": message,
            }
        )
        metadata = pod["metadata"]
        try:
            written = await self.client.patch_status(
                "",
                "v1",
                "pods",
                metadata["name"],
                {"metadata": {"uid": metadata["uid"]}, "status": {"conditions": marked}},
                namespace=metadata["namespace"],
            )
        except KubeError as error:
            if error.status not in (404, 409):
                raise
            return
        self.cluster.pods.put(written)
        self.recorder.event(pod, "FailedScheduling", message, warning=True, action="Scheduling")


def _offer(node: Object) -> tuple[object, ...]:
    """What of a node decides about placement; heartbeats are not in it."""
    return (
        node["metadata"].get("labels"),
        node["spec"],
        (node.get("status") or {}).get("allocatable"),
    )


def _waits_for_us(pod: Object) -> bool:
    spec = pod["spec"]
    return (
        not spec.get("nodeName")
        and not is_deleting(pod)
        and spec.get("schedulerName", NAME) == NAME
        and not spec.get("schedulingGates")
    )
