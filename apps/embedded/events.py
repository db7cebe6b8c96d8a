"""Recording Events: what happened to an object, in a person's words. Repetitions are counted, not repeated."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from datetime import UTC, datetime

import aiohttp

from apps.embedded.client import KubeClient, KubeError
from apps.embedded.domain.objects import Object, micro_time, rfc3339

log = logging.getLogger(__name__)

KNOWN_EVENTS = 1024
QUEUED_EVENTS = 1000


class EventRecorder:
    """Writes core/v1 Events in the background. Losing one loses no work, so failures are logged and left."""

    def __init__(self, client: KubeClient, component: str, host: str = "") -> None:
        self._client = client
        self._component = component
        self._host = host
        self._known: OrderedDict[tuple[str, ...], tuple[str, int]] = OrderedDict()
        self._queue: asyncio.Queue[tuple[Object, str, str, str, str | None]] = asyncio.Queue(QUEUED_EVENTS)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> EventRecorder:
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"events:{self._component}")
        return self

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def event(
        self,
        obj: Object,
        reason: str,
        message: str,
        *,
        warning: bool = False,
        action: str | None = None,
        field_path: str | None = None,
    ) -> None:
        """Record that ``reason`` happened to ``obj``. With ``action`` it is written in the newer form of events."""
        involved = {
            "kind": obj.get("kind", ""),
            "namespace": obj["metadata"].get("namespace", ""),
            "name": obj["metadata"]["name"],
            "uid": obj["metadata"].get("uid", ""),
            "apiVersion": obj.get("apiVersion", ""),
            "resourceVersion": obj["metadata"].get("resourceVersion", ""),
        }
        if field_path:
            involved["fieldPath"] = field_path
        involved = {key: value for key, value in involved.items() if value}
        try:
            self._queue.put_nowait((involved, reason, message, "Warning" if warning else "Normal", action))
        except asyncio.QueueFull:
            log.warning("too many events at once: %s of %s is not recorded", reason, involved["name"])

    async def _run(self) -> None:
        while True:
            involved, reason, message, type_, action = await self._queue.get()
            try:
                await self._write(involved, reason, message, type_, action)
            except (KubeError, aiohttp.ClientError, TimeoutError) as error:
                log.debug("event %s of %s not recorded: %s", reason, involved["name"], error)

    async def _write(self, involved: Object, reason: str, message: str, type_: str, action: str | None) -> None:
        namespace = involved.get("namespace", "default")
        key = (involved.get("uid", ""), involved.get("fieldPath", ""), reason, message, type_)
        now = datetime.now(UTC)
        if key in self._known and await self._repeat(key, namespace, action, now):
            return
        name = f"{involved['name']}.{time.time_ns():x}"
        body: Object = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": involved,
            "reason": reason,
            "message": message[:1024],
            "type": type_,
            "reportingComponent": self._component,
        }
        if action is None:
            source = {"component": self._component, **({"host": self._host} if self._host else {})}
            body |= {
                "source": source,
                "firstTimestamp": rfc3339(now),
                "lastTimestamp": rfc3339(now),
                "count": 1,
                "reportingInstance": self._host,
            }
        else:
            body |= {
                "eventTime": micro_time(now),
                "action": action,
                "reportingInstance": f"{self._component}-{self._host or 'embedded'}",
            }
        await self._client.create("", "v1", "events", body)
        self._known[key] = (name, 1)
        while len(self._known) > KNOWN_EVENTS:
            self._known.popitem(last=False)

    async def _repeat(self, key: tuple[str, ...], namespace: str, action: str | None, now: datetime) -> bool:
        name, count = self._known[key]
        patch: Object = (
            {"count": count + 1, "lastTimestamp": rfc3339(now)}
            if action is None
            else {"series": {"count": count + 1, "lastObservedTime": micro_time(now)}}
        )
        try:
            await self._client.patch("", "v1", "events", name, patch, namespace=namespace)
        except KubeError as error:
            if error.status != 404:
                raise
            del self._known[key]
            return False
        self._known[key] = (name, count + 1)
        self._known.move_to_end(key)
        return True
