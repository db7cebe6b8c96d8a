"""Who would still be in a larger cache: sampled blocks in the order in which a device let go of them.

A device that evicts its least recently used block lets go of blocks in the order of their last use. So the blocks that
it holds and, behind them, those that it let go of, the newest first, are the LRU stack of a cache of any larger size
(Mattson et al. 1970), and a block that is stored again after `n` others were let go of since would have been found in
a cache that holds `n` more. vLLM frees the end of a prompt before its beginning: a block's ancestors are never behind
it, so what a size holds is closed under prefixes. Sampling by hash with a threshold that falls as blocks come (SHARDS,
Waldspurger et al., FAST 2015) keeps the number of blocks fixed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator

__all__ = ["FULL", "Stack", "value_of"]

FULL = 1 << 32
_MASK = (1 << 64) - 1


def value_of(block: int) -> int:
    """A number below FULL by which a block is sampled: the same block always has the same."""
    mixed = (block * 0x9E3779B97F4A7C15) & _MASK
    mixed ^= mixed >> 29
    return ((mixed * 0xBF58476D1CE4E5B9) & _MASK) >> 32


class _Ranks:
    """How many positions above one are taken (a Fenwick tree over `size` positions)."""

    __slots__ = ("size", "taken", "tree")

    def __init__(self, size: int) -> None:
        self.size, self.taken = size, 0
        self.tree = [0] * (size + 1)

    def add(self, position: int, change: int) -> None:
        tree, size = self.tree, self.size
        self.taken += change
        at = position + 1
        while at <= size:
            tree[at] += change
            at += at & -at

    def above(self, position: int) -> int:
        tree = self.tree
        at, below = position + 1, 0
        while at:
            below += tree[at]
            at &= at - 1
        return self.taken - below


class Stack:
    """Blocks that devices hold (`held`: block → how many), and those that they let go of (`ghosts`, oldest first)."""

    __slots__ = ("_next", "_ranks", "ghosts", "held", "stored_at", "stores")

    def __init__(self) -> None:
        self.held: dict[int, int] = {}
        self.ghosts: OrderedDict[int, int] = OrderedDict()
        self.stored_at: dict[int, float] = {}
        self.stores: dict[int, int] = {}
        self._ranks = _Ranks(1024)
        self._next = 0

    def __len__(self) -> int:
        return len(self.held) + len(self.ghosts)

    def blocks(self) -> Iterator[int]:
        yield from self.held
        yield from self.ghosts

    def above(self, block: int) -> int | None:
        """How many ghosts were let go of after this block; 0 for one that a device holds, None for one not known."""
        if block in self.held:
            return 0
        position = self.ghosts.get(block)
        return self._ranks.above(position) if position is not None else None

    def store(self, block: int, now: float) -> float:
        """A device stores a block; seconds since one did before, 0 for the first time."""
        before = self.stored_at.get(block, now)
        self.stored_at[block] = now
        self.stores[block] = self.stores.get(block, 0) + 1
        self.held[block] = self.held.get(block, 0) + 1
        position = self.ghosts.pop(block, None)
        if position is not None:
            self._ranks.add(position, -1)
        return now - before

    def release(self, block: int) -> None:
        """A device let go of a block; the last one makes it a ghost."""
        holders = self.held.get(block)
        if holders is None:
            return
        if holders > 1:
            self.held[block] = holders - 1
            return
        del self.held[block]
        if self._next == self._ranks.size:
            self._renumber()
        self.ghosts[block] = self._next
        self._ranks.add(self._next, 1)
        self._next += 1

    def forget(self, block: int) -> None:
        """Of a block that is sampled no more, or that is too old to matter."""
        self.held.pop(block, None)
        self.stored_at.pop(block, None)
        self.stores.pop(block, None)
        position = self.ghosts.pop(block, None)
        if position is not None:
            self._ranks.add(position, -1)

    def _renumber(self) -> None:
        self._ranks = _Ranks(max(1024, 2 * len(self.ghosts)))
        self._next = 0
        for block in self.ghosts:
            self.ghosts[block] = self._next
            self._ranks.add(self._next, 1)
            self._next += 1
