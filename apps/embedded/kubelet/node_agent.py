"""The nodes that the kubelet plays: registration, status and heartbeat."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

import aiohttp

from apps.embedded.client import KubeClient, KubeError
from apps.embedded.domain.objects import Object, find_condition, micro_time
from apps.embedded.events import EventRecorder
from apps.embedded.kubelet.domain.nodes import node_object, node_status

log = logging.getLogger(__name__)

LEASE_NAMESPACE = "kube-node-lease"
LEASE_SECONDS = 40
HEARTBEAT_SECONDS = 15.0
STATUS_EVERY = 20
"""A node status is written every so many heartbeats; the leases show life in between."""
RETRY_SECONDS = 1.0


class NodeAgent:
    """Keeps one Node object and its Lease alive, and makes them again when somebody deletes them."""

    def __init__(
        self,
        entry: Object,
        address: str,
        port: int,
        images: list[str],
        client: KubeClient,
        recorder: EventRecorder,
        *,
        heartbeat: float = HEARTBEAT_SECONDS,
    ) -> None:
        self._heartbeat = heartbeat
        self._entry = entry
        self._address = address
        self._port = port
        self._images = images
        self._client = client
        self._recorder = recorder
        self.node: Object = node_object(entry)

    @property
    def name(self) -> str:
        return str(self._entry["name"])

    async def register(self) -> None:
        """Create or refresh the Node; retried until the API server answers."""
        while True:
            try:
                await self._write_node()
                return
            except (KubeError, aiohttp.ClientError, TimeoutError) as error:
                log.warning("node %s cannot be registered yet: %s", self.name, error or type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)

    async def keep_alive(self) -> None:
        beats = 0
        while True:
            try:
                await self._renew_lease()
                beats += 1
                if beats % STATUS_EVERY == 0:
                    await self._write_node()
                elif await self._is_disowned():
                    log.warning("node %s is gone or not ready; registering it again", self.name)
                    await self._write_node()
            except (KubeError, aiohttp.ClientError, TimeoutError) as error:
                log.debug("heartbeat of node %s: %s", self.name, error or type(error).__name__)
            await asyncio.sleep(self._heartbeat)

    async def _write_node(self) -> None:
        wanted = node_object(self._entry)
        try:
            node = await self._client.create("", "v1", "nodes", wanted)
            self._recorder.event(node, "RegisteredNode", f"Node {self.name} event: Registered Node {self.name}")
        except KubeError as error:
            if error.status != 409:
                raise
            node = await self._client.patch(
                "", "v1", "nodes", self.name, {"metadata": {"labels": wanted["metadata"]["labels"]}}
            )
        status = node_status(
            self._entry, self._address, self._port, self._images, node.get("status"), datetime.now(UTC)
        )
        self.node = await self._client.patch_status("", "v1", "nodes", self.name, {"status": status})

    async def _is_disowned(self) -> bool:
        """The node was deleted, or somebody wrote that it is not ready: we were silent for too long."""
        try:
            node = await self._client.get("", "v1", "nodes", self.name)
        except KubeError as error:
            if error.status == 404:
                return True
            raise
        ready = find_condition((node.get("status") or {}).get("conditions"), "Ready")
        return ready is None or ready["status"] != "True"

    async def _renew_lease(self) -> None:
        moment = micro_time(datetime.now(UTC))
        spec = {"holderIdentity": self.name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": moment}
        try:
            await self._client.patch(
                "coordination.k8s.io", "v1", "leases", self.name, {"spec": spec}, namespace=LEASE_NAMESPACE
            )
        except KubeError as error:
            if error.status != 404:
                raise
            await self._create_lease(spec)

    async def _create_lease(self, spec: Object) -> None:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": LEASE_NAMESPACE}}
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.name, "namespace": LEASE_NAMESPACE},
            "spec": spec,
        }
        for group, version, plural, body in (
            ("", "v1", "namespaces", namespace),
            ("coordination.k8s.io", "v1", "leases", lease),
        ):
            try:
                await self._client.create(group, version, plural, body)
            except KubeError as error:
                if error.status != 409:
                    raise
