"""Answers of our own writes on their way to the cache: of a process that writes much, many in one statement.

They are written well before the watch tells of them, and before anything is settled that rests on them. Where answers
come seldom, because the cluster or the machine is slow, each is written at once.
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

# between two statements; less than informers gather what watches tell: what is kept by then is no news to them
PATIENCE_SECONDS = 0.025

_this = threading.local()


class _Gathering:
    """What the threads of a process have been answered and nobody has written yet."""

    def __init__(self) -> None:
        self._changed = threading.Lock()
        self._writing = threading.Lock()
        self._waiting: list[tuple[UUID, Change]] = []
        self._written_at = float("-inf")

    def add(self, cluster: UUID, change: Change) -> bool:
        """Whether it is time to write."""
        with self._changed:
            self._waiting.append((cluster, change))
            return time.monotonic() - self._written_at > PATIENCE_SECONDS

    def write(self) -> None:
        """Write all that was added. Raises DatabaseError: then what this and other threads had added is not written,
        and stays unknown until the watch tells of it."""
        with self._writing:
            with self._changed:
                batch, self._waiting = self._waiting, []
                self._written_at = time.monotonic()
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
