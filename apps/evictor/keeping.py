"""The quota between and during looks: one turn after another in which it is noticed what engines wrote, and as many
chunks go as that is too much: the oldest, and where these cannot go as fast as others come, what has just come.

vLLM writes past the page cache where the file system lets it (O_DIRECT); then the oldest are fast enough. Elsewhere a
chunk that is just being written to the disk is unlinked only when the disk has it.
"""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from .acting import Hands, Pace
from .chunks import Chunks, is_chunk
from .metrics import Metrics
from .queue import Queue
from .reuse import Reuse
from .room import Room
from .settings import Settings
from .watching import Watcher

# turns follow each other as closely as this while engines write, and never more slowly than the other
TURN_SECONDS, MOST_SECONDS = 0.03, 0.5
MOMENT = 0.005
# what is taken for the fastest that engines could begin to write, bytes a second
FASTEST = 8 * 2**30
# most of them wait for a disk; those for what has just come do not
HANDS, QUICK_HANDS = 64, 8
# chunks that go between two turns where there is no hurry
PART = 256
# while engines write this share of the quota a second a look waits, for so many times as long as it would otherwise: it
# takes from those who remove, and shows nothing that is not told
RUSH, PATIENCE = 0.02, 10.0
# the log tells of a quota that does not hold no more often
SAY_SECONDS = 10.0


