"""Child processes of the supervisor: started in order, restarted with back-off, stopped within a deadline.

A child dies with its parent even when the parent is killed (PR_SET_PDEATHSIG), so that a killed supervisor leaves
nothing running. Its output goes through the supervisor into a rotating log file, so that logs stay bounded.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import ctypes
import logging.handlers
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_LOG_BYTES = 4 * 1024 * 1024


class ChildFailed(RuntimeError):
    """A child did not become ready; the message carries its last lines."""


@dataclass(frozen=True)
class Spec:
    """How to run one child.

    ready: asked with the child's pid until it answers True; None: ready once it is running.
    stop_signal: what ends it in order (SIGINT is Postgres's fast shutdown).
    orphan_signal: what the kernel sends when the supervisor itself was killed.
    before_start: called before every (re)start.
    quiet: restarts are expected and not worth a line (demo traffic while its pool is away).
    """

    name: str
    argv: list[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[int], bool] | None = None
    ready_timeout: float = 180.0
    stop_signal: signal.Signals = signal.SIGTERM
    orphan_signal: signal.Signals = signal.SIGKILL
    stop_timeout: float = 10.0
    before_start: Callable[[], object] | None = None
    popen: Mapping[str, Any] = field(default_factory=dict)
    quiet: bool = False
    backoff_max: float = 10.0


def die_with_parent(sig: signal.Signals) -> Callable[[], None]:
    """For preexec_fn, which runs after a change of user (a change of user would clear the setting)."""

    def set_signal() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, sig)

    return set_signal


class Child:
    """One supervised process: `start`, `wait_ready`, `stop`. `pid` is None while it is down."""

    def __init__(self, spec: Spec, *, logs: Path, say: Callable[[str], None]) -> None:
        self.spec = spec
        self._say = say
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False
        self._last_lines: collections.deque[str] = collections.deque(maxlen=15)
        self._log = logging.handlers.RotatingFileHandler(logs / f"{spec.name}.log", maxBytes=_LOG_BYTES, backupCount=1)
        self._log.terminator = ""
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        process = self._process
        return process.pid if process and process.returncode is None else None

    def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep_running(), name=f"keep {self.spec.name}")

    async def wait_ready(self) -> None:
        """Until `ready` answers True. Raises ChildFailed with the last lines after `ready_timeout` seconds."""
        deadline = time.monotonic() + self.spec.ready_timeout
        pause = 0.03
        while True:
            pid = self.pid
            if pid and (self.spec.ready is None or await asyncio.to_thread(self.spec.ready, pid)):
                return
            if time.monotonic() > deadline or self.restarts >= 5:
                tail = "".join(f"    {line}" for line in self._last_lines) or "    (it printed nothing)\n"
                raise ChildFailed(
                    f"{self.spec.name} did not become ready within {self.spec.ready_timeout:.0f} s. Its last lines:\n"
                    f"{tail}  The whole log: {self._log.baseFilename}"
                )
            await asyncio.sleep(pause)
            pause = min(pause * 1.3, 0.5)

    def let_end(self) -> None:
        """From now on it is not started again: what it talks to may be gone before it is told to stop itself."""
        self._stopping = True

    async def stop(self) -> None:
        self.let_end()
        process = self._process
        if process and process.returncode is None:
            process.send_signal(self.spec.stop_signal)
            try:
                await asyncio.wait_for(process.wait(), self.spec.stop_timeout)
            except TimeoutError:
                self._say(f"{self.spec.name} did not stop within {self.spec.stop_timeout:.0f} s; killing it")
                process.kill()
                await process.wait()
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        self._log.close()

    async def _keep_running(self) -> None:
        delay = 0.2
        while not self._stopping:
            started = time.monotonic()
            code = await self._run_once()
            if self._stopping:
                return
            lived = time.monotonic() - started
            delay = 0.2 if lived > 30 else min(delay * 2, self.spec.backoff_max)
            self.restarts = 0 if lived > 30 else self.restarts + 1
            if not self.spec.quiet:
                self._say(f"{self.spec.name} ended ({_describe(code)}); starting it again in {delay:.1f} s")
            await asyncio.sleep(delay)

    async def _run_once(self) -> int:
        if self.spec.before_start:
            await asyncio.to_thread(self.spec.before_start)
        self._process = process = await asyncio.create_subprocess_exec(
            *self.spec.argv,
            env={**os.environ, **self.spec.env},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # its own process group: Ctrl-C in the terminal reaches only the supervisor, which stops children in order
            process_group=0,
            preexec_fn=die_with_parent(self.spec.orphan_signal),
            **self.spec.popen,
        )
        await self._copy_output(process)
        return await process.wait()

    async def _copy_output(self, process: asyncio.subprocess.Process) -> None:
        """Until the child ends. A grandchild that inherited the pipe must not keep us waiting."""
        assert process.stdout
        ended = asyncio.ensure_future(process.wait())
        try:
            while True:
                line = asyncio.ensure_future(process.stdout.read(65536))
                done, _ = await asyncio.wait({line, ended}, return_when=asyncio.FIRST_COMPLETED)
                if line not in done:
                    line.cancel()
                    return
                chunk = line.result()
                if not chunk:
                    return
                text = chunk.decode(errors="replace")
                self._last_lines.extend(part + "\n" for part in text.splitlines())
                self._log.emit(logging.LogRecord(self.spec.name, logging.INFO, "", 0, "%s", (text,), None))
        finally:
            ended.cancel()


def _describe(code: int) -> str:
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


async def run_once(argv: list[str], *, env: Mapping[str, str], timeout: float, what: str) -> str:
    """Run a command to its end and return its output. Raises ChildFailed with the last of it when it fails or has not
    ended after `timeout` seconds."""
    process = await asyncio.create_subprocess_exec(
        *argv,
        env={**os.environ, **env},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        process_group=0,
        preexec_fn=die_with_parent(signal.SIGKILL),
    )
    assert process.stdout is not None
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(timeout):
            while part := await process.stdout.read(65536):
                parts.append(part)
            await process.wait()
    except (TimeoutError, asyncio.CancelledError) as ended:
        # with whatever it has started; its pipe is read to the end, or it would outlive the loop
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        parts.append(await process.stdout.read())
        await process.wait()
        if isinstance(ended, TimeoutError):
            raise ChildFailed(
                f"{what} did not end within {timeout:.0f} s: is this machine busy, or does a server not answer? "
                f"Its last lines:\n{_tail(parts)}"
            ) from None
        raise
    if process.returncode != 0:
        raise ChildFailed(f"{what} failed ({_describe(process.returncode or 0)}):\n{_tail(parts)}")
    return b"".join(parts).decode(errors="replace")


def _tail(parts: list[bytes]) -> str:
    lines = b"".join(parts).decode(errors="replace").splitlines()[-15:]
    return "\n".join(f"    {line}" for line in lines) or "    (it printed nothing)"
