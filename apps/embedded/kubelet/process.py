"""One local process with its output: started so that it dies with us, waited for without a thread, ended in a group."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from apps.embedded.kubelet.logs import LogWriter

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    """In the child, before exec: a killed kubelet must not leave its pods behind."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A started process: ``wait`` gives its exit code (negative: killed by that signal)."""

    def __init__(self, popen: subprocess.Popen[bytes], log: LogWriter | None) -> None:
        self._popen = popen
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._exited: asyncio.Future[int] = self._loop.create_future()
        self._pidfd = os.pidfd_open(popen.pid)
        self._loop.add_reader(self._pidfd, self._on_exit)
        if log is not None and popen.stdout is not None:
            os.set_blocking(popen.stdout.fileno(), False)
            self._loop.add_reader(popen.stdout.fileno(), self._on_output)

    @classmethod
    def start(cls, argv: Sequence[str], env: Mapping[str, str], cwd: Path, log: LogWriter | None) -> Process:
        """OSError when the program cannot be started."""
        popen = subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if log is not None else subprocess.DEVNULL,
            stderr=subprocess.STDOUT if log is not None else subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        return cls(popen, log)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def log(self) -> LogWriter | None:
        return self._log

    @property
    def exited(self) -> bool:
        return self._exited.done()

    async def wait(self) -> int:
        return await asyncio.shield(self._exited)

    def send(self, number: int, *, to_all: bool = False) -> None:
        """A signal as a container gets it: its first process alone, which tells its children what it likes. SIGKILL,
        and any with ``to_all``, goes to the whole group."""
        if not self.exited:
            signalled = os.killpg if to_all or number == signal.SIGKILL else os.kill
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signalled(self._popen.pid, number)

    def _on_output(self) -> None:
        assert self._popen.stdout is not None
        assert self._log is not None
        try:
            chunk = os.read(self._popen.stdout.fileno(), 65536)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if chunk:
            self._log.feed(chunk)
        else:
            self._close_output()

    def _on_exit(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        # what it started and left running in its group goes with it, as a container's processes do; the group's
        # number cannot have been given away before the process is reaped
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        code = self._popen.wait()
        self._drain_output()
        if not self._exited.done():
            self._exited.set_result(code)

    def _drain_output(self) -> None:
        stdout = self._popen.stdout
        if stdout is None or stdout.closed or self._log is None:
            return
        with contextlib.suppress(OSError):
            while chunk := os.read(stdout.fileno(), 65536):
                self._log.feed(chunk)
        self._close_output()

    def _close_output(self) -> None:
        stdout = self._popen.stdout
        if stdout is not None and not stdout.closed:
            self._loop.remove_reader(stdout.fileno())
            stdout.close()
        if self._log is not None:
            self._log.close()


async def run_command(argv: Sequence[str], env: Mapping[str, str], cwd: Path, timeout: float) -> int | None:
    """Run a short command (exec probe, preStop); its exit code, or None when it took longer than ``timeout`` s."""
    process = Process.start(argv, env, cwd, None)
    try:
        async with asyncio.timeout(timeout):
            return await process.wait()
    except TimeoutError:
        return None
    finally:
        process.send(signal.SIGKILL)
