"""One listener on the outbox per process; every open stream gets its lines through a bounded queue.

The listener holds one connection of its own, in autocommit, outside of Django's pool. A notification says only that
there is something: lines are read from the table, in order of their ids, so a lost notification (or a lost connection)
delays lines by a poll at most and never drops one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import threading
from collections import deque
from types import FrameType
from typing import Any, Literal
from weakref import WeakKeyDictionary, WeakSet

import psycopg
from django.db import connections

from apps.console.domain.sse import Changed
from apps.core.outbox import CHANNEL

__all__ = ["Broadcaster", "Subscription", "TooManyStreams", "broadcaster"]

log = logging.getLogger(__name__)

_POLL_SECONDS = 5.0
_CONNECT_SECONDS = 5
_FIRST_BACKOFF, _LAST_BACKOFF = 0.2, 5.0
_BATCH = 500
_QUEUE = 1000
_MOST_STREAMS = 2000

_READ = """
    SELECT id, kind, uid, team, name, verb, generation, fields FROM core_outboxevent
    WHERE id > %s AND id <= %s ORDER BY id LIMIT %s
"""
_EVERYTHING = 2**63 - 1


class TooManyStreams(Exception):
    """This process has as many open streams as it may have."""


class Subscription:
    """A stream's end of the queue. A reader that is too slow loses its place: `next` then says "reset"."""

    def __init__(self) -> None:
        # every line after this id comes through the queue; known once the listener listens
        self.start: int | None = None
        self._events: deque[Changed] = deque()
        self._lost = False
        self._closed = False
        self._wake = asyncio.Event()

    def offer(self, event: Changed) -> None:
        if self._lost or self._closed:
            return
        if len(self._events) >= _QUEUE:
            self.lose()
            return
        self._events.append(event)
        self._wake.set()

    def lose(self) -> None:
        self._events.clear()
        self._lost = True
        self._wake.set()

    def close(self) -> None:
        self._closed = True
        self._wake.set()

    async def next(self, seconds: float) -> Changed | Literal["reset", "closed", "quiet"]:
        """The next line; "quiet" when there is none within `seconds`; "closed" when the process goes away."""
        if not (self._events or self._lost or self._closed):
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), seconds)
        if self._closed:
            return "closed"
        if self._lost:
            self._lost = False
            return "reset"
        return self._events.popleft() if self._events else "quiet"


class Broadcaster:
    """Listens while there is at least one subscription. `position`: id of the last line given out."""

    def __init__(self) -> None:
        self.position = 0
        # weak: a stream that was cancelled before its first line never says good-bye
        self._subscriptions: WeakSet[Subscription] = WeakSet()
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._stopping = False

    async def subscribe(self) -> tuple[Subscription, int]:
        """A subscription, and the id after which it gets every line.

        Raises TooManyStreams; TimeoutError when the database cannot be listened to now.
        """
        if self._stopping or len(self._subscriptions) >= _MOST_STREAMS:
            raise TooManyStreams
        subscription = Subscription()
        if self._ready.is_set():
            subscription.start = self.position
        self._subscriptions.add(subscription)
        if self._task is None or self._task.done():
            self._ready.clear()
            subscription.start = None
            self._task = asyncio.create_task(self._run(), name="outbox-listener")
        try:
            await asyncio.wait_for(self._ready.wait(), _CONNECT_SECONDS)
        except BaseException:
            self.unsubscribe(subscription)
            raise
        assert subscription.start is not None
        return subscription, subscription.start

    def unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions.discard(subscription)
        if not self._subscriptions and self._task is not None:
            self._task.cancel()
            self._task = None
            self._ready.clear()

    def stop(self) -> None:
        """End all streams, so that the server can stop; readers come back to its successor with their ids."""
        self._stopping = True
        for subscription in list(self._subscriptions):
            subscription.close()

    async def _run(self) -> None:
        backoff = _FIRST_BACKOFF
        fresh = True
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(**_parameters(), autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    newest, oldest = await _bounds(connection)
                    if fresh:
                        self.position, fresh = newest, False
                    elif newest < self.position or oldest > self.position + 1:
                        # another database, or lines were trimmed while there was no connection
                        self.position = newest
                        for subscription in self._subscriptions:
                            subscription.lose()
                    for subscription in self._subscriptions:
                        if subscription.start is None:
                            subscription.start = self.position
                    self._ready.set()
                    backoff = _FIRST_BACKOFF
                    while self._subscriptions:
                        await self._drain(connection)
                        async for _ in connection.notifies(timeout=_POLL_SECONDS, stop_after=1):
                            pass
                    self._ready.clear()
                    return
            except (psycopg.Error, OSError) as error:
                log.warning("the event stream lost the database (%s); trying again", _short(error))
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _LAST_BACKOFF)

    async def _drain(self, connection: psycopg.AsyncConnection[Any]) -> None:
        while True:
            cursor = await connection.execute(_READ, [self.position, _EVERYTHING, _BATCH])
            rows = await cursor.fetchall()
            for row in rows:
                event = changed(row)
                self.position = event.id
                for subscription in self._subscriptions:
                    subscription.offer(event)
            if len(rows) < _BATCH:
                return


def changed(row: tuple[Any, ...]) -> Changed:
    """A row of the outbox (id, kind, uid, team, name, verb, generation, fields)."""
    id_, kind, uid, team, name, verb, generation, fields = row
    return Changed(id_, kind, str(uid), team, name, verb, generation, tuple(fields))


async def _bounds(connection: psycopg.AsyncConnection[Any]) -> tuple[int, int]:
    """The newest and the oldest id in the outbox; (0, 0) when it is empty."""
    cursor = await connection.execute("SELECT coalesce(max(id), 0), coalesce(min(id), 0) FROM core_outboxevent")
    newest, oldest = await cursor.fetchone() or (0, 0)
    return int(newest), int(oldest)


def _parameters() -> dict[str, Any]:
    """How Django reaches the database, for a connection of our own."""
    known = connections["default"].get_connection_params()
    kept = {key: value for key, value in known.items() if key not in ("cursor_factory", "context")}
    return {**kept, "connect_timeout": _CONNECT_SECONDS, "application_name": "lamplight-stream"}


def _short(error: Exception) -> str:
    return str(error).strip().split("\n")[0] or type(error).__name__


_by_loop: WeakKeyDictionary[asyncio.AbstractEventLoop, Broadcaster] = WeakKeyDictionary()


def broadcaster() -> Broadcaster:
    """The one of this event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _by_loop:
        _by_loop[loop] = Broadcaster()
        _stop_on_signals(loop)
    return _by_loop[loop]


def _stop_on_signals(loop: asyncio.AbstractEventLoop) -> None:
    """End the streams when the server is asked to stop: it waits for open answers, and these never end."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)

        def handle(received: int, frame: FrameType | None, before: Any = before) -> None:
            found = _by_loop.get(loop)
            if found is not None and not loop.is_closed():
                loop.call_soon_threadsafe(found.stop)
            if callable(before):
                before(received, frame)
            elif before == signal.SIG_DFL:
                signal.signal(received, signal.SIG_DFL)
                signal.raise_signal(received)

        signal.signal(number, handle)
