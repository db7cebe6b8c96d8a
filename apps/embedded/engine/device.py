"""The memory of accelerators that several engines were given together (a claim that several pods name).

An engine that is awake takes nine tenths of it, so that one fits and two do not: the second ends at its start, or fails
to wake, as CUDA has it. Held as a lock on a file that the engines share; it is let go by whoever ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

__all__ = ["Device", "OutOfMemory"]


class OutOfMemory(RuntimeError):
    """Another engine is awake on the same accelerators."""


class Device:
    """Of one engine; `path` None: its accelerators are its own, and there is always room."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._handle: int | None = None

    def take(self) -> None:
        """Raises OutOfMemory."""
        if self._path is None or self._handle is not None:
            return
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(handle)
            raise OutOfMemory(
                "CUDA out of memory: another process has allocated the memory of this accelerator"
            ) from None
        self._handle = handle

    def leave(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
