"""What appears in a folder, told by the kernel the moment it does (inotify), where only this node writes to it.

Chunks are moved into place when they are whole: one event tells of one chunk, and its folder is told when it is made.
On a network file system the kernel tells only what this node itself writes: there nothing is watched. The constants are
of linux/inotify.h; ctypes, since the program runs in images of which only the standard library is known.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import struct
from collections.abc import Iterator

from .chunks import LEAF

CREATE, MOVED_FROM, MOVED_TO, DELETE = 0x100, 0x40, 0x80, 0x200
OVERFLOW, IGNORED, IS_DIR = 0x4000, 0x8000, 0x40000000
ONLY_DIR, DONT_FOLLOW = 0x01000000, 0x02000000
_EVENT = struct.Struct("iIII")
_READ = 2**20
# file systems of one node; all others are taken to have writers elsewhere
LOCAL = frozenset({"bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs"})
LIMIT = "/proc/sys/fs/inotify/max_user_watches"


class Watcher:
    """Watches a root and all folders that it is shown or told of. `complete`: nothing can have been missed so far.
    `aside`: what is being written and not in place yet, by (number of its folder, name).

    Each folder costs about a kibibyte of the kernel's memory; of the folders that one user may watch it takes half."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._handle = -1
        self._known: dict[str, int] = {}
        self._folders: dict[int, tuple[str, int]] = {}
        self._most = 0
        self._libc: ctypes.CDLL | None = None
        self.complete = False
        self.aside: set[tuple[int, str]] = set()

    def start(self) -> bool:
        """Begin with the root; False where nothing can be watched."""
        self.stop()
        if file_system(self._root) not in LOCAL:
            return False
        try:
            with open(LIMIT, encoding="ascii") as file:
                self._most = int(file.read()) // 2
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._handle = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError, AttributeError):
            return False
        self.complete = self._handle >= 0
        self.follow(self._root, 0)
        return self.complete

    def stop(self) -> None:
        """Let go of all folders."""
        if self._handle >= 0:
            os.close(self._handle)
        self._handle, self.complete = -1, False
        self._known.clear()
        self._folders.clear()
        self.aside.clear()

    def follow(self, folder: str, depth: int) -> None:
        """Watch a folder, which must be done before it is read; `depth` below the root."""
        if not self.complete or folder in self._known:
            return
        if len(self._known) >= self._most:
            self.stop()
            return
        assert self._libc is not None
        mask = CREATE | MOVED_TO | (MOVED_FROM | DELETE if depth == LEAF else 0) | ONLY_DIR | DONT_FOLLOW
        number = self._libc.inotify_add_watch(self._handle, os.fsencode(folder), mask)
        if number >= 0:
            self._known[folder] = number
            self._folders[number] = (folder, depth)
        elif ctypes.get_errno() not in (2, 20):  # gone meanwhile, or no folder
            self.stop()

    def arrived(self) -> Iterator[tuple[str, str]]:
        """(folder, name) of the files that came into place since the last call. Some may come twice."""
        while self.complete:
            try:
                told = os.read(self._handle, _READ)
            except BlockingIOError:
                return
            at = 0
            while at < len(told):
                number, mask, _cookie, length = _EVENT.unpack_from(told, at)
                at += _EVENT.size + length
                if mask & OVERFLOW:
                    self.stop()
                    return
                if mask & IGNORED:
                    self._known.pop(self._folders.pop(number, ("", 0))[0], None)
                    self.aside = {one for one in self.aside if one[0] != number}
                elif number in self._folders:
                    folder, depth = self._folders[number]
                    name = os.fsdecode(told[at - length : at].rstrip(b"\0"))
                    if depth == LEAF:
                        if mask & MOVED_TO:
                            yield folder, name
                        elif name.endswith(".tmp"):
                            self._aside(number, name, mask & CREATE != 0)
                    elif mask & IS_DIR and not (depth == 0 and name.startswith(".")):
                        yield from self._enter(f"{folder}/{name}", depth + 1)

    def _aside(self, number: int, name: str, begun: bool) -> None:
        if begun:
            self.aside.add((number, name))
        else:
            self.aside.discard((number, name))

    def _enter(self, folder: str, depth: int) -> Iterator[tuple[str, str]]:
        """A new folder may have got its first files before it was watched."""
        self.follow(folder, depth)
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if depth == LEAF:
                    if entry.name.endswith(".tmp") and folder in self._known:
                        self._aside(self._known[folder], entry.name, True)
                    yield folder, entry.name
                elif entry.is_dir(follow_symlinks=False):
                    yield from self._enter(entry.path, depth + 1)


def file_system(path: str) -> str:
    """The type of the file system that a path lies on, as mountinfo names it; "" where that is not known."""
    path, found, longest = os.path.realpath(path), "", -1
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                fields = line.split()
                place = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
                inside = path == place or path.startswith(place.rstrip("/") + "/")
                # of two on one place the later covers the earlier
                if inside and len(place) >= longest:
                    found, longest = fields[fields.index("-") + 1], len(place)
    except (OSError, ValueError, IndexError):
        return ""
    return found
