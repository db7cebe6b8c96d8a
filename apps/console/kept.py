"""What many consoles ask for alike, computed once: kept while nothing has moved that it is made of."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["Keeper"]

T = TypeVar("T")


@dataclass
class _Place(Generic[T]):
    """Held while the value is computed: those who ask meanwhile wait for it, and do not compute it again."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    mark: Hashable = None
    until: float = float("-inf")
    value: T | None = None


class Keeper(Generic[T]):
    """Values by key, at most `most` of them, each for as long as its mark is the same and at most some `seconds`.

    Values are shared between threads: nobody may change one.
    """

    def __init__(self, most: int = 32) -> None:
        self._most = most
        self._places: OrderedDict[Hashable, _Place[T]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, mark: Callable[[], Hashable], compute: Callable[[], T], *, seconds: float) -> T:
        """The kept value of a key, or what `compute` says now. The mark is read before: what is computed may be newer
        than its mark, never older. `seconds` 0: nothing is kept. Raises what `mark` and `compute` raise."""
        if seconds <= 0:
            return compute()
        seen = mark()
        place = self._place(key)
        with place.lock:
            if place.value is None or place.mark != seen or time.monotonic() >= place.until:
                place.value = compute()
                place.mark, place.until = seen, time.monotonic() + seconds
            return place.value

    def _place(self, key: Hashable) -> _Place[T]:
        with self._lock:
            place = self._places.setdefault(key, _Place())
            self._places.move_to_end(key)
            while len(self._places) > self._most:
                self._places.popitem(last=False)
            return place
