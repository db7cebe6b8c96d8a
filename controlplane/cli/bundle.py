"""Many files as one bundle, and the way back from a line of the bundle to the file that it stands in."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from controlplane.cli.failures import USAGE, Failure

__all__ = ["Bundle", "read_bundle"]

_SUFFIXES = (".yaml", ".yml", ".json")
# the server's limit is 1 MiB; reading much more only to have it refused would be waste
_MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Bundle:
    """`text`: all documents; `starts`: (first line in the text, file) in order."""

    text: str
    starts: tuple[tuple[int, str], ...]

    def place(self, line: int | None, column: int | None) -> str:
        """`file:line:column` for a position in the text; the file's own count of lines."""
        if line is None:
            return self.starts[0][1] if len(self.starts) == 1 else ""
        first, name = next((start for start in reversed(self.starts) if start[0] <= line), self.starts[0])
        where = f"{name}:{line - first + 1}"
        return f"{where}:{column}" if column is not None else where


def read_bundle(names: tuple[str, ...]) -> Bundle:
    """Read files, directories (recursively, in order of their paths) and `-` for stdin. Raises Failure (usage)."""
    parts: list[tuple[str, str]] = []
    for name in names:
        if name == "-":
            parts.append(("<stdin>", _decode("<stdin>", sys.stdin.buffer.read(_MAX_BYTES + 1))))
            continue
        path = Path(name)
        files = _files_below(path) if path.is_dir() else [path]
        for file in files:
            try:
                with file.open("rb") as opened:
                    parts.append((str(file), _decode(str(file), opened.read(_MAX_BYTES + 1))))
            except OSError as error:
                raise Failure(f"{file} cannot be read: {error.strerror}.", USAGE) from None
    text, line = "", 1
    starts: list[tuple[int, str]] = []
    for name, part in parts:
        if text and not _opens_document(part):
            text += "---\n"
            line += 1
        starts.append((line, name))
        if name.endswith(".json") or part.lstrip()[:1] in ("{", "["):
            # YAML takes JSON as it is, but for tabs as indentation; columns stay the same
            part = re.sub(r"^\t+", lambda tabs: " " * len(tabs[0]), part, flags=re.MULTILINE)
        text += part if part.endswith("\n") or not part else part + "\n"
        line = text.count("\n") + 1
    return Bundle(text, tuple(starts))


def _opens_document(part: str) -> bool:
    """Whether the text brings its own `---`; another one before it would be an empty document."""
    first = next((line for line in part.split("\n") if line.strip() and not line.lstrip().startswith("#")), "---")
    return first.startswith("---")


def _files_below(directory: Path) -> list[Path]:
    found = sorted(path for path in directory.rglob("*") if path.suffix in _SUFFIXES and path.is_file())
    if not found:
        raise Failure(f"{directory} holds no {', '.join(_SUFFIXES)} file.", USAGE)
    return found


def _decode(name: str, raw: bytes) -> str:
    if len(raw) > _MAX_BYTES:
        raise Failure(f"{name} is larger than {_MAX_BYTES // 2**20} MiB; a bundle of documents is far smaller.", USAGE)
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Failure(f"{name} is not UTF-8 text: byte {error.start} cannot be read.", USAGE) from None
