"""What every controller is: keys that changed, and a ``sync`` that makes one key true."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime

import aiohttp

from apps.embedded.client import KubeClient, KubeError
from apps.embedded.controllers.queue import WorkQueue
from apps.embedded.events import EventRecorder
from apps.embedded.informer import Key
from apps.embedded.view import View

log = logging.getLogger(__name__)

SYNC_SECONDS = 60.0
"""No sync may take longer; every request in it has its own, shorter deadline."""


def now() -> datetime:
    return datetime.now(UTC)


class Cluster:
    """The client and the views that the controllers of one process share."""

    def __init__(self, client: KubeClient) -> None:
        self.client = client
        self.pods = View(client, "", "v1", "pods")
        self.nodes = View(client, "", "v1", "nodes")
        self.services = View(client, "", "v1", "services")
        self.namespaces = View(client, "", "v1", "namespaces")
        self.deployments = View(client, "apps", "v1", "deployments")
        self.replica_sets = View(client, "apps", "v1", "replicasets")
        self.endpoint_slices = View(client, "discovery.k8s.io", "v1", "endpointslices")
        self.budgets = View(client, "policy", "v1", "poddisruptionbudgets")
        self.jobs = View(client, "batch", "v1", "jobs")
        self.claims = View(client, "", "v1", "persistentvolumeclaims")
        self.autoscalers = View(client, "autoscaling", "v2", "horizontalpodautoscalers")
        self.node_leases = View(client, "coordination.k8s.io", "v1", "leases", namespace="kube-node-lease")

    @property
    def views(self) -> list[View]:
        return [view for view in vars(self).values() if isinstance(view, View)]

    async def start(self) -> None:
        """Returns once every view is complete: for as long as the API server does not answer, it is asked again."""
        for view in self.views:
            view.informer.start()
        await asyncio.gather(*(view.informer.synced.wait() for view in self.views))

    async def stop(self) -> None:
        await asyncio.gather(*(view.informer.stop() for view in self.views))


class Controller:
    """Handlers ``add`` keys to the queue; ``workers`` tasks sync them, with back-off after a failure."""

    name = "controller"
    workers = 4

    def __init__(self, cluster: Cluster, recorder: EventRecorder) -> None:
        self.cluster = cluster
        self.client = cluster.client
        self.recorder = recorder
        self.queue = WorkQueue()
        self._tasks: list[asyncio.Task[None]] = []

    def watch(self) -> None:
        """Register the handlers that fill the queue."""
        raise NotImplementedError

    async def sync(self, key: Key) -> float | None:
        """Make one object true; return the seconds after which to look again, if time alone may change it."""
        raise NotImplementedError

    def start(self) -> None:
        self.watch()
        self._tasks = [asyncio.create_task(self._work(), name=self.name) for _ in range(self.workers)]

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.queue.close()

    def add_all(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self.queue.add(key)

    async def _work(self) -> None:
        while True:
            key = await self.queue.take()
            try:
                async with asyncio.timeout(SYNC_SECONDS):
                    again = await self.sync(key)  # type: ignore[arg-type]
            except (KubeError, aiohttp.ClientError, TimeoutError) as error:
                delay = self.queue.add_failed(key)
                expected = isinstance(error, KubeError) and error.status in (404, 409)
                log.log(
                    logging.DEBUG if expected else logging.WARNING,
                    "%s %s: %s; again in %.2f s",
                    self.name,
                    key,
                    error or type(error).__name__,
                    delay,
                )
            except Exception:
                delay = self.queue.add_failed(key)
                log.exception("%s %s failed; again in %.2f s", self.name, key, delay)
            else:
                self.queue.forget(key)
                if again is not None:
                    self.queue.add_after(key, again)
            finally:
                self.queue.done(key)
