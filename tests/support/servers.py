"""Real Postgres and Valkey for tests, by the code that `make up` uses."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controlplane.supervisor import postgres, valkey
from controlplane.supervisor.children import die_with_parent
from tests.support.wait import wait_until


@contextmanager
def run_postgres(directory: Path, *, own: bool) -> Iterator[str]:
    """A Postgres with data in `directory`; with own=False the server of DATABASE_URL."""
    if not own:
        yield os.environ["DATABASE_URL"]
        return
    server = postgres.prepare(directory, small=True)
    process = subprocess.Popen(
        server.argv,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent(signal.SIGINT),
        **server.popen,
    )
    try:
        wait_until(lambda: server.is_ready(process.pid), message="the test Postgres answers")
        server.create_database()
        yield server.url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


@contextmanager
def run_valkey(directory: Path, *, own: bool) -> Iterator[str]:
    """A Valkey in `directory`; with own=False the server of REDIS_URL."""
    if not own:
        yield os.environ["REDIS_URL"]
        return
    server = valkey.prepare(directory)
    process = subprocess.Popen(
        server.argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent(signal.SIGKILL)
    )
    try:
        wait_until(lambda: server.is_ready(process.pid), message="the test Valkey answers")
        yield server.url
    finally:
        process.terminate()
        process.wait(timeout=60)
