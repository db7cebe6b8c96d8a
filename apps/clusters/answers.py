"""Answers of our own writes on their way to the cache: of a process that writes much, many in one statement.

They are written well before the watch tells of them, and before anything is settled that rests on them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from apps.clusters import cache
from apps.clusters.domain.watching import Change

__all__ = ["gathered", "put"]

# less than informers gather what watches tell: what is kept by then is no news to them
PATIENCE_SECONDS = 0.025

_this = threading.local()


class _Gathering:
    """What the threads of a process have been answered and nobody has written yet."""

    def __init__(self) -> None:
        self._changed = threading.Lock()
        self._writing = threading.Lock()
        self._waiting: list[tuple[UUID, Change]] = []
        self._since = 0.0

    def add(self, cluster: UUID, change: Change) -> bool:
        """Whether it is time to write."""
        now = time.monotonic()
        with self._changed:
            if not self._waiting:
                self._since = now
            self._waiting.append((cluster, change))
            return now - self._since > PATIENCE_SECONDS

    def write(self) -> None:
        """When it returns, all that was added before is written. Raises DatabaseError: then it may not be."""
        with self._writing:
            with self._changed:
                batch, self._waiting = self._waiting, []
            cache.put_several(batch)


_gathering = _Gathering()


def put(cluster: UUID, obj: Mapping[str, Any]) -> None:
    """Keep the answer of a write of ours: now, or within a block of `gathered` a moment later."""
    change = cache.kept_change(obj)
    if change is None:
        return
    if not getattr(_this, "gathers", False):
        cache.put_several([(cluster, change)])
    elif _gathering.add(cluster, change):
        _gathering.write()


@contextmanager
def gathered() -> Iterator[None]:
    """What this thread puts inside is written with what other threads put, at the latest at the end of the block."""
    _this.gathers = True
    try:
        yield
    finally:
        _this.gathers = False
        _gathering.write()
