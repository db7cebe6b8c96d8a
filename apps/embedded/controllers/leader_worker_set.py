"""LeaderWorkerSets: as many groups of pods as spec.replicas says, each group whole or not at all."""

from __future__ import annotations

import asyncio
import copy

from apps.embedded.client import KubeError
from apps.embedded.controllers.domain import groups
from apps.embedded.controllers.runtime import Cluster, Controller, now
from apps.embedded.domain.objects import Object, is_deleting
from apps.embedded.events import EventRecorder
from apps.embedded.informer import Change, Key
from apps.embedded.view import View

PODS = ("", "v1", "pods")


class LeaderWorkerSetController(Controller):
    """Its kind comes with a CustomResourceDefinition: while there is none, nothing waits for it."""

    name = "leaderworkerset"

    def __init__(self, cluster: Cluster, recorder: EventRecorder) -> None:
        super().__init__(cluster, recorder)
        self._sets = View(cluster.client, groups.GROUP, groups.VERSION, groups.PLURAL)

    def watch(self) -> None:
        self._sets.informer.on_change(lambda change: self.queue.add(change.key))
        self._sets.informer.start()
        self.cluster.pods.informer.on_change(self._pod_changed)

    async def stop(self) -> None:
        await super().stop()
        await self._sets.informer.stop()

    def _pod_changed(self, change: Change) -> None:
        name = (change.new["metadata"].get("labels") or {}).get(groups.NAME)
        if name is not None:
            self.queue.add((change.new["metadata"]["namespace"], name))

    async def sync(self, key: Key) -> float | None:
        held = self._sets.get(*key)
        if held is None or is_deleting(held):
            return None
        lws = copy.deepcopy(held)
        todo = groups.plan(lws, self.cluster.pods.all(key[0]), now())
        await asyncio.gather(*(self._delete(lws, pod) for pod in todo.delete))
        failures = [e for e in await asyncio.gather(*(self._create(lws, pod) for pod in todo.create)) if e is not None]
        if todo.status != (lws.get("status") or {}):
            kind = (groups.GROUP, groups.VERSION, groups.PLURAL)
            self._sets.put(await self.client.update_status(*kind, {**lws, "status": todo.status}))
        if failures:
            raise failures[0]
        return None

    async def _create(self, lws: Object, pod: Object) -> KubeError | None:
        try:
            created = await self.client.create(*PODS, pod)
        except KubeError as error:
            if error.status != 409:
                self.recorder.event(lws, "FailedCreate", f"Error creating: {error.message}", warning=True)
            return error
        self.cluster.pods.put(created)
        self.recorder.event(lws, "SuccessfulCreate", f"Created pod: {created['metadata']['name']}")
        return None

    async def _delete(self, lws: Object, pod: Object) -> None:
        name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
        try:
            deleted = await self.client.delete(*PODS, name, namespace=namespace, uid=pod["metadata"]["uid"])
        except KubeError as error:
            if error.status != 404:
                raise
            return
        self.cluster.pods.put(deleted)
        self.recorder.event(lws, "SuccessfulDelete", f"Deleted pod: {name}")
