"""One look at the folder after another: read it, bring uses up to date, decide, remove, say."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable

from .acting import mark_uses, remove_folders, remove_unfinished
from .canary import try_volume
from .chunks import Chunks, scan
from .keeping import Keeper
from .listening import Listener
from .metrics import Metrics
from .policy import Plan, plan
from .reuse import Reuse
from .settings import Settings

# events that are older than this are no ears
HEARD_SECONDS = 600.0
REUSE_SHARE = 0.95
CANARY_SECONDS = 60.0
# how fast a folder grows is known after two looks
FIRST_SECONDS = 0.5
NICE = -10
# the share of a folder's chunks that a look may find of which the kernel did not tell
UNTOLD = 0.01


class Evictor:
    """The owner of one folder. Killed at any moment it leaves the folder as the engines would."""

    def __init__(self, settings: Settings, metrics: Metrics, stop: threading.Event, say: Callable[[str], None]) -> None:
        self._settings, self._metrics, self._stop, self._say = settings, metrics, stop, say
        self._reuse, self._lock = Reuse(), threading.Lock()
        self._listener = Listener(settings, self._reuse, self._lock)
        self._keeper = Keeper(settings, metrics, stop, self._tell, self._reuse, self._lock)
        self._canary: threading.Thread | None = None
        self._tried = -CANARY_SECONDS
        self._watching = settings.watch
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
        self._keeper.watcher.stop()

    def once(self, *, dry_run: bool) -> bool:
        """One look; False when the folder cannot be read (then nothing is removed)."""
        settings, metrics, keeper = self._settings, self._metrics, self._keeper
        begun = time.monotonic()
        keeper.room.look_begins()
        told = self._watch()
        try:
            chunks = scan(
                settings.root,
                (lambda found: None) if dry_run else keeper.turn_at_times,
                entering=keeper.watcher.follow,
            )
        except OSError as error:
            self._tell(f"cannot read {settings.root}: {error.strerror}; nothing is removed")
            for name in ("files", "least_quota_bytes"):
                metrics.set(name, None)
            keeper.forget()
            # last: a page that says so says nothing of a folder that is gone
            metrics.set("up", 0)
            return False
        keeper.notice(chunks)
        now = time.time()
        self._looks += 1
        self._took = time.monotonic() - begun
        if told:
            self._doubt(chunks)
        keeper.room.look_ends(time.monotonic(), chunks.bytes, watched=keeper.watcher.complete)
        keeper.show()
        metrics.set("up", 1)
        metrics.set("scan_seconds", self._took)
        self._measure(chunks)
        self._hear()
        with self._lock:
            known = {key: at for key in chunks.row_of if (at := self._reuse.used_at(key)) is not None}
            depths = {key: self._reuse.depth(key) for key in known}
            keeper.reuse_time = self._reuse.quantile(REUSE_SHARE)
        if not dry_run:
            mark_uses(
                chunks,
                known.get,
                keeper.pace,
                self._stop.is_set,
                lambda: keeper.turn_at_times(chunks),
                settings.live,
            )
        metrics.set("reuse_seconds", keeper.reuse_time, quantile=str(REUSE_SHARE))
        room = keeper.room
        decided = plan(
            chunks,
            settings,
            now,
            reuse_time=keeper.reuse_time,
            depth=lambda key: depths.get(key, 0),
            high=room.ceiling / settings.quota,
            # what comes next is told: there is no need to go further than turns do
            low=room.floor / settings.quota if room.watched else None,
            limit=room.limit / settings.quota,
            more=int(room.unseen),
        )
        keeper.know(chunks, [*decided.quota, *decided.order])
        keeper.came_from_elsewhere(decided.foreign)
        metrics.set("would_remove_files", len(decided) if dry_run else 0)
        if dry_run:
            self._tell(f"{_sentence(decided)} would go of {len(chunks)} chunks, {chunks.bytes / 2**30:.2f} GiB")
        else:
            self._act(chunks, decided, now)
        self._try_volume()
        return True

    def pause(self) -> float:
        """Seconds until the next look: the interval (then at most a tenth of the time is spent looking), and while
        engines write what nobody tells, before half of what may go is gone that the last look saw."""
        room = self._keeper.room
        calm = max(self._settings.interval, 9 * self._took)
        if self._looks <= 2:
            return min(calm, FIRST_SECONDS)
        if room.growth <= 0 or room.watched:
            return calm
        return min(calm, max(room.ceiling - room.unseen, 0.0) / room.growth / 2)

    def wait(self, seconds: float, *, dry_run: bool) -> None:
        """Until it is time for the next look, keeping the quota meanwhile."""
        if dry_run:
            self._keeper.rest(seconds)
        else:
            self._keeper.wait(seconds, took=self._took)

    def _watch(self) -> bool:
        """Be told of chunks where that is possible; whether all were told since the last look."""
        keeper = self._keeper
        if keeper.watcher.complete:
            return keeper.room.watched
        if self._watching:
            keeper.watcher.start()
        return False

    def _doubt(self, chunks: Chunks) -> None:
        """Does the look see what the kernel told of?"""
        before = self._keeper.queue.chunks.row_of
        untold = sum(key not in before for key in chunks.row_of)
        if untold > UNTOLD * len(chunks) + 1:
            self._watching = False
            self._keeper.watcher.stop()
            self._tell(f"{untold} chunks came of which this node's kernel did not tell: others write to the volume")

    def _measure(self, chunks: Chunks) -> None:
        metrics = self._metrics
        metrics.set("files", len(chunks))
        metrics.set("duplicates", chunks.duplicates)
        try:
            volume = os.statvfs(self._settings.root)
            metrics.set("volume_bytes", volume.f_frsize * volume.f_blocks)
            metrics.set("volume_free_bytes", volume.f_frsize * volume.f_bavail)
        except OSError:
            metrics.set("volume_free_bytes", None)
        metrics.set("least_quota_bytes", self._least_quota())

    def _hear(self) -> None:
        listener, metrics = self._listener, self._metrics
        metrics.set("engines", listener.engines)
        metrics.set("blind", float(time.time() - listener.heard > HEARD_SECONDS))
        metrics.add("events_lost_total", listener.lost - self._lost)
        metrics.add("uses_total", self._reuse.uses - self._uses)
        self._lost, self._uses = listener.lost, self._reuse.uses

    def _least_quota(self) -> float:
        """Where nobody tells of chunks, all that is written during one look must find its room by those that the look
        before saw."""
        room = self._keeper.room
        if room.watched:
            return room.least_quota
        return max(room.least_quota, 2 * max(room.growth, room.peak) * (self._took + room.latency))

    def _act(self, chunks: Chunks, decided: Plan, now: float) -> None:
        metrics, keeper = self._metrics, self._keeper
        for reason, rows in (("purge", decided.purge), ("ttl", decided.ttl), ("quota", decided.quota)):
            keeper.remove(chunks, rows, reason)
        metrics.add("forced_total", decided.forced)
        metrics.add("unfinished_total", remove_unfinished(chunks, now, keeper.pace))
        remove_folders(self._settings.root, chunks, decided)
        if len(decided):
            self._tell(f"{_sentence(decided)} went of {len(chunks)} chunks, {decided.kept / 2**30:.2f} GiB remain")

    def _try_volume(self) -> None:
        # on a volume that is written at full speed this takes seconds: the quota must not wait for it
        if self._canary is not None and self._canary.is_alive():
            return
        if time.monotonic() - self._tried < CANARY_SECONDS:
            return
        self._tried = time.monotonic()
        if self._settings.once:
            self._canary_once()
            return
        self._canary = threading.Thread(target=self._canary_once, name="canary", daemon=True)
        self._canary.start()

    def _canary_once(self) -> None:
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
