"""The web process as it runs in production: uvicorn on the ASGI application, on the test's database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from controlplane.supervisor.children import die_with_parent
from tests.support.ports import free_port
from tests.support.wait import wait_until

PROJECT = Path(__file__).resolve().parents[2]


@dataclass
class Web:
    """A running web process. `url` without a trailing slash."""

    url: str
    process: subprocess.Popen[bytes]

    def status(self, path: str) -> int:
        try:
            with urllib.request.urlopen(self.url + path, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code


def database_url() -> str:
    """The URL of the database that the running test uses."""
    from django.db import connection

    found = connection.settings_dict
    host, port = found["HOST"] or "", found["PORT"]
    auth = quote(found["USER"], safe="") + (f":{quote(found['PASSWORD'], safe='')}" if found["PASSWORD"] else "")
    return f"postgres://{auth}@{quote(host, safe='')}{f':{port}' if port else ''}/{found['NAME']}"


@contextmanager
def run_web(env: dict[str, str] | None = None, *, graceful: int = 3) -> Iterator[Web]:
    """A web process on a free port, cut off so many seconds after it was told to stop; the test must not run inside a
    transaction."""
    port = free_port()
    argv = [
        sys.executable,
        "-m",
        "uvicorn",
        "controlplane.asgi:application",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    argv += [
        "--lifespan",
        "off",
        "--no-access-log",
        "--log-level",
        "warning",
        "--timeout-graceful-shutdown",
        str(graceful),
    ]
    process = subprocess.Popen(
        argv,
        cwd=PROJECT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "controlplane.settings.test",
            "DATABASE_URL": database_url(),
            **(env or {}),
        },
        stdin=subprocess.DEVNULL,
        preexec_fn=die_with_parent(signal.SIGKILL),
    )
    web = Web(f"http://127.0.0.1:{port}", process)

    try:
        wait_until(
            lambda: process.poll() is not None or web.status("/healthz") == 200, message="the web process answers"
        )
        assert process.poll() is None, f"the web process ended with {process.returncode}"
        yield web
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=60)
