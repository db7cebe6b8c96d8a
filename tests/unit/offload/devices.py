"""A device that keeps blocks as vLLM does, told of in KV events; and the exact answer of LRU caches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from apps.offload.domain.events import BlockRemoved, BlockStored, Event

__all__ = ["Device", "exact_hits"]


class Device:
    """`capacity` blocks; of a request the end is let go of before the beginning."""

    def __init__(self, capacity: int, block_size: int = 16) -> None:
        self.capacity, self.block_size = capacity, block_size
        self.kept: OrderedDict[int, None] = OrderedDict()
        self.hits = self.wanted = 0

    def request(self, blocks: Sequence[int]) -> list[Event]:
        """The events of a request for a prompt of these blocks."""
        held = 0
        while held < len(blocks) and blocks[held] in self.kept:
            held += 1
        self.hits += held
        self.wanted += len(blocks)
        events: list[Event] = []
        # what the request uses cannot be evicted for it; a prompt beyond the device is cut there
        for block in blocks[:held]:
            self.kept.move_to_end(block)
        new = [b for b in blocks[held : self.capacity] if b not in self.kept]
        removed = []
        while len(self.kept) + len(new) > self.capacity:
            removed.append(self.kept.popitem(last=False)[0])
        if removed:
            events.append(BlockRemoved(removed))
        if new:
            events.append(BlockStored(new, blocks[held - 1] if held else None, self.block_size))
        for block in reversed(blocks[: self.capacity]):
            self.kept[block] = None
            self.kept.move_to_end(block)
        return events


def exact_hits(requests: Sequence[Sequence[int]], capacity: int) -> int:
    """Blocks found by an LRU cache of `capacity` blocks, prefix by prefix."""
    device = Device(capacity)
    for blocks in requests:
        device.request(blocks)
    return device.hits
