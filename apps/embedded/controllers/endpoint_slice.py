"""EndpointSlices: the addresses behind every Service that has a selector."""

from __future__ import annotations

import copy

from apps.embedded.client import KubeError
from apps.embedded.controllers.domain.endpoints import MANAGED_BY, SERVICE_LABEL, desired_slices
from apps.embedded.controllers.runtime import Controller, now
from apps.embedded.domain.objects import Object, controller_reference, is_deleting, matches_map, rfc3339
from apps.embedded.informer import Change, Key, object_key

SLICES = ("discovery.k8s.io", "v1", "endpointslices")
TRIGGER_ANNOTATION = "endpoints.kubernetes.io/last-change-trigger-time"


class EndpointSliceController(Controller):
    name = "endpoint-slice-controller"

    def watch(self) -> None:
        self.cluster.services.informer.on_change(lambda change: self.queue.add(change.key))
        self.cluster.endpoint_slices.informer.on_change(self._slice_changed)
        self.cluster.pods.informer.on_change(self._pod_changed)

    def _slice_changed(self, change: Change) -> None:
        labels = change.new["metadata"].get("labels") or {}
        if labels.get("endpointslice.kubernetes.io/managed-by") == MANAGED_BY and SERVICE_LABEL in labels:
            self.queue.add((change.key[0], labels[SERVICE_LABEL]))

    def _pod_changed(self, change: Change) -> None:
        for service in self.cluster.services.all(change.key[0]):
            selector = service["spec"].get("selector")
            if any(matches_map(selector, pod["metadata"].get("labels")) for pod in (change.old, change.new) if pod):
                self.queue.add(object_key(service))

    async def sync(self, key: Key) -> None:
        service = self.cluster.services.get(*key)
        existing = [
            item
            for item in self.cluster.endpoint_slices.all(key[0])
            if (item["metadata"].get("labels") or {}).get(SERVICE_LABEL) == key[1]
            and item["metadata"]["labels"].get("endpointslice.kubernetes.io/managed-by") == MANAGED_BY
            and not is_deleting(item)
        ]
        if service is None or is_deleting(service) or not service["spec"].get("selector"):
            for item in existing:
                await self._delete(item)
            return
        nodes = {node["metadata"]["name"]: node for node in self.cluster.nodes.all()}
        pods = [
            pod
            for pod in self.cluster.pods.all(key[0])
            if matches_map(service["spec"]["selector"], pod["metadata"].get("labels"))
        ]
        desired = desired_slices(service, pods, nodes)
        existing.sort(key=lambda item: item["metadata"]["name"])
        for item, wanted in zip(existing, desired, strict=False):
            await self._update(item, wanted)
        for wanted in desired[len(existing) :]:
            await self._create(service, wanted)
        for item in existing[len(desired) :]:
            await self._delete(item)

    async def _create(self, service: Object, wanted: Object) -> None:
        metadata = service["metadata"]
        labels = {"endpointslice.kubernetes.io/managed-by": MANAGED_BY, SERVICE_LABEL: metadata["name"]}
        if service["spec"].get("clusterIP") == "None":
            labels["service.kubernetes.io/headless"] = ""
        body = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "generateName": f"{metadata['name']}-",
                "namespace": metadata["namespace"],
                "labels": {**(metadata.get("labels") or {}), **labels},
                "annotations": {TRIGGER_ANNOTATION: rfc3339(now())},
                "ownerReferences": [controller_reference(service, "v1", "Service")],
            },
            "addressType": "IPv4",
            **wanted,
        }
        self.cluster.endpoint_slices.put(await self.client.create(*SLICES, body))

    async def _update(self, item: Object, wanted: Object) -> None:
        if item.get("ports") == wanted["ports"] and item.get("endpoints") == wanted["endpoints"]:
            return
        changed = {**copy.deepcopy(item), **wanted}
        changed["metadata"].setdefault("annotations", {})[TRIGGER_ANNOTATION] = rfc3339(now())
        self.cluster.endpoint_slices.put(await self.client.update(*SLICES, changed))

    async def _delete(self, item: Object) -> None:
        metadata = item["metadata"]
        try:
            await self.client.delete(*SLICES, metadata["name"], namespace=metadata["namespace"], uid=metadata["uid"])
        except KubeError as error:
            if error.status != 404:
                raise
