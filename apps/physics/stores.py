"""What lies behind a storage tier: a place for chunks that several engines may share."""

from __future__ import annotations

from collections import OrderedDict
from typing import Protocol


class ChunkStore(Protocol):
    """Chunks by key (the hash of their last block); `size` in bytes. Nothing here takes simulated time."""

    def holds(self, key: int) -> bool:
        """Whether a lookup finds the chunk, readable or not."""
        ...

    def read(self, key: int, size: int) -> bool:
        """Whether its contents come whole."""
        ...

    def write(self, key: int, size: int) -> bool:
        """Whether it is there now."""
        ...


class MemoryStore:
    """A store in memory, for engines in virtual time. `capacity`: chunks that it keeps, the least recently used goes
    first; None keeps all."""

    def __init__(self, capacity: int | None = None) -> None:
        self._capacity = capacity
        self._chunks: OrderedDict[int, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._chunks)

    def holds(self, key: int) -> bool:
        return key in self._chunks

    def read(self, key: int, size: int) -> bool:
        found = key in self._chunks
        if found:
            self._chunks.move_to_end(key)
        return found

    def write(self, key: int, size: int) -> bool:
        self._chunks[key] = None
        self._chunks.move_to_end(key)
        if self._capacity is not None and len(self._chunks) > self._capacity:
            self._chunks.popitem(last=False)
        return True
