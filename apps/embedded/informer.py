"""A local, always current copy of one collection of a Kubernetes API, by list and watch."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp

from apps.embedded.client import KubeClient, KubeError, Object

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""(namespace, name); the namespace is "" for cluster-scoped objects."""

MAX_BACKOFF_S = 5.0


@dataclass(frozen=True)
class Change:
    """One change of the copy: ``old`` is None for an addition; ``new`` is the last state for a deletion."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    key: Key
    old: Object | None
    new: Object


def object_key(obj: Object) -> Key:
    return obj["metadata"].get("namespace", ""), obj["metadata"]["name"]


class Informer:
    """List, then watch from there; on a broken connection resume, on 410 list again and work out what changed.

    ``cache`` maps (namespace, name) to the object: read it freely, never change what is in it. Handlers are called in
    the event loop, synchronously and in order; they must not block. Deletions that happened unseen are reported too.
    """

    def __init__(
        self,
        client: KubeClient,
        group: str,
        version: str,
        plural: str,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        metadata_only: bool = False,
    ) -> None:
        self._client = client
        self._resource = (group, version, plural)
        self._scope: dict[str, Any] = {
            "namespace": namespace,
            "label_selector": label_selector,
            "field_selector": field_selector,
            "metadata_only": metadata_only,
        }
        self._handlers: list[Callable[[Change], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._resource_version: str | None = None
        self.cache: dict[Key, Object] = {}
        self.synced = asyncio.Event()

    def on_change(self, handler: Callable[[Change], None]) -> None:
        """Register a handler; what is in the cache already is reported to it as ADDED first."""
        self._handlers.append(handler)
        for key, obj in list(self.cache.items()):
            self._call(handler, Change("ADDED", key, None, obj))

    def start(self) -> Informer:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"informer:{'/'.join(self._resource)}")
        return self

    async def wait_synced(self, timeout: float = 30.0) -> Informer:
        """Wait for the first complete list. TimeoutError after ``timeout`` seconds."""
        async with asyncio.timeout(timeout):
            await self.synced.wait()
        return self

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def get(self, namespace: str, name: str) -> Object | None:
        return self.cache.get((namespace, name))

    def values(self) -> list[Object]:
        return list(self.cache.values())

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                if self._resource_version is None:
                    await self._list()
                    failures = 0
                await self._watch()
                failures = 0
            except (aiohttp.ClientError, TimeoutError, ConnectionError, KubeError) as error:
                if isinstance(error, KubeError) and error.status == 410:
                    self._resource_version = None
                    continue
                failures += 1
                delay = min(MAX_BACKOFF_S, 0.1 * 2**failures) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter
                log.log(
                    logging.WARNING if failures == 5 else logging.DEBUG,
                    "%s: %s; trying again in %.1f s",
                    "/".join(self._resource),
                    error or type(error).__name__,
                    delay,
                )
                await asyncio.sleep(delay)
            except Exception:  # a copy that is no longer followed would be worse than a wrong line once
                log.exception("%s: listed again in %.0f s", "/".join(self._resource), MAX_BACKOFF_S)
                self._resource_version = None
                await asyncio.sleep(MAX_BACKOFF_S)

    async def _list(self) -> None:
        listed = await self._client.list(*self._resource, **self._scope)
        found = {object_key(obj): obj for obj in listed["items"]}
        for key in [key for key in self.cache if key not in found]:
            self._apply("DELETED", key, self.cache[key])
        for key, obj in found.items():
            known = self.cache.get(key)
            if known is None:
                self._apply("ADDED", key, obj)
            elif known["metadata"]["resourceVersion"] != obj["metadata"]["resourceVersion"]:
                self._apply("MODIFIED", key, obj)
        self._resource_version = listed["metadata"]["resourceVersion"]
        self.synced.set()

    async def _watch(self) -> None:
        async for kind, obj in self._client.watch(
            *self._resource, **self._scope, resource_version=self._resource_version
        ):
            if kind != "BOOKMARK":
                key = object_key(obj)
                if kind == "DELETED":
                    if key in self.cache:
                        self._apply("DELETED", key, obj)
                else:
                    self._apply("MODIFIED" if key in self.cache else "ADDED", key, obj)
            self._resource_version = obj["metadata"]["resourceVersion"]

    def _apply(self, kind: Literal["ADDED", "MODIFIED", "DELETED"], key: Key, obj: Object) -> None:
        old = self.cache.get(key)
        if kind == "DELETED":
            self.cache.pop(key, None)
        else:
            self.cache[key] = obj
        change = Change(kind, key, old, obj)
        for handler in self._handlers:
            self._call(handler, change)

    def _call(self, handler: Callable[[Change], None], change: Change) -> None:
        try:
            handler(change)
        except Exception:
            log.exception("a handler of %s failed on %s", "/".join(self._resource), change.key)
