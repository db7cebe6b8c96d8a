"""The chunks of a look in the order in which they may go, taken from the front until there is room; and from the other
end, where what has just come has to go again."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field

from .chunks import Chunks


@dataclass
class Taken:
    """`rows` to remove, in order; `forced`: how many of them were used within the measured reuse time."""

    rows: list[int] = field(default_factory=list)
    forced: int = 0


class Queue:
    """`order`: rows of `chunks`, the first to go first."""

    def __init__(self, chunks: Chunks, order: Iterable[int]) -> None:
        self.chunks = chunks
        self._order = list(order)
        self._fresh: list[int] = []
        self._next = 0

    @classmethod
    def of(cls, chunks: Chunks) -> Queue:
        """All of a look that is not over, by age alone."""
        rows = [row for row in range(len(chunks)) if chunks.sizes[row]]
        rows.sort(key=chunks.used.__getitem__)
        return cls(chunks, rows)

    @property
    def empty(self) -> bool:
        return self._next >= len(self._order)

    def push(self, row: int) -> None:
        """A chunk that came since is the last to go."""
        self._order.append(row)
        self._fresh.append(row)

    def settle_in(self) -> None:
        """There is room for all that came until now."""
        self._fresh.clear()

    def take(
        self,
        size: float,
        *,
        forced: float,
        since: float | None,
        used_at: Callable[[int], float | None],
        going: Container[int] = (),
    ) -> Taken:
        """Rows of `size` bytes in all, or fewer where the rest is used since `since` (Unix seconds; None: not known);
        of those only so many go as `forced` bytes want. What was used since the look stays: the next one sorts it.
        `going`: keys of what is on its way already."""
        found, chunks = Taken(), self.chunks
        while size > 0 and not self.empty:
            row = self._order[self._next]
            at, held = used_at(chunks.keys[row]), chunks.sizes[row]
            if not held or chunks.keys[row] in going or (at is not None and at > chunks.used[row] + 1.0):
                self._next += 1
                continue
            if since is not None and chunks.used[row] > since:
                if forced <= 0:
                    break
                found.forced += 1
            self._next += 1
            found.rows.append(row)
            size -= held
            forced -= held
        return found

    def take_newest(
        self, size: float, *, used_at: Callable[[int], float | None], going: Container[int] = ()
    ) -> list[int]:
        """Rows of `size` bytes in all of what came since there was room and nobody has used, the latest first."""
        found, chunks = [], self.chunks
        while size > 0 and self._fresh:
            row = self._fresh.pop()
            at, held = used_at(chunks.keys[row]), chunks.sizes[row]
            if not held or chunks.keys[row] in going or (at is not None and at > chunks.used[row] + 1.0):
                continue
            found.append(row)
            size -= held
        return found
