"""The kubelet: nodes, the pods bound to them, and the files and processes that an earlier one left."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import shutil
import signal
from pathlib import Path

from apps.embedded.client import KubeClient, KubeError
from apps.embedded.domain.objects import Object
from apps.embedded.events import EventRecorder
from apps.embedded.informer import Change, Informer
from apps.embedded.kubelet.addresses import AddressPool
from apps.embedded.kubelet.domain.nodes import PROVIDER
from apps.embedded.kubelet.handlers import Handlers
from apps.embedded.kubelet.node_agent import NodeAgent
from apps.embedded.kubelet.pod_worker import POD_MARK, PodWorker
from apps.embedded.kubelet.server import KubeletServer
from apps.embedded.kubelet.settings import Settings
from apps.embedded.kubelet.shims import write_shims
from apps.embedded.proxy.service_proxy import ServiceProxy

log = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 5.0


class Kubelet:
    """Use as an async context manager: inside it nodes are registered and their pods run."""

    def __init__(self, settings: Settings, nodes: list[Object], addresses: AddressPool, client: KubeClient) -> None:
        self._settings = settings
        self._addresses = addresses
        self._entries = nodes
        self._client = client
        self._recorder = EventRecorder(client, "kubelet")
        self._handlers = Handlers()
        self._server = KubeletServer(settings, self._find)
        self._pods = Informer(client, "", "v1", "pods")
        self._agents: dict[str, NodeAgent] = {}
        self._hosts: dict[str, str] = {}
        self._workers: dict[str, PodWorker] = {}
        self._heartbeats: list[asyncio.Task[None]] = []
        self._proxy = ServiceProxy(client, EventRecorder(client, "kube-proxy"))

    async def __aenter__(self) -> Kubelet:
        (self._settings.data / "pods").mkdir(parents=True, exist_ok=True)
        end_leftovers(self._settings.data / "pods")
        write_shims(self._settings)
        self._recorder.start()
        await self._server.start()
        for index, entry in enumerate(self._entries):
            address = self._addresses.node(index)
            port = await self._server.listen(address)
            images = [image.match[0] for image in self._settings.images]
            self._agents[entry["name"]] = NodeAgent(
                entry, address, port, images, self._client, self._recorder, heartbeat=self._settings.heartbeat
            )
            self._hosts[entry["name"]] = address
        await asyncio.gather(*(agent.register() for agent in self._agents.values()))
        await self._remove_former_nodes()
        self._heartbeats = [asyncio.create_task(agent.keep_alive()) for agent in self._agents.values()]
        self._pods.start()
        await self._pods.synced.wait()
        self._remove_forgotten()
        # pods that have an address keep it, so they come first
        for pod in sorted(self._pods.values(), key=lambda pod: not (pod.get("status") or {}).get("podIP")):
            self._consider(pod)
        self._pods.on_change(self._changed)
        await self._proxy.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pods.stop()
        for task in self._heartbeats:
            task.cancel()
        await asyncio.gather(*self._heartbeats, return_exceptions=True)
        await asyncio.gather(*(worker.shut_down(SHUTDOWN_SECONDS) for worker in self._workers.values()))
        await self._proxy.stop()
        await self._server.stop()
        await self._handlers.close()
        await self._recorder.stop()

    def _find(self, namespace: str, name: str) -> PodWorker | None:
        pod = self._pods.get(namespace, name)
        return self._workers.get(pod["metadata"]["uid"]) if pod else None

    def _changed(self, change: Change) -> None:
        uid = change.new["metadata"]["uid"]
        if change.old is not None and change.old["metadata"]["uid"] != uid:
            self._gone(change.old["metadata"]["uid"])
        if change.type == "DELETED":
            self._gone(uid)
        else:
            self._consider(change.new)

    def _gone(self, uid: str) -> None:
        worker = self._workers.get(uid)
        if worker is not None:
            worker.gone()

    def _consider(self, pod: Object) -> None:
        uid, node = pod["metadata"]["uid"], pod["spec"].get("nodeName")
        worker = self._workers.get(uid)
        if worker is not None:
            worker.update(pod)
            return
        if node not in self._agents:
            return
        address = self._addresses.take((pod.get("status") or {}).get("podIP"))
        worker = PodWorker(
            pod,
            self._agents[node].node,
            pod_ip=address,
            host_ip=self._hosts[node],
            settings=self._settings,
            client=self._client,
            recorder=self._recorder,
            handlers=self._handlers,
        )
        self._workers[uid] = worker
        worker.start().add_done_callback(lambda task: self._ended(uid, address, task))

    def _ended(self, uid: str, address: str, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        if task.exception() is not None:
            log.error("the worker of pod %s failed", uid, exc_info=task.exception())
        self._workers.pop(uid, None)
        self._addresses.release(address)

    async def _remove_former_nodes(self) -> None:
        """Nodes that an earlier node table had go, and their pods with them: nobody else would run or end those."""
        nodes = (await self._client.list("", "v1", "nodes"))["items"]
        former = {
            node["metadata"]["name"]
            for node in nodes
            if node["spec"].get("providerID", "").startswith(PROVIDER) and node["metadata"]["name"] not in self._agents
        }
        for name in former:
            log.warning("node %s is not in the node table any more; removing it and its pods", name)
            # the node first: what takes the place of its pods must not be bound to it
            await self._remove("nodes", {"metadata": {"name": name}})
            bound = await self._client.list("", "v1", "pods", field_selector=f"spec.nodeName={name}")
            for pod in bound["items"]:
                await self._remove("pods", pod)

    async def _remove(self, plural: str, obj: Object) -> None:
        metadata = obj["metadata"]
        try:
            await self._client.delete(
                "", "v1", plural, metadata["name"], namespace=metadata.get("namespace"), grace_period_seconds=0
            )
        except KubeError as error:
            if error.status != 404:
                raise

    def _remove_forgotten(self) -> None:
        """Files of pods that no longer exist."""
        alive = {pod["metadata"]["uid"] for pod in self._pods.values()}
        for directory in (self._settings.data / "pods").iterdir():
            if directory.name not in alive:
                shutil.rmtree(directory, ignore_errors=True)


def end_leftovers(pods: Path) -> None:
    """End process groups that a killed kubelet left: their number is on record and their environment names the pod."""
    for record in pods.glob("*/processes.json"):
        with contextlib.suppress(OSError, ValueError):
            for pid in json.loads(record.read_text()).values():
                environment = Path(f"/proc/{pid}/environ").read_bytes()
                if f"{POD_MARK}={record.parent.name}".encode() in environment.split(b"\0"):
                    log.warning("ending process %d of pod %s, left by an earlier kubelet", pid, record.parent.name)
                    os.killpg(pid, signal.SIGKILL)
        record.unlink(missing_ok=True)
