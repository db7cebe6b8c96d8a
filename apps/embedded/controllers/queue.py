"""A work queue of keys: one key is never handled twice at once, and failures come back later and later."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

FIRST_BACKOFF_S = 0.02
MAX_BACKOFF_S = 30.0


class WorkQueue:
    """Keys waiting to be handled. A key added while it waits is one key; added while it is handled, it comes again."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, None] = {}
        self._handling: set[Hashable] = set()
        self._again: set[Hashable] = set()
        self._failures: dict[Hashable, int] = {}
        self._timers: dict[Hashable, asyncio.TimerHandle] = {}
        self._available = asyncio.Event()

    def add(self, key: Hashable) -> None:
        if key in self._handling:
            self._again.add(key)
        else:
            self._waiting[key] = None
            self._available.set()

    def add_after(self, key: Hashable, seconds: float) -> None:
        """Add the key later; of two timers of one key the earlier wins."""
        loop = asyncio.get_running_loop()
        when = loop.time() + seconds
        pending = self._timers.get(key)
        if pending is not None:
            if pending.when() <= when:
                return
            pending.cancel()
        self._timers[key] = loop.call_at(when, self._timer_fired, key)

    def add_failed(self, key: Hashable) -> float:
        """Add the key after its back-off; returns the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(MAX_BACKOFF_S, FIRST_BACKOFF_S * 2.0**failures)
        self.add_after(key, delay)
        return delay

    def forget(self, key: Hashable) -> None:
        """The key was handled well: its back-off starts anew."""
        self._failures.pop(key, None)

    async def take(self) -> Hashable:
        """The next key; ``done`` must follow."""
        while not self._waiting:
            self._available.clear()
            await self._available.wait()
        key = next(iter(self._waiting))
        del self._waiting[key]
        self._handling.add(key)
        return key

    def done(self, key: Hashable) -> None:
        self._handling.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def close(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _timer_fired(self, key: Hashable) -> None:
        self._timers.pop(key, None)
        self.add(key)
