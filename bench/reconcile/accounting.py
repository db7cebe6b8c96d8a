"""Where the processors' time goes while something is measured: by process, and what nobody used.

Connections of Postgres are named by who made them (`PGAPPNAME` in the environment of that process), its own processes
together. `elsewhere`: programs that are no part of the benchmark. `idle`: of all cores.
"""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SAMPLE_SECONDS = 0.5
_TICKS = os.sysconf("SC_CLK_TCK")
_PARTS = {
    "bench.reconcile.worker": "workers",
    "manage.py informers": "informers",
    "apps.embedded.apiserver": "API server",
    "apps.embedded.": "embedded controllers",
    "operator_kopf": "kopf",
}


def cpu_seconds(pid: int) -> float:
    """Seconds of processor time of a process so far; 0 of one that is gone."""
    found = _stat(pid)
    return found[1] if found is not None else 0.0


@contextmanager
def accounting() -> Iterator[dict[str, float]]:
    """Filled at the end with seconds of processor time by part, what the machine did elsewhere, and idle time."""
    table: dict[str, float] = {}
    found = _Account()
    stop = threading.Event()

    def follow() -> None:
        while not stop.wait(SAMPLE_SECONDS):
            found.look()

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield table
    finally:
        found.end()
        stop.set()
        thread.join()
        found.look()
        table |= found.table()


class _Account:
    """Processes come and go meanwhile: each counts from where it was first seen to where it was last seen."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._first: dict[int, float] = {}
        self._last: dict[int, float] = {}
        self.look(new=False)
        # to look takes tens of milliseconds on a full machine, in which nothing of what is measured happens
        self._started, self._busy = time.monotonic(), _busy_seconds()
        self._ended, self._busy_then = self._started, self._busy

    def end(self) -> None:
        """What is idle or elsewhere counts up to now."""
        self._ended, self._busy_then = time.monotonic(), _busy_seconds()

    def look(self, *, new: bool = True) -> None:
        backends = _backends()
        for pid, seconds in _family():
            self._names[pid] = _name(pid, backends) or self._names.get(pid, "bench")
            self._first.setdefault(pid, 0.0 if new else seconds)
            self._last[pid] = seconds

    def table(self) -> dict[str, float]:
        used: defaultdict[str, float] = defaultdict(float)
        for pid, name in self._names.items():
            used[name] += self._last[pid] - self._first[pid]
        busy = self._busy_then - self._busy
        whole = (self._ended - self._started) * (os.cpu_count() or 1)
        rows = dict(sorted(used.items(), key=lambda row: -row[1]))
        rows["elsewhere"] = max(busy - sum(used.values()), 0.0)
        rows["idle"] = max(whole - busy, 0.0)
        return {name: round(seconds, 2) for name, seconds in rows.items()}


def _stat(pid: int) -> tuple[int, float] | None:
    """Parent and seconds of processor time."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return int(fields[1]), (int(fields[11]) + int(fields[12])) / _TICKS


def _family() -> Iterator[tuple[int, float]]:
    """This process and all below it, with their seconds."""
    found = {int(path.name): stat for path in Path("/proc").glob("[0-9]*") if (stat := _stat(int(path.name)))}
    ours = {os.getpid()}
    grown = True
    while grown:
        more = {pid for pid, (parent, _) in found.items() if parent in ours} - ours
        ours |= more
        grown = bool(more)
    for pid in ours & found.keys():
        yield pid, found[pid][1]


def _name(pid: int, backends: dict[int, str]) -> str:
    if pid in backends:
        return f"Postgres for {backends[pid]}"
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
    if "postgres" in command.split(" ", 1)[0]:
        return "Postgres itself"
    return next((part for word, part in _PARTS.items() if word in command), "")


def _backends() -> dict[int, str]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pid, application_name FROM pg_stat_activity WHERE backend_type = 'client backend'")
        return {pid: name or "others" for pid, name in cursor.fetchall()}


def _busy_seconds() -> float:
    user, nice, system, _, _, irq, soft, steal, *_ = map(int, Path("/proc/stat").read_text().split()[1:11])
    return (user + nice + system + irq + soft + steal) / _TICKS
