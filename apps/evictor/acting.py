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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from .chunks import Chunks
from .policy import Plan

# a file aside that is older than this belongs to an engine that died while it wrote
UNFINISHED_SECONDS = 900.0
LEAST_SLEEP = 0.02
# a use is marked on the volume at most this often
MARK_SECONDS = 120.0


@dataclass
class Removed:
    """Files and bytes of one reason. `failed`: could not be removed; `kept`: written anew in the meantime."""

    files: int = 0
    bytes: int = 0
    failed: int = 0
    kept: int = 0


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


def remove(
    chunks: Chunks,
    rows: Sequence[int],
    pace: Pace,
    *,
    stopped: Callable[[], bool],
    at_once: int = 1,
    gone: Callable[[int], None] = lambda row: None,
) -> Removed:
    """Unlink the chunks of `rows` in their order, `at_once` of them at a time. `gone` is called, by one thread at a
    time, with each row whose file is no longer there."""
    done, lock = Removed(), threading.Lock()
    waiting = iter(rows)

    def work() -> None:
        while not stopped():
            with lock:
                row = next(waiting, None)
            if row is None:
                return
            pace.wait()
            outcome = _unlink(chunks, row)
            with lock:
                if outcome == "kept":
                    done.kept += 1
                elif outcome == "failed":
                    done.failed += 1
                else:
                    if outcome == "removed":
                        done.files += 1
                        done.bytes += chunks.sizes[row]
                    gone(row)

    others = [threading.Thread(target=work, daemon=True) for _ in range(min(at_once, len(rows)) - 1)]
    for other in others:
        other.start()
    work()
    for other in others:
        other.join()
    return done


def _unlink(chunks: Chunks, row: int) -> Literal["removed", "kept", "failed", "missing"]:
    path = chunks.path(row)
    try:
        status = os.stat(path, follow_symlinks=False)
        # marking its use moves the time by at most a rounding; a new file is newer by more
        if status.st_mtime > chunks.used[row] + 1.0:
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


def mark_uses(chunks: Chunks, used_at: Callable[[int], float | None], pace: Pace, stopped: Callable[[], bool]) -> int:
    """Bring `used` up to date by what events told, and write it to the files, so that it outlives this program and is
    known to others of its kind."""
    marked = 0
    for row, key in enumerate(chunks.keys):
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
    return marked
