"""Paged KV blocks with reference counts and a prefix cache, as vLLM's block pool keeps them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence


class BlockPool:
    """`usable` blocks of KV memory, numbered from 0.

    A block is in use (reference count > 0) or free. A free block may still hold a cached block's contents: it can be
    taken back by hash until it is handed out anew. Free blocks are handed out least recently used first; a request
    returns its tail first, so that the common beginnings of prompts stay longest.
    """

    def __init__(self, usable: int) -> None:
        self.usable = usable
        self.removed: list[int] = []
        """Hashes evicted since the list was last emptied."""
        self._references = [0] * usable
        self._never_used = 0
        self._free: OrderedDict[int, None] = OrderedDict()
        self._hash_of: dict[int, int] = {}
        self._block_of: dict[int, int] = {}
        self._copies: dict[int, list[int]] = {}

    @property
    def free(self) -> int:
        """Blocks that can be handed out, those with cached contents included."""
        return self.usable - self._never_used + len(self._free)

    @property
    def usage(self) -> float:
        """Share of blocks in use, 0..1 (`vllm:kv_cache_usage_perc`)."""
        return 1.0 - self.free / self.usable

    @property
    def cached(self) -> int:
        """Distinct block hashes that can be found."""
        return len(self._block_of)

    def find_prefix(self, hashes: Sequence[int], limit: int) -> list[int]:
        """Blocks that hold the longest cached prefix of `hashes`, `limit` blocks at most."""
        found: list[int] = []
        lookup = self._block_of.get
        for index in range(min(limit, len(hashes))):
            block = lookup(hashes[index])
            if block is None:
                break
            found.append(block)
        return found

    def reclaimable(self, blocks: Sequence[int]) -> int:
        """How many of `blocks` are free now: taking them costs as much as new ones."""
        return sum(1 for block in blocks if not self._references[block])

    def take(self, blocks: Sequence[int]) -> None:
        """Add one reference to each of `blocks` (found in the cache)."""
        references = self._references
        for block in blocks:
            if not references[block]:
                del self._free[block]
            references[block] += 1

    def allocate(self, count: int) -> list[int]:
        """`count` blocks with one reference each; their cached contents are gone. The caller has checked `free`."""
        fresh = min(count, self.usable - self._never_used)
        blocks = list(range(self._never_used, self._never_used + fresh))
        self._never_used += fresh
        for _ in range(count - fresh):
            block, _none = self._free.popitem(last=False)
            if block in self._hash_of:
                self._forget(block)
            blocks.append(block)
        references = self._references
        for block in blocks:
            references[block] = 1
        return blocks

    def release(self, blocks: Sequence[int]) -> None:
        """Give back one reference to each of a request's blocks, in prompt order; the tail becomes free first."""
        references, free = self._references, self._free
        for block in reversed(blocks):
            references[block] -= 1
            if not references[block]:
                free[block] = None

    def store(self, block: int, block_hash: int) -> None:
        """Let `block`, which is in use and now full, be found under `block_hash`."""
        self._hash_of[block] = block_hash
        if block_hash in self._block_of:
            self._copies.setdefault(block_hash, []).append(block)
        else:
            self._block_of[block_hash] = block

    def clear(self) -> bool:
        """Forget every cached block; refused (False) while any block is in use, as vLLM's reset_prefix_cache does."""
        if self.free != self.usable:
            return False
        self._hash_of.clear()
        self._block_of.clear()
        self._copies.clear()
        return True

    def _forget(self, block: int) -> None:
        block_hash = self._hash_of.pop(block)
        copies = self._copies.get(block_hash)
        if copies is None:
            del self._block_of[block_hash]
        else:
            if self._block_of[block_hash] == block:
                self._block_of[block_hash] = copies.pop(0)
            else:
                copies.remove(block)
            if not copies:
                del self._copies[block_hash]
        self.removed.append(block_hash)
