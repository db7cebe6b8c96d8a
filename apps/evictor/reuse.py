"""What KV events say of use: when each block was used last, what came before it, after how long blocks come back."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_BUCKETS_PER_OCTAVE = 4


class Reuse:
    """Follows the events of all engines. `most_blocks` bounds the memory: about 300 bytes a block."""

    def __init__(self, most_blocks: int = 500_000) -> None:
        self._most = most_blocks
        # block -> [parent, when used last, depth]; the latest used are at the end
        self._blocks: OrderedDict[int, list[Any]] = OrderedDict()
        self._gaps: dict[int, int] = {}
        self.uses = 0
        self.stored_chunks = 0
        """Chunks that engines said they stored since this was last set to 0."""

    def __len__(self) -> int:
        return len(self._blocks)

    def event(self, event: Any, at: float) -> None:
        """Take in one event, as a map or as the older positional array; `at` in Unix seconds."""
        kind, hashes, parent, medium = _read(event)
        if kind != "BlockStored":
            return
        if medium == "STORAGE":
            self.stored_chunks += len(hashes)
            for block in hashes:
                self._blocks.setdefault(block, [None, at, 0])
            return
        for block in hashes:
            self._use(block, parent, at)
            # an event of a slower tier that does not describe itself lists chunks without their parents
            parent = block if medium in (None, "GPU") or parent is not None else None
        self._trim()

    def used_at(self, block: int) -> float | None:
        """When the block was used last, as far as it is remembered."""
        entry = self._blocks.get(block)
        return None if entry is None else float(entry[1])

    def depth(self, block: int) -> int:
        """Blocks before it in its prompt; 0 where that is not known."""
        entry = self._blocks.get(block)
        return 0 if entry is None else int(entry[2])

    def quantile(self, share: float) -> float | None:
        """Seconds within which that share of the uses that came back did; None before any has."""
        total = sum(self._gaps.values())
        if not total:
            return None
        seen = 0
        for bucket in sorted(self._gaps):
            seen += self._gaps[bucket]
            if seen >= share * total:
                return float(2.0 ** ((bucket + 1) / _BUCKETS_PER_OCTAVE))
        return None

    def _use(self, block: int, parent: int | None, at: float) -> None:
        self.uses += 1
        entry = self._blocks.get(block)
        if entry is None:
            before = self._blocks.get(parent) if parent is not None else None
            self._blocks[block] = [parent, at, before[2] + 1 if before else 0]
        else:
            self._again(entry, at)
            if parent is not None and entry[0] is None:
                before = self._blocks.get(parent)
                entry[0], entry[2] = parent, before[2] + 1 if before else 0
            self._blocks.move_to_end(block)
        self._before(parent, at)

    def _before(self, block: int | None, at: float) -> None:
        """Whoever uses a block has used all that comes before it in the prompt."""
        while block is not None:
            entry = self._blocks.get(block)
            if entry is None or entry[1] >= at:
                return
            self._again(entry, at)
            self._blocks.move_to_end(block)
            block = entry[0]

    def _again(self, entry: list[Any], at: float) -> None:
        gap = at - entry[1]
        # what several replicas store for the same request is one use
        if gap > 1.0:
            bucket = math.floor(math.log2(gap) * _BUCKETS_PER_OCTAVE)
            self._gaps[bucket] = self._gaps.get(bucket, 0) + 1
        entry[1] = max(entry[1], at)

    def _trim(self) -> None:
        while len(self._blocks) > self._most:
            self._blocks.popitem(last=False)


def _read(event: Any) -> tuple[str, Sequence[int], int | None, str | None]:
    if isinstance(event, Mapping):
        hashes = event.get("block_hashes") or ()
        return str(event.get("type")), _whole(hashes), _one(event.get("parent_block_hash")), event.get("medium")
    kind = str(event[0])
    if kind != "BlockStored":
        return kind, _whole(event[1] if len(event) > 1 else ()), None, None
    return kind, _whole(event[1]), _one(event[2]), event[6] if len(event) > 6 else None


def _whole(hashes: Sequence[Any]) -> list[int]:
    return [block for each in hashes if (block := _one(each)) is not None]


def _one(value: Any) -> int | None:
    """A block's hash as 64 bits; engines may be set to send all of its bytes."""
    if isinstance(value, bytes):
        return int.from_bytes(value[-8:], "big")
    return value & 0xFFFFFFFFFFFFFFFF if isinstance(value, int) else None


def events_of(batch: Any) -> Iterator[tuple[float, Any]]:
    """(time, event) of a decoded batch `[time, [events], rank]`."""
    for event in batch[1]:
        yield float(batch[0]), event
