"""Bringing a write-ahead log into its database file beside the writer, who would wait tens of milliseconds for it.

SQLite does that within every thousandth page's commit, and syncs two files to the disk meanwhile. What is safe when
does not change: a commit is in the log before anybody hears of it, and the log is synced before the file is written.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

# as much as SQLite itself lets come together, in bytes of bodies
ENOUGH = 4 * 2**20
# what the log may grow to, in pages of 4 KiB, before a writer has to do it after all: 64 MiB
MOST_PAGES = 16384
# what is written while the log is brought in stays in it, and the log begins anew only once nothing is left
AGAIN_SECONDS = 0.5


class Checkpoints:
    """One thread with a connection of its own; `written` may be called from any other."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bytes = 0
        self._asked = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def written(self, size: int) -> None:
        """So many bytes more are in the log."""
        self._bytes += size
        if self._bytes >= ENOUGH:
            self._bytes = 0
            self._asked.set()

    def close(self) -> None:
        self._stopped = True
        self._asked.set()
        self._thread.join()

    def _run(self) -> None:
        with closing(sqlite3.connect(self._path, isolation_level=None)) as db:
            pages: int | None = None
            while not self._stopped:
                asked = self._asked.wait(None if pages is None else AGAIN_SECONDS)
                self._asked.clear()
                if self._stopped:
                    return
                found = _into_file(db)
                # as many as before: nothing came meanwhile; fewer: the log has begun anew
                pages = found if asked or pages is None or found > pages else None


def _into_file(db: sqlite3.Connection) -> int:
    """Bring in what is in the log now, keeping nobody waiting; how many pages there are in it."""
    try:
        _, pages, _ = db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite3.OperationalError:
        return MOST_PAGES  # somebody else is at it: look again
    return int(pages)
