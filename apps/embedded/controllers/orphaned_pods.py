"""Pods bound to a node that is no more: nobody runs them, so they go, and what they are of makes others.

A scheduler may bind a pod to a node in the moment in which that is removed. As kube-controller-manager's pod garbage
collector, this one waits before it believes that a node is gone, and then asks the server itself.
"""

from __future__ import annotations

import asyncio

from apps.embedded.client import KubeError
from apps.embedded.controllers.node_lifecycle import GRACE_S, NODES
from apps.embedded.controllers.runtime import Cluster, Controller
from apps.embedded.domain.objects import Object
from apps.embedded.events import EventRecorder
from apps.embedded.informer import Change, Key


class OrphanedPodController(Controller):
    """A key is the name of a node. `quarantine_s`: seconds for which a node must have been away."""

    name = "pod-garbage-collector-controller"
    workers = 1

    def __init__(self, cluster: Cluster, recorder: EventRecorder, *, quarantine_s: float = GRACE_S) -> None:
        super().__init__(cluster, recorder)
        self._quarantine_s = quarantine_s
        # by node: when it was first found missing
        self._missing: dict[str, float] = {}

    def watch(self) -> None:
        self.cluster.nodes.informer.on_change(lambda change: self.queue.add(("", change.key[1])))
        self.cluster.pods.informer.on_change(self._pod_changed)

    def _pod_changed(self, change: Change) -> None:
        node = change.new["spec"].get("nodeName")
        if node and self.cluster.nodes.get("", node) is None:
            self.queue.add(("", node))

    async def sync(self, key: Key) -> float | None:
        name = key[1]
        bound = [pod for pod in self.cluster.pods.all() if pod["spec"].get("nodeName") == name]
        if self.cluster.nodes.get("", name) is not None or not bound:
            self._missing.pop(name, None)
            return None
        moment = asyncio.get_running_loop().time()
        left = self._missing.setdefault(name, moment) + self._quarantine_s - moment
        if left > 0:
            return left
        if not await self._exists(name):
            await asyncio.gather(*(self._delete(pod) for pod in bound))
        return None

    async def _exists(self, node: str) -> bool:
        try:
            await self.client.get(*NODES, node)
        except KubeError as error:
            if error.status != 404:
                raise
            return False
        return True

    async def _delete(self, pod: Object) -> None:
        metadata = pod["metadata"]
        try:
            await self.client.delete(
                *("", "v1", "pods", metadata["name"]),
                namespace=metadata["namespace"],
                uid=metadata["uid"],
                grace_period_seconds=0,
            )
        except KubeError as error:
            # gone, or another of its name by now
            if error.status not in (404, 409):
                raise
