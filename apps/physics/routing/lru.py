"""The approximate prefix index: which replica has been sent which prompt prefixes.

Each replica has an LRU list of block hashes. What is recorded is a guess made at routing time: evictions in the engine
are not seen. Source: Gateway API inference extension, approximate prefix cache plugin.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

DEFAULT_CAPACITY = 31_250
"""Hashes kept for a replica whose number of KV blocks is not known."""


class PrefixIndex:
    """Per replica, the hashes that it was sent, least recently used first out."""

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        self._default = capacity
        self._seen: dict[Hashable, OrderedDict[int, None]] = {}
        self._capacity: dict[Hashable, int] = {}

    def match(self, endpoint: Hashable, hashes: Sequence[int]) -> int:
        """How many of `hashes` the replica has, counted from the start until the first that it has not."""
        seen = self._seen.get(endpoint)
        if not seen:
            return 0
        for count, value in enumerate(hashes):
            if value not in seen:
                return count
        return len(hashes)

    def record(self, endpoint: Hashable, hashes: Sequence[int]) -> None:
        """A request with this prompt was sent to the replica."""
        seen = self._seen.setdefault(endpoint, OrderedDict())
        # the last block is put in first, so that a prefix outlives what follows it
        for value in reversed(hashes):
            seen[value] = None
            seen.move_to_end(value)
        self._trim(endpoint)

    def resize(self, endpoint: Hashable, capacity: int) -> None:
        """The replica holds `capacity` blocks."""
        self._capacity[endpoint] = max(capacity, 1)
        self._trim(endpoint)

    def forget(self, endpoint: Hashable) -> None:
        """The replica is gone, or is a new process with an empty cache."""
        self._seen.pop(endpoint, None)
        self._capacity.pop(endpoint, None)

    def size(self, endpoint: Hashable | None = None) -> int:
        """Hashes kept, of one replica or of all."""
        kept = self._seen.values() if endpoint is None else [self._seen.get(endpoint, OrderedDict())]
        return sum(map(len, kept))

    def _trim(self, endpoint: Hashable) -> None:
        seen = self._seen.get(endpoint)
        capacity = self._capacity.get(endpoint, self._default)
        while seen and len(seen) > capacity:
            seen.popitem(last=False)
