"""One look at the folder after another: read it, bring uses up to date, decide, remove, say."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable

from .acting import Pace, mark_uses, remove, remove_folders, remove_unfinished
from .canary import try_volume
from .chunks import Chunks, scan
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


class Evictor:
    """The owner of one folder. Killed at any moment it leaves the folder as the engines would."""

    def __init__(self, settings: Settings, metrics: Metrics, stop: threading.Event, say: Callable[[str], None]) -> None:
        self._settings, self._metrics, self._stop, self._say = settings, metrics, stop, say
        self._reuse, self._lock = Reuse(), threading.Lock()
        self._listener = Listener(settings, self._reuse, self._lock)
        self._pace = Pace(settings.rate)
        self._before: tuple[float, int] | None = None
        self._growth = 0.0
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
        try:
            chunks = scan(settings.root)
        except OSError as error:
            metrics.set("up", 0)
            for name in ("used_bytes", "files", "growth_bytes_per_second", "full_in_seconds"):
                metrics.set(name, None)
            self._tell(f"cannot read {settings.root}: {error.strerror}; nothing is removed")
            return False
        now = time.time()
        self._looks += 1
        self._took = time.monotonic() - begun
        metrics.set("up", 1)
        metrics.set("scan_seconds", time.monotonic() - begun)
        self._measure(chunks, now)
        self._hear()
        with self._lock:
            known = {key: at for key in chunks.row_of if (at := self._reuse.used_at(key)) is not None}
            depths = {key: self._reuse.depth(key) for key in known}
            reuse_time = self._reuse.quantile(REUSE_SHARE)
        if not dry_run:
            mark_uses(chunks, known.get, self._pace, self._stop.is_set)
        metrics.set("reuse_seconds", reuse_time, quantile=str(REUSE_SHARE))
        decided = plan(chunks, settings, now, reuse_time=reuse_time, depth=lambda key: depths.get(key, 0))
        metrics.set("would_remove_files", len(decided) if dry_run else 0)
        if dry_run:
            self._tell(f"{_sentence(decided)} would go of {len(chunks)} chunks, {chunks.bytes / 2**30:.2f} GiB")
        else:
            self._act(chunks, decided, now)
        self._try_volume()
        return True

    def pause(self) -> float:
        """Seconds until the next look: half of the time in which the quota would be reached
        by what engines wrote lately, else the interval, and then at most a tenth of the time is spent looking."""
        calm = max(self._settings.interval, 9 * self._took)
        if self._growth <= 0 and self._looks > 2:
            return calm
        if self._looks <= 2:
            return min(calm, FIRST_SECONDS)
        room = self._settings.quota - (self._before[1] if self._before else 0)
        return min(calm, max(room, 0) / self._growth / 2)

    def _measure(self, chunks: Chunks, now: float) -> None:
        metrics, size = self._metrics, chunks.bytes
        metrics.set("used_bytes", size)
        metrics.set("files", len(chunks))
        metrics.set("duplicates", chunks.duplicates)
        try:
            volume = os.statvfs(self._settings.root)
            metrics.set("volume_bytes", volume.f_frsize * volume.f_blocks)
            metrics.set("volume_free_bytes", volume.f_frsize * volume.f_bavail)
        except OSError:
            metrics.set("volume_free_bytes", None)
        if self._before is not None and now > self._before[0]:
            growth = self._growth = (size - self._before[1]) / (now - self._before[0])
            metrics.set("growth_bytes_per_second", growth)
            left = self._settings.quota - size
            metrics.set("full_in_seconds", max(left, 0) / growth if growth > 0 else None)
        self._before = (now, size)

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
            gone = remove(chunks, rows, self._pace, stopped=self._stop.is_set)
            metrics.add("removed_files_total", gone.files, reason=reason)
            metrics.add("removed_bytes_total", gone.bytes, reason=reason)
            metrics.add("remove_failures_total", gone.failed)
            if self._before is not None:
                self._before = (self._before[0], self._before[1] - gone.bytes)
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
