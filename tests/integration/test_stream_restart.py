"""The event stream while Postgres goes away and comes back; with a server of its own, which nobody else misses."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from tests.support.servers import run_postgres
from tests.support.sse import EventReader
from tests.support.wait import wait_until
from tests.support.web import PROJECT, run_web


@pytest.fixture
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lamplight-pg-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)  # Postgres runs as nobody when the tests run as root
        yield Path(name)


def manage(url: str, *args: str) -> None:
    env = {**os.environ, "DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "controlplane.settings.test"}
    argv = [sys.executable, "manage.py", *args]
    subprocess.run(argv, cwd=PROJECT, env=env, check=True, capture_output=True, timeout=90)


def publish(url: str, name: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "INSERT INTO core_outboxevent (at, kind, uid, team, name, verb, fields) "
            "VALUES (now(), 'Pool', %s, 'default', %s, 'updated', '[]')",
            [uuid.uuid4(), name],
        )
        connection.execute("SELECT pg_notify('lamplight_outbox', '')")


def test_a_reader_stays_connected_and_misses_nothing(directory: Path) -> None:
    data, token = directory / "pg", directory / "token"
    with ExitStack() as outliving:
        with run_postgres(data, own=True) as url:
            manage(url, "migrate", "--skip-checks")
            manage(url, "lamplight_bootstrap", "--username", "admin", "--token-file", str(token))
            publish(url, "old")
            web = outliving.enter_context(run_web({"DATABASE_URL": url}))
            headers = {"Authorization": f"Bearer {token.read_text().strip()}"}
            reader = EventReader(web.url + "/api/v1/stream", headers)
            publish(url, "before")
            assert reader.next().data["name"] == "before"
        assert web.status("/readyz") == 503
        assert web.status("/healthz") == 200
        assert EventReader(web.url + "/api/v1/stream", headers).status == 503
        with run_postgres(data, own=True) as url:
            publish(url, "after")
            assert reader.next(60).data["name"] == "after"
            wait_until(lambda: web.status("/readyz") == 200, message="ready again")
            again = EventReader(web.url + "/api/v1/stream", {**headers, "Last-Event-ID": reader.last_id})
            publish(url, "later")
            assert {reader.next().data["name"], again.next().data["name"]} == {"later"}
            reader.close()
            again.close()
