"""One look at the folder after another: read it, bring uses up to date, decide, remove, say; and between and during
looks, one turn after another in which chunks go for those that engines write."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable

from .acting import Pace, Removed, mark_uses, remove, remove_folders, remove_unfinished
from .canary import try_volume
from .chunks import Chunks, scan
from .listening import Listener
from .metrics import Metrics
from .policy import Plan, plan
from .queue import Queue
from .reuse import Reuse
from .room import Room
from .settings import Settings

# events that are older than this are no ears
HEARD_SECONDS = 600.0
REUSE_SHARE = 0.95
CANARY_SECONDS = 60.0
# how fast a folder grows is known after two looks
FIRST_SECONDS = 0.5
# turns follow each other as closely as this while engines write, and never more slowly than a second
TURN_SECONDS = 0.05
# what is taken for the fastest that engines could begin to write, bytes a second
FASTEST = 8 * 2**30
MOST_AT_ONCE = 16
NICE = -10
# chunks that a look removes between two turns
PART = 256


class Evictor:
    """The owner of one folder. Killed at any moment it leaves the folder as the engines would."""

    def __init__(self, settings: Settings, metrics: Metrics, stop: threading.Event, say: Callable[[str], None]) -> None:
        self._settings, self._metrics, self._stop, self._say = settings, metrics, stop, say
        self._reuse, self._lock = Reuse(), threading.Lock()
        self._listener = Listener(settings, self._reuse, self._lock)
        self._pace = Pace(settings.rate)
        self._room = Room(settings.quota, settings.high, settings.low)
        self._queue = Queue(Chunks(), [])
        self._reuse_time: float | None = None
        self._turned = 0.0
        self._at_once = 1
        self._each = 0.0
        """Bytes a second that one hand removes."""
        self._tried = -CANARY_SECONDS
        self._looks = 0
        self._took = 0.0
        self._lost = 0
        self._uses = 0
        self._said = ""

    def begin(self) -> None:
        settings, metrics = self._settings, self._metrics
        listening = self._listener.start()
        with contextlib.suppress(OSError):
            # on a node that writers keep busy, whoever removes must get its turn (where the container may ask for it)
            os.nice(NICE)
        with contextlib.suppress(OSError):
            # the folder comes with the first engine or with us; the volume itself must be there
            os.mkdir(settings.root)
        metrics.set("quota_bytes", settings.quota)
        metrics.set("blind", 1)
        self._say(
            f"owner of {settings.root}: quota {settings.quota / 2**30:.1f} GiB, "
            + ("by the uses that engines tell" if listening else "by the age of chunks: no engine's events are heard")
        )

    def end(self) -> None:
        self._listener.stop()

    def once(self, *, dry_run: bool) -> bool:
        """One look; False when the folder cannot be read (then nothing is removed)."""
        settings, metrics = self._settings, self._metrics
        begun = time.monotonic()
        self._turned = begun
        self._room.look_begins()
        try:
            chunks = scan(settings.root, (lambda found: None) if dry_run else self._turn_while_looking)
        except OSError as error:
            metrics.set("up", 0)
            for name in ("used_bytes", "files", "growth_bytes_per_second", "full_in_seconds"):
                metrics.set(name, None)
            # what was known of it says nothing of what comes back
            self._queue = Queue(Chunks(), [])
            self._tell(f"cannot read {settings.root}: {error.strerror}; nothing is removed")
            return False
        now = time.time()
        self._looks += 1
        self._took = time.monotonic() - begun
        self._room.look_ends(time.monotonic(), chunks.bytes)
        metrics.set("up", 1)
        metrics.set("scan_seconds", self._took)
        self._measure(chunks)
        self._hear()
        with self._lock:
            known = {key: at for key in chunks.row_of if (at := self._reuse.used_at(key)) is not None}
            depths = {key: self._reuse.depth(key) for key in known}
            self._reuse_time = self._reuse.quantile(REUSE_SHARE)
        if not dry_run:
            mark_uses(chunks, known.get, self._pace, self._stop.is_set)
        metrics.set("reuse_seconds", self._reuse_time, quantile=str(REUSE_SHARE))
        room = self._room
        decided = plan(
            chunks,
            settings,
            now,
            reuse_time=self._reuse_time,
            depth=lambda key: depths.get(key, 0),
            high=room.ceiling / settings.quota,
            limit=room.limit / settings.quota,
            more=int(room.unseen),
        )
        metrics.set("would_remove_files", len(decided) if dry_run else 0)
        if dry_run:
            self._tell(f"{_sentence(decided)} would go of {len(chunks)} chunks, {chunks.bytes / 2**30:.2f} GiB")
        else:
            self._act(chunks, decided, now)
        self._queue = Queue(chunks, [*decided.quota, *decided.order])
        self._try_volume()
        return True

    def pause(self) -> float:
        """Seconds until the next look: the interval (then at most a tenth of the time is spent looking), and while
        engines write, before half of what may go is gone that the last look saw."""
        room = self._room
        calm = max(self._settings.interval, 9 * self._took)
        if self._looks <= 2:
            return min(calm, FIRST_SECONDS)
        if room.growth <= 0:
            return calm
        return min(calm, max(room.ceiling - room.unseen, 0.0) / room.growth / 2)

    def wait(self, seconds: float, *, dry_run: bool) -> None:
        """Turn after turn, until it is time for the next look."""
        if dry_run:
            self._stop.wait(seconds)
            return
        begun = time.monotonic()
        until = time.monotonic() + seconds
        while not self._stop.is_set() and (left := until - time.monotonic()) > 0:
            room = self._room
            soon = min(1.0, max(TURN_SECONDS, max(room.limit - room.held, 0.0) / FASTEST))
            self._stop.wait(min(left, soon))
            self._turn()
            if self._queue.empty and room.held > room.ceiling:
                return
            if room.doubtful and (room.share >= 0.1 or time.monotonic() - begun > 9 * self._took):
                return

    def _turn_while_looking(self, found: Chunks) -> None:
        if time.monotonic() - self._turned < TURN_SECONDS:
            return
        if self._queue.empty and self._room.held > self._room.ceiling:
            # all that the last look saw is gone: what this one has found so far must do
            self._queue = Queue.of(found)
        self._turn(found)

    def _turn(self, looking: Chunks | None = None) -> None:
        """Take in how the volume grew, and let go as much as is too much."""
        room = self._room
        self._turned = time.monotonic()
        room.turn(self._turned, self._volume())
        if room.held <= room.ceiling:
            self._metrics.set("behind", 0)
            return
        with self._lock:
            taken = self._queue.take(
                room.held - room.floor,
                forced=room.held - room.limit,
                since=time.time() - self._reuse_time if self._reuse_time is not None else None,
                used_at=self._reuse.used_at,
            )
        chunks = self._queue.chunks
        gone = self._remove(chunks, taken.rows, "quota", looking)
        self._metrics.add("forced_total", taken.forced)
        over = room.held > room.quota
        self._metrics.set("behind", float(over))
        if over and gone.files:
            self._tell(
                f"engines write {room.growth / 2**20:.0f} MiB/s, faster than chunks can be removed: "
                f"{room.held / 2**30:.2f} GiB are over the quota"
            )

    def _remove(self, chunks: Chunks, rows: list[int], reason: str, looking: Chunks | None = None) -> Removed:
        def gone(row: int) -> None:
            self._room.removed(chunks.sizes[row])
            if looking is not None and looking is not chunks:
                other = looking.row_at(chunks.keys[row], chunks.path(row))
                if other is not None:
                    looking.drop(other)
            chunks.drop(row)

        self._keep_up(chunks)
        begun = time.monotonic()
        found = remove(chunks, rows, self._pace, stopped=self._stop.is_set, at_once=self._at_once, gone=gone)
        if found.files >= self._at_once:
            each = found.bytes / max(time.monotonic() - begun, 1e-6) / self._at_once
            self._each = each if not self._each else (self._each + each) / 2
        self._metrics.add("removed_files_total", found.files, reason=reason)
        self._metrics.add("removed_bytes_total", found.bytes, reason=reason)
        self._metrics.add("remove_failures_total", found.failed)
        return found

    def _keep_up(self, chunks: Chunks) -> None:
        """As many hands, and as high a rate, as removing twice what engines write wants."""
        growth = max(self._room.growth, self._room.peak)
        wanted = 2 * growth / self._each if self._each else 1.0
        self._at_once = max(1, min(MOST_AT_ONCE, round(wanted)))
        mean = chunks.bytes / len(chunks) if len(chunks) else 0.0
        self._pace.rate = max(self._settings.rate, 2 * growth / max(mean, 4096.0))

    def _volume(self) -> int | None:
        try:
            volume = os.statvfs(self._settings.root)
        except OSError:
            return None
        return volume.f_frsize * (volume.f_blocks - volume.f_bfree)

    def _measure(self, chunks: Chunks) -> None:
        metrics, room = self._metrics, self._room
        metrics.set("used_bytes", chunks.bytes)
        metrics.set("files", len(chunks))
        metrics.set("duplicates", chunks.duplicates)
        try:
            volume = os.statvfs(self._settings.root)
            metrics.set("volume_bytes", volume.f_frsize * volume.f_blocks)
            metrics.set("volume_free_bytes", volume.f_frsize * volume.f_bavail)
        except OSError:
            metrics.set("volume_free_bytes", None)
        if self._looks > 1:
            metrics.set("growth_bytes_per_second", room.growth)
            left = self._settings.quota - room.held
            metrics.set("full_in_seconds", max(left, 0) / room.growth if room.growth > 0 else None)
        metrics.set("reserve_bytes", room.reserve)

    def _hear(self) -> None:
        listener, metrics = self._listener, self._metrics
        metrics.set("engines", listener.engines)
        metrics.set("blind", float(time.time() - listener.heard > HEARD_SECONDS))
        metrics.add("events_lost_total", listener.lost - self._lost)
        metrics.add("uses_total", self._reuse.uses - self._uses)
        self._lost, self._uses = listener.lost, self._reuse.uses

    def _act(self, chunks: Chunks, decided: Plan, now: float) -> None:
        metrics = self._metrics
        for reason, rows in (("purge", decided.purge), ("ttl", decided.ttl), ("quota", decided.quota)):
            # in parts, so that what engines write meanwhile is seen and counted
            for begin in range(0, len(rows), PART):
                self._remove(chunks, rows[begin : begin + PART], reason)
                self._room.turn(time.monotonic(), self._volume())
        metrics.add("forced_total", decided.forced)
        metrics.add("unfinished_total", remove_unfinished(chunks, now, self._pace))
        remove_folders(self._settings.root, chunks, decided)
        if len(decided):
            self._tell(f"{_sentence(decided)} went of {len(chunks)} chunks, {decided.kept / 2**30:.2f} GiB remain")

    def _try_volume(self) -> None:
        # on a volume that is written at full speed this takes seconds: it must not keep the quota waiting each time
        if time.monotonic() - self._tried < CANARY_SECONDS:
            return
        self._tried = time.monotonic()
        tried = try_volume(self._settings.root)
        self._metrics.set("canary_ok", float(not tried.problem))
        if tried.problem:
            self._tell(tried.problem)
        else:
            self._metrics.set("canary_seconds", tried.write_seconds, direction="write")
            self._metrics.set("canary_seconds", tried.read_seconds, direction="read")

    def _tell(self, text: str) -> None:
        if text != self._said:
            self._say(text)
        self._said = text


def _sentence(decided: Plan) -> str:
    parts = [
        f"{len(rows)} ({word})"
        for rows, word in ((decided.purge, "other weights"), (decided.ttl, "unused"), (decided.quota, "quota"))
        if rows
    ]
    forced = f", {decided.forced} of them still in use" if decided.forced else ""
    return (" and ".join(parts) or "nothing") + forced
