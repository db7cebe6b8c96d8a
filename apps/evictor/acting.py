"""Removing chunks and marking their use, beside engines that read and write.

Nothing is locked. A chunk is only ever unlinked: an engine that has it open reads on, one that looks for it finds a
miss and computes. Folders that are in use are never removed: an engine may be about to write into one. Before a file
goes it is looked at again: what was written anew since it was read stays.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Literal

from .chunks import Chunks
from .policy import Plan

# a file aside that is older than this belongs to an engine that died while it wrote
UNFINISHED_SECONDS = 900.0
LEAST_SLEEP = 0.02
# a use is marked on the volume at most this often
MARK_SECONDS = 120.0


Outcome = Literal["removed", "kept", "failed", "missing"]


@dataclass(frozen=True)
class Done:
    """What became of a chunk that was to go, of so many bytes: `kept` was written anew in the meantime. `lag`: seconds
    since it was given to the hands."""

    chunks: Chunks
    row: int
    size: int
    reason: str
    outcome: Outcome
    lag: float


class Pace:
    """At most `rate` actions a second, without bursts beyond a tenth of a second's worth. Thread-safe."""

    def __init__(
        self, rate: float, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self.rate, self._clock, self._sleep = rate, clock, sleep
        self._next = clock()
        self._lock = threading.Lock()

    def wait(self) -> None:
        now = self._clock()
        with self._lock:
            self._next = max(self._next, now - 0.1) + 1 / self.rate
            ahead = self._next - now
        # a sleep costs a turn of the processor, so it is worth one only every now and then
        if ahead > LEAST_SLEEP:
            self._sleep(ahead)


class Hands:
    """Threads that unlink chunks in the order in which they are given: each may have to wait for its disk, where what
    it removes is just being written there."""

    def __init__(self, count: int, stopped: Callable[[], bool]) -> None:
        self._count, self._stopped = count, stopped
        self._given: SimpleQueue[tuple[Chunks, int, int, str, float]] = SimpleQueue()
        self._done: SimpleQueue[Done] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self.files = 0
        self.bytes = 0
        self.going: set[int] = set()
        """What is given and not yet collected; `going`: keys."""

    def give(self, chunks: Chunks, rows: Iterable[int], reason: str) -> None:
        """Have these removed, but for those that are on their way already."""
        now = time.monotonic()
        for row in rows:
            if chunks.keys[row] in self.going:
                continue
            self.going.add(chunks.keys[row])
            self.files += 1
            self.bytes += chunks.sizes[row]
            self._given.put((chunks, row, chunks.sizes[row], reason, now))
        while len(self._threads) < min(self._count, self.files):
            thread = threading.Thread(target=self._work, name="hand", daemon=True)
            self._threads.append(thread)
            thread.start()

    def collect(self) -> Iterator[Done]:
        """What is done since the last call."""
        while self.files:
            try:
                done = self._done.get_nowait()
            except Empty:
                return
            self.files -= 1
            self.bytes -= done.size
            self.going.discard(done.chunks.keys[done.row])
            yield done

    def _work(self) -> None:
        while True:
            chunks, row, size, reason, since = self._given.get()
            outcome: Outcome = "kept" if self._stopped() else _unlink(chunks, row, told=reason == "full")
            self._done.put(Done(chunks, row, size, reason, outcome, time.monotonic() - since))


def _unlink(chunks: Chunks, row: int, *, told: bool) -> Outcome:
    """`told`: it came just now, and nobody need look whether it was written anew since."""
    path = chunks.path(row)
    try:
        # marking its use moves the time by at most a rounding; a new file is newer by more
        if not told and os.stat(path, follow_symlinks=False).st_mtime > chunks.used[row] + 1.0:
            return "kept"
        os.unlink(path)
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "failed"
    return "removed"


def remove_unfinished(chunks: Chunks, now: float, pace: Pace) -> int:
    """Unlink what engines that died left half written; how many there were."""
    gone = 0
    for path, at in chunks.unfinished:
        if now - at > UNFINISHED_SECONDS:
            pace.wait()
            with contextlib.suppress(OSError):
                os.unlink(path)
                gone += 1
    return gone


def remove_folders(root: str, chunks: Chunks, plan: Plan) -> None:
    """Take away what is empty of purged folders; nobody writes there any more."""
    for top in {chunks.top(row) for row in plan.purge}:
        for folder, _below, files in os.walk(f"{root}/{top}", topdown=False):
            with contextlib.suppress(OSError):
                if files == ["config.json"]:
                    os.unlink(f"{folder}/config.json")
                os.rmdir(folder)


def mark_uses(
    chunks: Chunks,
    used_at: Callable[[int], float | None],
    pace: Pace,
    stopped: Callable[[], bool],
    between: Callable[[], None] = lambda: None,
    live: Collection[str] = (),
) -> int:
    """Bring `used` up to date by what events told, and write it to the files, so that it outlives this program and is
    known to others of its kind. `between` is called now and then meanwhile. `live`: the folders that engines use,
    empty: all. A chunk's name is a hash of its tokens alone: other weights have one of the same name, which nobody
    used."""
    marked = 0
    for row in range(len(chunks)):
        if live and chunks.top(row) not in live:
            continue
        key = chunks.keys[row]
        at = used_at(key)
        if at is None or at <= chunks.used[row]:
            continue
        overdue = at - chunks.used[row] > MARK_SECONDS
        chunks.used[row] = at
        if overdue and not stopped():
            pace.wait()
            with contextlib.suppress(OSError):
                os.utime(chunks.path(row), (at, at))
                marked += 1
            between()
    return marked