class Keeper:
    """Holds what is known of the folder: `room`, and the `queue` of what goes next. `lock` guards `reuse`.
    `reuse_time`: seconds within which what is used again is, None while nobody has measured it."""

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        stop: threading.Event,
        say: Callable[[str], None],
        reuse: Reuse,
        lock: threading.Lock,
    ) -> None:
        self._settings, self._metrics, self._stop, self._say = settings, metrics, stop, say
        self._reuse, self._lock = reuse, lock
        self.watcher = Watcher(settings.root)
        self.pace = Pace(settings.rate)
        self.room = Room(settings.quota, settings.high, settings.low, settings.fastest)
        self.queue = Queue(Chunks(), [])
        self.reuse_time: float | None = None
        self._hands, self._quick = Hands(HANDS, stop.is_set), Hands(QUICK_HANDS, stop.is_set)
        self._turned = time.monotonic()
        self._told = -SAY_SECONDS
        self._slept = self._lag = self._quick_lag = 0.0
        self._size = 0
        self._foreign: float | None = None

    def know(self, chunks: Chunks, order: Iterable[int]) -> None:
        """A look found this, to go in this order."""
        self.queue = Queue(chunks, order)

    def forget(self) -> None:
        """What was known of the folder says nothing of what comes back."""
        self.know(Chunks(), [])
        self.watcher.stop()
        self.room.watched = False
        self._foreign = None
        for name in (
            "used_bytes", "growth_bytes_per_second", "full_in_seconds", "reserve_bytes", "least_quota_bytes",
            "foreign_age_seconds",
        ):  # fmt: skip
            self._metrics.set(name, None)

    def came_from_elsewhere(self, at: float | None) -> None:
        """A chunk came into a folder that no engine of the pool uses, at `at` (Unix seconds); None: there is no such
        folder."""
        self._foreign = at if at is None or self._foreign is None else max(at, self._foreign)

    def show(self) -> None:
        """What the page says of room."""
        metrics, room = self._metrics, self.room
        metrics.set("used_bytes", round(room.held))
        metrics.set("growth_bytes_per_second", room.growth)
        left = max(room.quota - room.held, 0.0)
        metrics.set("full_in_seconds", left / room.growth if room.growth > 0 else None)
        metrics.set("reserve_bytes", room.reserve)
        metrics.set("watched", float(room.watched))
        if room.watched:
            metrics.set("least_quota_bytes", room.least_quota)
        age = max(0.0, time.time() - self._foreign) if self._foreign is not None else None
        metrics.set("foreign_age_seconds", age)

    def wait(self, seconds: float, *, took: float) -> None:
        """Turn after turn, until it is time for the next look; the last one `took` so many seconds."""
        begun = time.monotonic()
        until, latest = begun + seconds, begun + PATIENCE * seconds
        while not self._stop.is_set():
            room, now = self.room, time.monotonic()
            rushed = room.watched and room.growth > RUSH * room.quota and now < latest
            if now >= until and not rushed:
                return
            soon = min(
                max(until - now, TURN_SECONDS),
                MOST_SECONDS,
                max(TURN_SECONDS, max(room.limit - room.held, 0.0) / FASTEST),
            )
            self.rest(soon)
            self.turn()
            if self.queue.empty and room.held > room.ceiling:
                return
            if room.doubtful and (room.share >= 0.1 or time.monotonic() - begun > 9 * took):
                return

    def rest(self, seconds: float) -> None:
        """There is room enough to wait so long."""
        self._slept += seconds
        self._stop.wait(seconds)

    def turn_at_times(self, looking: Chunks | None = None) -> None:
        """A turn, where one is due."""
        if time.monotonic() - self._turned < TURN_SECONDS:
            return
        if looking is not None and self.queue.empty and self.room.held > self.room.ceiling:
            # all that the last look saw is gone: what this one has found so far must do
            self.queue = Queue.of(looking)
        self.turn(looking)

    def turn(self, looking: Chunks | None = None) -> None:
        """Take in what engines wrote, and let go as much as is too much. `looking`: what the look that goes on has
        found so far."""
        room = self.room
        self.notice(looking)
        self._metrics.set("behind", float(room.held > room.quota))
        going = self._hands.bytes + self._quick.bytes
        if room.held - going > room.ceiling:
            over = room.held - going
            with self._lock:
                taken = self.queue.take(
                    over - room.floor,
                    forced=over - room.limit,
                    since=time.time() - self.reuse_time if self.reuse_time is not None else None,
                    used_at=self._reuse.used_at,
                    going=self._hands.going,
                )
            self._hands.give(self.queue.chunks, taken.rows, "quota")
            self._metrics.add("forced_total", taken.forced)
        turned_away = self._turn_away() if room.watched else 0
        if room.held > room.quota or turned_away:
            self._tell_of_haste(turned_away)

    def _turn_away(self) -> int:
        """Have what has just come removed, as far as it is past the brink and old chunks are not gone yet; how many
        chunks that is."""
        over = self.room.held - self._quick.bytes - self.room.brink
        if over <= 0:
            self.queue.settle_in()
            return 0
        with self._lock:
            rows = self.queue.take_newest(over, used_at=self._reuse.used_at, going=self._hands.going)
        self._quick.give(self.queue.chunks, rows, "full")
        return len(rows)

    def _tell_of_haste(self, turned_away: int) -> None:
        now, room = time.monotonic(), self.room
        if now - self._told < SAY_SECONDS:
            return
        self._told = now
        self._say(
            f"engines write {room.growth / 2**20:.0f} MiB/s, faster than old chunks can be removed: "
            f"{room.held / 2**30:.2f} GiB of {room.quota / 2**30:.2f}"
            + ("; what comes goes again until there is room" if turned_away else "")
        )

    def settle(self, chunks: Chunks, rows: Iterable[int]) -> None:
        """Until these are gone that were given away."""
        keys = {chunks.keys[row] for row in rows}
        while not self._hands.going.isdisjoint(keys) and not self._stop.wait(MOMENT):
            self._collect(None)
            self.turn_at_times()

    def notice(self, looking: Chunks | None = None) -> None:
        """Take in what engines wrote."""
        self._collect(looking)
        arrived = self._arrivals(looking)
        self._turned = time.monotonic()
        told = arrived if self.room.watched and self.watcher.complete else None
        if self.room.watched and told is None:
            self.room.watched = False
        self.room.aside = len(self.watcher.aside) * self._size if told is not None else 0
        self.room.turn(
            self._turned,
            self._volume(),
            arrived=told,
            slept=self._slept,
            lag=self._lag,
            quick=self._quick_lag,
        )
        self._slept = self._lag = self._quick_lag = 0.0
        if self._metrics.get("up"):
            self.show()

    def _arrivals(self, looking: Chunks | None) -> int:
        """Bytes of the chunks that were told."""
        mine, size, root, live = self.queue.chunks, 0, self._settings.root, self._settings.live
        for folder, name in self.watcher.arrived():
            if not is_chunk(name):
                continue
            try:
                status = os.stat(f"{folder}/{name}", follow_symlinks=False)
            except OSError:
                continue
            if live and folder[len(root) + 1 :].partition("/")[0] not in live:
                self.came_from_elsewhere(status.st_mtime)
            if looking is not None and looking is not mine:
                looking.arrive(root, folder, name, status.st_size, status.st_mtime)
            row = mine.arrive(root, folder, name, status.st_size, status.st_mtime)
            if row is not None:
                self.queue.push(row)
                size += status.st_size
                self._size = status.st_size
        return size

    def remove(self, chunks: Chunks, rows: Sequence[int], reason: str) -> None:
        """Unlink, and count: at the rate that is set, or as fast as it goes where the quota is at stake."""
        step = max(1, min(PART, int(self._settings.rate / 10)))
        for begin in range(0, len(rows), step):
            part = rows[begin : begin + step]
            self._hands.give(chunks, part, reason)
            self.settle(chunks, part)
            self.notice()
            if self.room.held <= self.room.limit:
                self.rest(len(part) / self._settings.rate)
            if self._stop.is_set():
                return

    def _collect(self, looking: Chunks | None) -> None:
        """Count what went."""
        mine = self.queue.chunks
        for done in itertools.chain(self._quick.collect(), self._hands.collect()):
            if done.reason == "full":
                self._quick_lag = max(self._quick_lag, done.lag)
            else:
                self._lag = max(self._lag, done.lag)
            if done.outcome == "failed":
                self._metrics.add("remove_failures_total", 1)
            if done.outcome not in ("removed", "missing"):
                continue
            key, path = done.chunks.keys[done.row], done.chunks.path(done.row)
            seen = done.chunks.sizes[done.row] if done.chunks is mine else 0
            done.chunks.drop(done.row)
            for index in (mine, looking):
                row = index.row_at(key, path) if index is not None else None
                if index is None or index is done.chunks or row is None:
                    continue
                if index is mine:
                    seen = index.sizes[row]
                index.drop(row)
            went = done.size if done.outcome == "removed" else 0
            if went:
                self._metrics.add("removed_files_total", 1, reason=done.reason)
                self._metrics.add("removed_bytes_total", went, reason=done.reason)
            self.room.removed(went, seen=seen)

    def _volume(self) -> int | None:
        try:
            volume = os.statvfs(self._settings.root)
        except OSError:
            return None
        return volume.f_frsize * (volume.f_blocks - volume.f_bfree)
