"""The console in front of a seeded week: a real web process on a database of its own, without loops and clusters."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controlplane.supervisor.children import die_with_parent
from tests.support.ports import free_port
from tests.support.servers import run_postgres
from tests.support.stack import PROJECT
from tests.support.wait import wait_until
from tests.support.web import Web

PASSWORD = "a-seeded-week"


@dataclass
class SeededConsole:
    """`url` without a trailing slash; the user `admin` may everything. `env`: for manage.py on its database."""

    url: str
    env: dict[str, str]
    web: Web
    username: str = "admin"
    password: str = PASSWORD

    @property
    def base_url(self) -> str:
        return self.url

    def manage(self, *args: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *args],
            cwd=PROJECT, env=self.env, capture_output=True, text=True, timeout=1200, check=False,
        )  # fmt: skip
        if done.returncode:
            raise AssertionError(f"manage.py {' '.join(args)}:\n{done.stdout}{done.stderr}")
        return done.stdout


@contextmanager
def seeded_console(*seed: str, port: int | None = None) -> Iterator[SeededConsole]:
    """Postgres, the week of `manage.py seed_week *seed`, and a web process that serves the built console."""
    base = Path(tempfile.mkdtemp(prefix="lamplight-week-"))
    base.chmod(0o755)  # Postgres runs as nobody when the tests run as root
    port = port or free_port()
    try:
        with run_postgres(base / "pg", own=True) as url:
            env = {
                **os.environ,
                "DATABASE_URL": url,
                "DJANGO_SETTINGS_MODULE": "controlplane.settings",
                "LAMPLIGHT_SECRET_KEY": "only-for-a-seeded-week",
                "LAMPLIGHT_DATA": str(base / "data"),
                # nobody answers there: nothing is to be woken
                "REDIS_URL": "redis://127.0.0.1:1/0",
                "LAMPLIGHT_ADMIN_PASSWORD": PASSWORD,
            }
            console = SeededConsole(f"http://127.0.0.1:{port}", env, None)  # type: ignore[arg-type]
            console.manage("migrate", "-v0")
            console.manage("lamplight_bootstrap", "--token-file", str(base / "token"))
            # figures older than half a minute are shown as stale: the week ends a little after the tests do
            ahead = (datetime.now(UTC) + timedelta(minutes=25)).isoformat(timespec="seconds")
            # a Tuesday afternoon whenever the tests run: what happened lately does not depend on the hour
            console.manage("seed_week", "--end", ahead, "--like", "2026-11-24T15:30:00Z", *seed)
            with _web(env, port) as web:
                console.web = web
                yield console
    finally:
        shutil.rmtree(base, ignore_errors=True)


@contextmanager
def _web(env: dict[str, str], port: int) -> Iterator[Web]:
    process = start_web(env, port)
    web = Web(f"http://127.0.0.1:{port}", process)
    try:
        wait_until(lambda: process.poll() is not None or up(web), message="the web process answers")
        assert process.poll() is None, f"the web process ended with {process.returncode}"
        yield web
    finally:
        stop_web(web)


def up(web: Web) -> bool:
    try:
        return web.status("/healthz") == 200
    except OSError:
        return False


def start_web(env: dict[str, str], port: int) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "uvicorn", "controlplane.asgi:application", "--host", "127.0.0.1"]
    argv += ["--port", str(port), "--lifespan", "off", "--no-access-log", "--log-level", "warning"]
    argv += ["--timeout-graceful-shutdown", "3"]
    return subprocess.Popen(
        argv, cwd=PROJECT, env=env, stdin=subprocess.DEVNULL, preexec_fn=die_with_parent(signal.SIGKILL)
    )


def stop_web(web: Web) -> None:
    if web.process.poll() is None:
        web.process.send_signal(signal.SIGTERM)
        try:
            web.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            web.process.kill()
            web.process.wait(timeout=60)
