"""The informer process: a watch set for every declared cluster, started, stopped and started anew as they change."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import socket
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.db import DatabaseError, InterfaceError

from apps.clusters import cache, selectors
from apps.clusters.cache import WatchSetLost
from apps.clusters.errors import KubeError
from apps.clusters.informers.owned import Owned, owned
from apps.clusters.informers.watchset import WatchSet, _sql
from apps.clusters.models import Cluster
from apps.core import memory

log = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
AGAIN_SECONDS = 5.0


@dataclass(frozen=True)
class _Wanted:
    """A cluster to watch, as it is declared now: a change of anything here starts its watches anew."""

    uid: UUID
    fingerprint: tuple[Any, ...]


class Informers:
    """Keeps the cache of all clusters. Two processes are harmless: each cluster is watched by one of them."""

    def __init__(self, entry: Owned) -> None:
        self._owned = entry
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}"
        self._running: dict[UUID, tuple[_Wanted, asyncio.Task[None]]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Watch until `stop`. A database that is away is waited for."""
        memory.settle()
        try:
            while not stop.is_set():
                try:
                    await self._look()
                except (DatabaseError, InterfaceError) as error:
                    log.warning("the database is away: %s", error)
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await stop.wait()
                except TimeoutError:
                    continue
        finally:
            await self._stop(list(self._running))

    async def _look(self) -> None:
        wanted = await _sql(_declared)
        await self._stop([uid for uid, (was, _) in self._running.items() if wanted.get(uid) != was])
        for uid in await _sql(cache.known_clusters):
            if uid not in wanted:
                await _sql(cache.forget, uid)
        for uid, entry in wanted.items():
            if uid not in self._running:
                task = asyncio.create_task(self._keep(uid), name=f"watch set {uid}")
                self._running[uid] = (entry, task)

    async def _stop(self, uids: list[UUID]) -> None:
        tasks = [self._running.pop(uid)[1] for uid in uids]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, uid: UUID) -> None:
        """One cluster, for ever: whatever ends its watch set, it is begun anew a little later."""
        while True:
            try:
                kube, namespaces = await _sql(_way_in, uid)
                await WatchSet(uid, namespaces, kube, self._owned, self._holder).run()
            except* WatchSetLost as lost:
                log.debug("%s", lost.exceptions[0])
            except* (KubeError, DatabaseError, InterfaceError) as errors:
                log.info("watching cluster %s: %s", uid, errors.exceptions[0])
            except* Exception:
                log.exception("watching cluster %s failed", uid)
            await asyncio.sleep(AGAIN_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311  (jitter)


def _declared() -> dict[UUID, _Wanted]:
    found = {}
    for cluster in Cluster.objects.living():
        spec = selectors.spec_of(cluster)
        fingerprint = (cluster.generation, *selectors.credentials_of(cluster).fingerprint(), spec.namespaces)
        found[cluster.uid] = _Wanted(cluster.uid, fingerprint)
    return found


def _way_in(uid: UUID) -> tuple[Any, tuple[str, ...]]:
    cluster = Cluster.objects.get(uid=uid)
    return selectors.kube_for(cluster), selectors.spec_of(cluster).namespaces


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    entry = owned()
    assert entry is not None, "no room has said what it owns"

    async def run() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await Informers(entry).run(stop)

    asyncio.run(run())
