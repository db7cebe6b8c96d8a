"""Nodes whose kubelet stopped renewing its Lease: not ready, tainted, their pods not ready.

A node without a Lease is left alone. Whether a Lease is renewed is told by our own clock, from when we saw it change,
so that clocks need not agree and a restart of this process condemns nobody.
"""

from __future__ import annotations

import asyncio

from apps.embedded.client import KubeClient, KubeError
from apps.embedded.controllers.domain.node_lifecycle import (
    is_ready,
    not_ready_conditions,
    taints,
    unknown_conditions,
)
from apps.embedded.controllers.runtime import Cluster, Controller, now
from apps.embedded.domain.objects import Object, is_deleting
from apps.embedded.events import EventRecorder
from apps.embedded.informer import Change, Key

GRACE_S = 40.0
"""kube-controller-manager's --node-monitor-grace-period."""
NODES = ("", "v1", "nodes")


class NodeLifecycleController(Controller):
    name = "node-controller"
    workers = 1

    def __init__(self, cluster: Cluster, recorder: EventRecorder, *, grace_s: float = GRACE_S) -> None:
        super().__init__(cluster, recorder)
        self._grace_s = grace_s
        # by node: the renewal that was seen last, and when
        self._renewals: dict[str, tuple[str, float]] = {}

    def watch(self) -> None:
        self.cluster.nodes.informer.on_change(self._node_changed)
        self.cluster.node_leases.informer.on_change(lambda change: self.queue.add(("", change.key[1])))
        self.cluster.pods.informer.on_change(self._pod_changed)

    def _node_changed(self, change: Change) -> None:
        self.queue.add(("", change.key[1]))

    def _pod_changed(self, change: Change) -> None:
        """A pod that calls itself ready on a node that is not."""
        node = self.cluster.nodes.get("", change.new["spec"].get("nodeName", ""))
        if node is not None and not is_ready(node):
            self.queue.add(("", node["metadata"]["name"]))

    async def sync(self, key: Key) -> float | None:
        name = key[1]
        node, lease = self.cluster.nodes.get("", name), self.cluster.node_leases.get("kube-node-lease", name)
        if node is None or lease is None or is_deleting(node):
            self._renewals.pop(name, None)
            return None
        left = self._left(name, lease)
        silent = left <= 0
        if silent:
            node = await self._condemn(node)
        wanted = taints(node, reachable=not silent and is_ready(node), now=now())
        # one that is not ready but renews keeps what taints it has until its kubelet says that it is ready
        if wanted is not None and (silent or is_ready(node)):
            self.cluster.nodes.put(await self.client.patch(*NODES, name, {"spec": {"taints": wanted or None}}))
        return None if silent else left

    def _left(self, name: str, lease: Object) -> float:
        """Seconds until the node counts as silent."""
        moment = asyncio.get_running_loop().time()
        renewed = (lease.get("spec") or {}).get("renewTime", "")
        if self._renewals.get(name, ("", 0.0))[0] != renewed:
            self._renewals[name] = (renewed, moment)
        return self._renewals[name][1] + self._grace_s - moment

    async def _condemn(self, node: Object) -> Object:
        name = node["metadata"]["name"]
        if is_ready(node):
            self.recorder.event(node, "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        conditions = unknown_conditions(node, now())
        if conditions != (node.get("status") or {}).get("conditions"):
            node = await self.client.patch_status(*NODES, name, {"status": {"conditions": conditions}})
            self.cluster.nodes.put(node)
        pods = [pod for pod in self.cluster.pods.all() if pod["spec"].get("nodeName") == name]
        await asyncio.gather(*(_mark(self.client, self.recorder, self.cluster, pod) for pod in pods))
        return node


async def _mark(client: KubeClient, recorder: EventRecorder, cluster: Cluster, pod: Object) -> None:
    conditions = not_ready_conditions(pod, now())
    if conditions is None:
        return
    metadata = pod["metadata"]
    patch = {
        "metadata": {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"]},
        "status": {"conditions": conditions},
    }
    try:
        written = await client.patch_status("", "v1", "pods", metadata["name"], patch, namespace=metadata["namespace"])
    except KubeError as error:
        if error.status != 404:
            raise
        return
    cluster.pods.put(written)
    recorder.event(pod, "NodeNotReady", "Node is not ready", warning=True)
