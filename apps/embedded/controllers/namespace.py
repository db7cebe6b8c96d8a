"""Namespaces: what every new one gets, and how a deleted one is emptied before it goes."""

from __future__ import annotations

import copy

from apps.embedded.client import Access, KubeError
from apps.embedded.controllers.discovery import Resource, discover, preferred
from apps.embedded.controllers.domain.namespaces import deletion_conditions
from apps.embedded.controllers.runtime import Cluster, Controller, now
from apps.embedded.domain.objects import Object, is_deleting
from apps.embedded.events import EventRecorder
from apps.embedded.informer import Change, Key

ROOT_CA = "kube-root-ca.crt"
ROOT_CA_DESCRIPTION = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the "
    "internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes "
    "clusters."
)
RETRY_SECONDS = 0.5
HELD_RETRY_SECONDS = 2.0


class NamespaceController(Controller):
    name = "namespace-controller"

    def __init__(self, cluster: Cluster, recorder: EventRecorder, access: Access) -> None:
        super().__init__(cluster, recorder)
        self._ca = access.ca_pem or ""

    def watch(self) -> None:
        self.cluster.namespaces.informer.on_change(self._changed)

    def _changed(self, change: Change) -> None:
        if change.type != "DELETED":
            self.queue.add(change.key)

    async def sync(self, key: Key) -> float | None:
        namespace = self.cluster.namespaces.get(*key)
        if namespace is None:
            return None
        if is_deleting(namespace):
            return await self._empty(namespace)
        await self._furnish(key[1])
        return None

    async def _furnish(self, name: str) -> None:
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": name}}
        bundle = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": ROOT_CA,
                "namespace": name,
                "annotations": {"kubernetes.io/description": ROOT_CA_DESCRIPTION},
            },
            "data": {"ca.crt": self._ca},
        }
        for plural, body in (("serviceaccounts", account), ("configmaps", bundle)):
            try:
                await self.client.create("", "v1", plural, body)
            except KubeError as error:
                if error.status not in (403, 404, 409):
                    raise

    async def _empty(self, namespace: Object) -> float | None:
        """Delete everything in it; when nothing is left, take the finalizer off. Seconds until the next look."""
        name = namespace["metadata"]["name"]
        if not namespace["spec"].get("finalizers"):
            return None
        remaining: dict[str, int] = {}
        finalizers: dict[str, int] = {}
        for resource in preferred(await discover(self.client)):
            if not resource.namespaced or not {"list", "delete"} <= resource.verbs:
                continue
            left = await self._delete_all(resource, name)
            if left:
                remaining[resource.qualified] = len(left)
            for item in left:
                for finalizer in item["metadata"].get("finalizers") or []:
                    finalizers[finalizer] = finalizers.get(finalizer, 0) + 1
        if not remaining:
            await self._finalize(namespace)
            return None
        status = {
            **namespace.get("status", {}),
            "phase": "Terminating",
            "conditions": deletion_conditions(namespace, remaining, finalizers, now()),
        }
        if status != namespace.get("status"):
            written = await self.client.update_status("", "v1", "namespaces", {**namespace, "status": status})
            self.cluster.namespaces.put(written)
        return HELD_RETRY_SECONDS if finalizers else RETRY_SECONDS

    async def _delete_all(self, resource: Resource, namespace: str) -> list[Object]:
        """What is still there after asking for the deletion of everything."""
        items = (await self.client.list(*resource.triple, namespace=namespace))["items"]
        for item in items:
            if is_deleting(item):
                continue
            try:
                await self.client.delete(*resource.triple, item["metadata"]["name"], namespace=namespace)
            except KubeError as error:
                if error.status != 404:
                    raise
        return (await self.client.list(*resource.triple, namespace=namespace))["items"] if items else []

    async def _finalize(self, namespace: Object) -> None:
        body = copy.deepcopy(namespace)
        body["spec"]["finalizers"] = [entry for entry in body["spec"]["finalizers"] if entry != "kubernetes"]
        await self.client.update("", "v1", "namespaces", body, subresource="finalize")
