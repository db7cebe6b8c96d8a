"""Does the volume give back what it was given? Write, read back past the page cache, compare."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass

SIZE = 4 * 2**20


@dataclass(frozen=True)
class Canary:
    """`problem`: a sentence, "" when all is well. Seconds that writing (to the disk) and reading took."""

    problem: str
    write_seconds: float = 0.0
    read_seconds: float = 0.0


def try_volume(root: str) -> Canary:
    """Try it with one small file of our own, which is gone afterwards."""
    path = f"{root}/.lamplight-canary-{os.getpid()}"
    given = os.urandom(SIZE)
    try:
        begun = time.perf_counter()
        handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        try:
            view = memoryview(given)
            while view:
                view = view[os.write(handle, view) :]
            os.fsync(handle)
            _uncache(handle)
        finally:
            os.close(handle)
        written = time.perf_counter()
        handle = os.open(path, os.O_RDONLY)
        try:
            _uncache(handle)
            back = b"".join(iter(lambda: os.read(handle, SIZE), b""))
        finally:
            os.close(handle)
        read = time.perf_counter()
    except OSError as error:
        return Canary(f"the volume cannot be written and read: {error.strerror}")
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
    if back != given:
        return Canary("the volume gave back other bytes than it was given: blocks read from it may be wrong")
    return Canary("", written - begun, read - written)


def _uncache(handle: int) -> None:
    if hasattr(os, "posix_fadvise"):
        with contextlib.suppress(OSError):
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
