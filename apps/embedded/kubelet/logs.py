"""Container logs: lines with their time in files of bounded size, read back with tail, since and follow."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from apps.embedded.domain.objects import parse_time

MAX_FILE_BYTES = 4 * 1024 * 1024
"""A run's log is at most two such files: the one being written and the one before it."""
MAX_LINE_BYTES = 64 * 1024
KEPT_RUNS = 2
"""Logs are kept of the current run of a container and of the one before (`kubectl logs --previous`)."""


def log_path(directory: Path, run: int) -> Path:
    return directory / f"{run}.log"


class LogWriter:
    """Splits what a process writes into lines and stores each as ``<RFC 3339 time> <text>``."""

    def __init__(self, directory: Path, run: int) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = log_path(directory, run)
        self._rest = b""
        self._file = self._path.open("ab")
        self._size = self._file.tell()
        self.closed = False
        self.grown = asyncio.Event()
        for old in directory.glob("*.log*"):
            number = old.name.partition(".")[0]
            if number.isdigit() and int(number) <= run - KEPT_RUNS:
                old.unlink(missing_ok=True)

    def feed(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            lines.append(self._rest)
            self._rest = b""
        self._store(lines)

    def close(self) -> None:
        if self.closed:
            return
        if self._rest:
            self._store([self._rest])
            self._rest = b""
        self.closed = True
        self._file.close()
        self._wake()

    def _store(self, lines: list[bytes]) -> None:
        if not lines:
            return
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ ").encode()
        data = b"".join(stamp + line[:MAX_LINE_BYTES] + b"\n" for line in lines)
        self._file.write(data)
        self._file.flush()
        self._size += len(data)
        if self._size > MAX_FILE_BYTES:
            self._file.close()
            os.replace(self._path, self._path.with_suffix(".log.1"))
            self._file = self._path.open("ab")
            self._size = 0
        self._wake()

    def _wake(self) -> None:
        grown, self.grown = self.grown, asyncio.Event()
        grown.set()


@dataclass(frozen=True)
class LogQuery:
    """What `kubectl logs` asks for. ``tail`` lines from the end; ``since`` the earliest time; ``limit`` bytes."""

    tail: int | None = None
    since: datetime | None = None
    timestamps: bool = False
    limit: int | None = None


def _lines(path: Path) -> Iterator[bytes]:
    for part in (path.with_suffix(".log.1"), path):
        try:
            with part.open("rb") as file:
                yield from file
        except FileNotFoundError:
            continue


def _shown(line: bytes, query: LogQuery) -> bytes | None:
    stamp, _, text = line.partition(b" ")
    if query.since is not None:
        try:
            if parse_time(stamp.decode()) < query.since:
                return None
        except ValueError:
            return None
    return line if query.timestamps else text


def read_log(directory: Path, run: int, query: LogQuery) -> bytes:
    """The text of one run as asked for; empty when it wrote nothing or is no longer kept."""
    shown = (text for line in _lines(log_path(directory, run)) if (text := _shown(line, query)) is not None)
    data = b"".join(deque(shown, maxlen=query.tail) if query.tail is not None else shown)
    return data if query.limit is None else data[: query.limit]


async def follow_log(directory: Path, run: int, query: LogQuery, writer: LogWriter | None) -> AsyncIterator[bytes]:
    """``read_log``, then what is added, until the run ends."""
    path = log_path(directory, run)
    position = path.stat().st_size if path.exists() else 0
    yield read_log(directory, run, query)
    while writer is not None:
        grown, ended = writer.grown, writer.closed
        size = path.stat().st_size if path.exists() else 0
        if size < position:
            position = 0
        if size > position:
            with path.open("rb") as file:
                file.seek(position)
                data = file.read()
            position += len(data)
            yield b"".join(text for line in data.splitlines(keepends=True) if (text := _shown(line, query)))
        elif ended:
            return
        else:
            await grown.wait()


def last_lines(directory: Path, run: int, count: int = 10, limit: int = 2048) -> str:
    """The end of a run's log, for its termination message."""
    return read_log(directory, run, LogQuery(tail=count)).decode(errors="replace")[-limit:].strip()
