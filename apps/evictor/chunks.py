"""The chunks of a folder, as vLLM's filesystem tier lays them out, held in memory in some 150 bytes each."""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

# <folder>/<model>_<12 digits>_r<rank>/<3 digits>/<2 digits>_g<group>/<64 digits>.bin; aside, while it is written:
# <64 digits>.bin_<number>.tmp
_CHUNK = re.compile(r"[0-9a-f]{64}\.bin")
# innermost folders lie so deep below the root
LEAF = 4
_UNFINISHED = re.compile(r"[0-9a-f]{64}\.bin.*\.tmp")


@dataclass
class Chunks:
    """Parallel arrays, one row a chunk: `keys` (the low 64 bits of its hash, as KV events name it), `sizes` in bytes,
    `used` (Unix seconds of its last use that is known), `places` (index into `folders`), `names`.

    `row_of`: the row of a key. `top` of a place: the folder right below the root, which names weights and engine.
    """

    keys: array[int] = field(default_factory=lambda: array("Q"))
    sizes: array[int] = field(default_factory=lambda: array("Q"))
    used: array[float] = field(default_factory=lambda: array("d"))
    places: array[int] = field(default_factory=lambda: array("L"))
    names: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    tops: list[str] = field(default_factory=list)
    row_of: dict[int, int] = field(default_factory=dict)
    unfinished: list[tuple[str, float]] = field(default_factory=list)
    duplicates: int = 0
    bytes: int = 0

    def __len__(self) -> int:
        return len(self.keys)

    def path(self, row: int) -> str:
        return f"{self.folders[self.places[row]]}/{self.names[row]}"

    def top(self, row: int) -> str:
        return self.tops[self.places[row]]

    def add(self, name: str, size: int, used: float, place: int) -> int | None:
        """The new row; None for a chunk that is known already."""
        key = int(name[48:64], 16)
        row = self.row_of.get(key)
        if row is not None and self.sizes[row]:
            if self.path(row) == f"{self.folders[place]}/{name}":
                return None
            self.duplicates += 1
        row = len(self.keys)
        self.row_of[key] = row
        self.bytes += size
        self.keys.append(key)
        self.sizes.append(size)
        self.used.append(used)
        self.places.append(place)
        self.names.append(name)
        return row

    def arrive(self, root: str, folder: str, name: str, size: int, used: float) -> int | None:
        """Take in a chunk that came into place since the folder was read; its row, None where it is known."""
        self.folders.append(folder)
        self.tops.append(folder[len(root) + 1 :].partition("/")[0])
        return self.add(name, size, used, len(self.folders) - 1)

    def drop(self, row: int) -> None:
        """The chunk of a row is gone; its row stays, without bytes."""
        self.bytes -= self.sizes[row]
        self.sizes[row] = 0

    def row_at(self, key: int, path: str) -> int | None:
        """The row of a chunk, where it is the one at that path."""
        row = self.row_of.get(key)
        return row if row is not None and self.path(row) == path else None


def is_chunk(name: str) -> bool:
    """Whether a file's name is that of a whole chunk."""
    return _CHUNK.fullmatch(name) is not None


def scan(
    root: str,
    between: Callable[[Chunks], None] = lambda found: None,
    entering: Callable[[str, int], None] = lambda folder, depth: None,
) -> Chunks:
    """Read the folder. `between` is called after each innermost folder with what was found so far, `entering` before
    each folder is read, with its depth below the root.

    The time of last use is a file's mtime, which is written when the chunk is and moved when it is
    used (volumes are mounted noatime). Links are not followed. Raises OSError when the root cannot be read."""
    found = Chunks()
    entering(root, 0)
    with os.scandir(root) as tops:
        for top in tops:
            if top.is_dir(follow_symlinks=False) and not top.name.startswith("."):
                for folder in _leaves(top.path, 1, entering):
                    _read(folder, top.name, found)
                    between(found)
    return found


def _leaves(path: str, depth: int, entering: Callable[[str, int], None]) -> Iterator[str]:
    entering(path, depth)
    if depth == LEAF:
        yield path
        return
    try:
        with os.scandir(path) as entries:
            below = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:  # it went away meanwhile
        return
    for folder in below:
        yield from _leaves(folder, depth + 1, entering)


def _read(folder: str, top: str, found: Chunks) -> None:
    place = len(found.folders)
    found.folders.append(folder)
    found.tops.append(top)
    try:
        entries = os.scandir(folder)
    except OSError:
        return
    with entries:
        for entry in entries:
            name = entry.name
            try:
                if _CHUNK.fullmatch(name):
                    status = entry.stat(follow_symlinks=False)
                    found.add(name, status.st_size, status.st_mtime, place)
                elif _UNFINISHED.fullmatch(name):
                    found.unfinished.append((entry.path, entry.stat(follow_symlinks=False).st_mtime))
            except OSError:
                continue
