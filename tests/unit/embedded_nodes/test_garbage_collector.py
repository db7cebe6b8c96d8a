"""The garbage collector when its watches begin late: what it was not told, it asks for again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from apps.embedded.client import KubeError
from apps.embedded.controllers.discovery import Resource
from apps.embedded.controllers.garbage import GarbageCollector
from apps.embedded.controllers.runtime import Cluster
from apps.embedded.events import EventRecorder

VERBS = frozenset({"list", "watch", "delete"})
JOBS = Resource("batch", "v1", "jobs", "Job", True, VERBS)
PODS = Resource("", "v1", "pods", "Pod", True, VERBS)
JOB = {"metadata": {"name": "count", "namespace": "ns", "uid": "j", "resourceVersion": "1"}}
OWNER = {"apiVersion": "batch/v1", "kind": "Job", "name": "count", "uid": "j", "controller": True}
POD = {
    "metadata": {"name": "count-0", "namespace": "ns", "uid": "p", "resourceVersion": "2", "ownerReferences": [OWNER]}
}


class Server:
    """An API server whose list of Jobs is answered late, as on a machine that is busy with its start."""

    def __init__(self) -> None:
        self.objects: dict[str, list[dict[str, Any]]] = {"jobs": [JOB], "pods": [POD]}
        self.jobs_are_listed = asyncio.Event()
        self.owner_was_looked_for = asyncio.Event()
        self.deleted = asyncio.Event()

    async def list(self, group: str, version: str, plural: str, **_: object) -> dict[str, Any]:
        if plural == "jobs":
            await self.jobs_are_listed.wait()
        return {"items": list(self.objects[plural]), "metadata": {"resourceVersion": "3"}}

    async def watch(self, *_: object, **__: object) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        await asyncio.Event().wait()
        yield "BOOKMARK", {}

    async def get(self, group: str, version: str, plural: str, name: str, **_: object) -> dict[str, Any]:
        self.owner_was_looked_for.set()
        for obj in self.objects[plural]:
            if obj["metadata"]["name"] == name:
                return obj
        raise KubeError(404, "NotFound", f"no {name}")

    async def delete(self, group: str, version: str, plural: str, name: str, **_: object) -> dict[str, Any]:
        self.deleted.set()
        return {}


class Collector(GarbageCollector):
    """Without discovery: its kinds are given."""

    def watch(self) -> None:
        self._crds = None


async def test_an_owner_that_went_before_the_first_list_of_its_kind_takes_its_dependents_along() -> None:
    server = Server()
    collector = Collector(Cluster(server), EventRecorder(server, "gc"))  # type: ignore[arg-type]
    collector.start()
    try:
        await collector._update_resources([PODS, JOBS])
        async with asyncio.timeout(10):
            await server.owner_was_looked_for.wait()  # the pod was seen, its owner is there
            server.objects["jobs"].clear()  # … and goes, before anybody watches Jobs
            server.jobs_are_listed.set()
            await server.deleted.wait()
    finally:
        await collector.stop()
