"""One watch: a kind in one namespace (or all), listed once and followed from there for as long as it goes."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from django.conf import settings

from apps.clusters.cache import Scope
from apps.clusters.domain.watching import (
    Bookmark,
    Change,
    Garbled,
    Heads,
    WatchGone,
    WatchMissed,
    WatchRefused,
    after_end,
    behind,
    change_of,
    heads_of,
    read_event,
    revision_of,
)
from apps.clusters.errors import Gone, KubeError, Throttled
from apps.clusters.informers.stream import Stream
from apps.clusters.kube import Resource

log = logging.getLogger(__name__)

# a stream must have been open for a moment before it counts: the past comes first
SETTLE_SECONDS = 1.0
# what a list knows before the watch tells of it comes within so long
PATIENCE_SECONDS = 3.0


@dataclass(frozen=True)
class Told:
    """Something for the cache. `changes` and where the watch is after them; `whole`: a whole list, which replaces."""

    scope: Scope
    changes: list[Change]
    revision: int
    whole: bool = False


@dataclass(frozen=True)
class Trouble:
    """A watch does not go on for now. `synced`: what is kept may still be taken for true."""

    scope: Scope
    error: str
    synced: bool


Tell = Callable[[Told | Trouble], Awaitable[None]]
# what the cache keeps of a scope
Kept = Callable[[Scope], Awaitable[Heads]]


class ScopeWatch:
    """Lists and watches one scope, forever. Tells `tell` in order; `open` says whether the stream goes on now."""

    def __init__(
        self, stream: Stream, resource: Resource, namespace: str, label: str, revision: int, tell: Tell, kept: Kept
    ) -> None:
        self._stream, self._resource, self._namespace = stream, resource, namespace
        self._label, self._tell, self._kept = label, tell, kept
        self._revision = revision
        self._opened_at: float | None = None
        self._listed_at = float("-inf")
        self._api_version = f"{resource.group}/{resource.version}" if resource.group else resource.version

    @property
    def scope(self) -> Scope:
        return (self._resource.key, self._namespace)

    @property
    def open(self) -> bool:
        return self._opened_at is not None and _now() - self._opened_at > SETTLE_SECONDS

    async def run(self) -> None:
        failures = 0
        if self._revision:
            self._listed_at = _now()
        while True:
            error: Exception | None = None
            try:
                if not self._revision or self._relist_due():
                    await self._list()
                    failures = 0
                await self._follow()
            except Gone as gone:
                error = WatchGone(str(gone))
            except (KubeError, WatchGone, WatchRefused, Garbled) as problem:
                error = problem
            if self._opened_at is not None and _now() - self._opened_at > SETTLE_SECONDS:
                failures = 0
            self._opened_at = None
            step = after_end(failures, error, random.random())  # noqa: S311  (jitter)
            failures = step.failures
            if step.step == "list":
                self._revision = 0
            if error is not None:
                log.info("watch of %s in %s: %s", self._resource.key, self._namespace or "all namespaces", error)
                # while the position is good, what is kept stays good until it is too long unconfirmed
                await self._tell(Trouble(self.scope, str(error), synced=step.step == "resume"))
            pause = max(step.pause, error.retry_after if isinstance(error, Throttled) else 0.0)
            await asyncio.sleep(pause)

    def _relist_due(self) -> bool:
        """Each kind is listed anew now and then, and compared: what a watch did not tell is found then."""
        return _now() - self._listed_at > settings.INFORMERS_RELIST_SECONDS * random.uniform(0.9, 1.1)  # noqa: S311

    async def _list(self) -> None:
        items, metadata = await self._stream.list(self._resource, self._namespace, self._label)
        self._revision = revision_of({"metadata": metadata})
        self._listed_at = _now()
        changes = [change_of(item, self._resource.key, self._api_version, self._label) for item in items]
        await self._tell(Told(self.scope, changes, self._revision, whole=True))

    async def _follow(self) -> None:
        """Watch until the watch ends or is seen to have kept something from us. Raises WatchMissed."""
        watch, check = asyncio.ensure_future(self._watch()), asyncio.ensure_future(self._check())
        try:
            await asyncio.wait({watch, check}, return_when=asyncio.FIRST_COMPLETED)
            for task in (watch, check):
                if task.done():
                    return task.result()
        finally:
            for task in (watch, check):
                task.cancel()
            await asyncio.gather(watch, check, return_exceptions=True)

    async def _check(self) -> None:
        """Compare versions with the cache now and then: one list of metadata, however many pools there are.

        Raises WatchMissed.
        """
        while True:
            await asyncio.sleep(settings.INFORMERS_CHECK_SECONDS * random.uniform(0.8, 1.2))  # noqa: S311  (jitter)
            try:
                items, metadata = await self._stream.list(self._resource, self._namespace, self._label, heads=True)
                listed, revision = heads_of(items), revision_of({"metadata": metadata})
            except (KubeError, Garbled) as problem:
                # the watch says so itself when it is the server
                log.info("check of %s: %s", self._resource.key, problem)
                continue
            suspects = behind(listed, revision, await self._kept(self.scope))
            if not suspects:
                continue
            await asyncio.sleep(PATIENCE_SECONDS)
            missed = suspects & behind(listed, revision, await self._kept(self.scope))
            if missed:
                names = ", ".join(sorted("/".join(key) for key in missed)[:5])
                raise WatchMissed(f"the watch goes on, but has not told of {len(missed)} changes ({names})")

    async def _watch(self) -> None:
        lines = self._stream.watch(self._resource, self._namespace, self._label, self._revision)
        async for line in lines:
            if not line:
                self._opened_at = _now()
                continue
            event = read_event(line, self._resource.key, self._api_version, self._label)
            # a server that repeats itself tells nothing new
            self._revision = max(self._revision, event.revision)
            await self._tell(Told(self.scope, [] if isinstance(event, Bookmark) else [event], self._revision))


def _now() -> float:
    return asyncio.get_running_loop().time()
