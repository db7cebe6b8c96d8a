"""All watches of one cluster, and the one place that writes what they tell."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from uuid import UUID

from django.db import DatabaseError, InterfaceError, connection

from apps.clusters import cache
from apps.clusters.cache import Scope, WatchSetLost
from apps.clusters.domain.watching import Change, Heads
from apps.clusters.errors import KubeError
from apps.clusters.informers.owned import Owned
from apps.clusters.informers.scope import ScopeWatch, Told, Trouble
from apps.clusters.informers.stream import Stream
from apps.clusters.kube import Kube, Resource

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 3.0
DISCOVER_SECONDS = 60.0
# changes that come together are written together: a start of ten pods is one transaction, not fifty
GATHER_SECONDS = 0.05
# the last of them may tell of a write of ours whose answer is on its way to the cache: when that is there first, it is
# no news, and nobody looks at the pool once more for it
ANSWERED_SECONDS = 0.05
MOST_AT_ONCE = 500
MOST_WAITING = 5000

T = TypeVar("T")


class WatchSet:
    """Watches one cluster until it is cancelled or another process has taken it over."""

    def __init__(self, cluster: UUID, namespaces: Sequence[str], kube: Kube, owned: Owned, holder: str) -> None:
        self._cluster, self._namespaces, self._kube = cluster, tuple(namespaces), kube
        self._owned, self._holder = owned, holder
        # bounded: while the database is away the streams wait, and the servers' buffers after them
        self._told: asyncio.Queue[Told | Trouble] = asyncio.Queue(MOST_WAITING)
        self._watches: dict[Scope, ScopeWatch] = {}

    async def run(self) -> None:
        """Raises WatchSetLost, KubeError (the cluster cannot even be asked what it has), DatabaseError."""
        if not await _sql(cache.hold, self._cluster, self._holder):
            raise WatchSetLost(f"cluster {self._cluster} is watched by another process")
        try:
            while True:
                scopes = await self._scopes()
                await self._watch(scopes)
        finally:
            with contextlib.suppress(DatabaseError, InterfaceError):
                await asyncio.shield(_sql(cache.let_go, self._cluster, self._holder))

    async def _scopes(self) -> dict[Scope, Resource]:
        present = await self._with_heartbeat(asyncio.to_thread(self._kube.resources, fresh=True))
        places = self._namespaces or ("",)
        return {(kind, place): present[kind] for kind in self._owned.resources if kind in present for place in places}

    async def _watch(self, scopes: dict[Scope, Resource]) -> None:
        """Watch these scopes until the cluster's kinds change."""
        positions = await _sql(cache.begin, self._cluster, self._holder, list(scopes))
        async with Stream(self._kube) as stream, asyncio.TaskGroup() as group:
            for (kind, namespace), resource in scopes.items():
                watch = ScopeWatch(
                    stream,
                    resource,
                    namespace,
                    self._owned.label,
                    positions[(kind, namespace)],
                    self._told.put,
                    self._kept,
                )
                self._watches[watch.scope] = watch
            tasks = [group.create_task(watch.run()) for watch in self._watches.values()]
            tasks.append(group.create_task(self._heartbeat()))
            tasks.append(group.create_task(self._write()))
            try:
                await self._until_kinds_change(set(scopes))
            finally:
                for task in tasks:
                    task.cancel()
                self._watches.clear()
                while not self._told.empty():
                    self._told.get_nowait()

    async def _kept(self, scope: Scope) -> Heads:
        return await _sql(cache.heads, self._cluster, scope)

    async def _until_kinds_change(self, scopes: set[Scope]) -> None:
        while True:
            await asyncio.sleep(DISCOVER_SECONDS)
            try:
                if set(await self._scopes()) != scopes:
                    return
            except KubeError:
                continue  # the watches say so themselves

    async def _heartbeat(self) -> None:
        while True:
            going = [watch.scope for watch in self._watches.values() if watch.open]
            if not await _sql(cache.confirm, self._cluster, self._holder, going):
                raise WatchSetLost(f"cluster {self._cluster} is watched by another process")
            await asyncio.sleep(HEARTBEAT_SECONDS if len(going) == len(self._watches) else 0.5)

    async def _with_heartbeat(self, work: Any) -> Any:
        """Wait for `work` and keep the lease meanwhile."""
        task = asyncio.ensure_future(work)
        while not task.done():
            await asyncio.wait({task}, timeout=HEARTBEAT_SECONDS)
            if not task.done() and not await _sql(cache.hold, self._cluster, self._holder):
                raise WatchSetLost(f"cluster {self._cluster} is watched by another process")
        return task.result()

    async def _write(self) -> None:
        """Write what the watches tell, in their order, many at once. What cannot be written now is written later."""
        while True:
            batch = [await self._told.get()]
            await asyncio.sleep(GATHER_SECONDS)
            while len(batch) < MOST_AT_ONCE and not self._told.empty():
                batch.append(self._told.get_nowait())
            await asyncio.sleep(ANSWERED_SECONDS)
            await self._until_written(batch)

    async def _until_written(self, batch: list[Told | Trouble]) -> None:
        changes: list[Change] = []
        positions: dict[Scope, int] = {}
        for told in batch:
            if isinstance(told, Told) and not told.whole:
                changes += told.changes
                positions[told.scope] = told.revision
                continue
            # a list or a trouble comes after what was told before it
            await self._changed(changes, positions)
            changes, positions = [], {}
            if isinstance(told, Told):
                await _sql(cache.listed, self._cluster, self._holder, told.scope, told.changes, told.revision)
            else:
                await _sql(cache.lost, self._cluster, self._holder, told.scope, told.error, synced=told.synced)
        await self._changed(changes, positions)

    async def _changed(self, changes: list[Change], positions: dict[Scope, int]) -> None:
        if positions:
            await _sql(cache.changed, self._cluster, self._holder, changes, positions)


async def _sql(function: Callable[..., T], *args: Any, **named: Any) -> T:
    """Run a database function in a thread, which gives its connection back."""

    def work() -> T:
        try:
            return function(*args, **named)
        finally:
            connection.close()

    return await asyncio.to_thread(work)
