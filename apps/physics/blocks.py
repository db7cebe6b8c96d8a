"""The paged KV cache of one engine: reference-counted blocks, a prefix cache over them, eviction of the least recently used.

Behaves as vLLM V1's block pool: a free block keeps its content until it is taken again, blocks of an ended request
become free tail first (so that the front of a prefix outlives its end), and a prefix hit takes a free block back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class BlockEvent:
    """A block's content appeared on or vanished from a medium, as vLLM's KV events tell it."""

    type: Literal["stored", "removed"]
    hash: int
    parent: int | None = None
    medium: str = "GPU"


class BlockPool:
    """`num_blocks` blocks. `events` collects what changed until somebody takes it."""

    def __init__(self, num_blocks: int, *, caching: bool = True) -> None:
        if num_blocks < 1:
            raise ValueError(f"a KV cache needs at least one block, not {num_blocks}")
        self.num_blocks = num_blocks
        self._caching = caching
        self._untouched = num_blocks  # never used so far: blocks num_blocks - untouched … num_blocks - 1
        self._free: OrderedDict[int, None] = OrderedDict()  # head: next to be taken
        self._references: dict[int, int] = {}
        self._hash_of: dict[int, int] = {}
        self._block_of: dict[int, int] = {}
        self.events: list[BlockEvent] = []

    @property
    def free(self) -> int:
        return self._untouched + len(self._free)

    @property
    def used(self) -> int:
        """Blocks that some request holds."""
        return self.num_blocks - self.free

    @property
    def usage(self) -> float:
        """0..1, as vllm:kv_cache_usage_perc."""
        return self.used / self.num_blocks

    def hit(self, hashes: Sequence[int]) -> int:
        """How many leading blocks of `hashes` are in the cache."""
        if not self._caching:
            return 0
        count = 0
        for value in hashes:
            if value not in self._block_of:
                break
            count += 1
        return count

    def free_after_hit(self, hashes: Sequence[int]) -> int:
        """Blocks that remain free once these cached ones were taken back."""
        return self.free - sum(1 for value in hashes if self._block_of[value] in self._free)

    def take_cached(self, hashes: Sequence[int]) -> list[int]:
        """Hold the blocks with this content; all must be in the cache."""
        taken = []
        for value in hashes:
            block = self._block_of[value]
            if block in self._free:
                del self._free[block]
            self._references[block] = self._references.get(block, 0) + 1
            taken.append(block)
        return taken

    def take(self, count: int) -> list[int] | None:
        """Hold `count` empty blocks, evicting what was used longest ago; None (and nothing taken) if there are too few."""
        if count > self.free:
            return None
        taken = []
        for _ in range(count):
            if self._untouched:
                block = self.num_blocks - self._untouched
                self._untouched -= 1
            else:
                block, _ = self._free.popitem(last=False)
                self._forget(block)
            self._references[block] = 1
            taken.append(block)
        return taken

    def publish(self, block: int, value: int, parent: int | None) -> None:
        """The block is full and has this content from now on; a duplicate of cached content stays private."""
        if not self._caching or value in self._block_of:
            return
        self._hash_of[block] = value
        self._block_of[value] = block
        self.events.append(BlockEvent("stored", value, parent))

    def release(self, blocks: Sequence[int]) -> None:
        """Give blocks back, in the order of the sequence; its tail is evicted first."""
        for block in reversed(blocks):
            left = self._references[block] - 1
            if left:
                self._references[block] = left
                continue
            del self._references[block]
            self._free[block] = None
            if block not in self._hash_of:
                self._free.move_to_end(block, last=False)  # nothing to lose: taken before any cached content

    def take_events(self) -> list[BlockEvent]:
        events, self.events = self.events, []
        return events

    def _forget(self, block: int) -> None:
        value = self._hash_of.pop(block, None)
        if value is not None:
            del self._block_of[value]
            self.events.append(BlockEvent("removed", value))
