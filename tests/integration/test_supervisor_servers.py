"""The embedded Postgres keeps what it acknowledged through kill -9; both servers prove which process answers."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest
import redis

from controlplane.supervisor import postgres, valkey
from controlplane.supervisor.children import die_with_parent
from tests.support.wait import wait_until


def start(argv, **popen):
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **popen)


@pytest.fixture(params=["open to all", "closed to others"])
def directory(request, tmp_path_factory, monkeypatch):
    """A place for data: as in a normal checkout, and as below a 0700 home of root."""
    base = Path(tempfile.mkdtemp(prefix="lamplight-pg-"))
    base.chmod(0o755 if request.param == "open to all" else 0o700)
    system = Path(tempfile.mkdtemp(prefix="lamplight-system-"))
    system.chmod(0o755)
    monkeypatch.setattr(postgres, "_SYSTEM_DIR", system)
    yield base / "pg"
    shutil.rmtree(base, ignore_errors=True)
    shutil.rmtree(system, ignore_errors=True)


def test_postgres_survives_kill_and_a_stale_pid_file(directory):
    server = postgres.prepare(directory)
    process = start(server.argv, preexec_fn=die_with_parent(signal.SIGINT), **server.popen)
    try:
        wait_until(lambda: server.is_ready(process.pid))
        assert not server.is_ready(os.getpid()), "another process must not pass for the server"
        server.create_database()
        with psycopg.connect(host=str(server.socket_dir), user="postgres", dbname="lamplight", autocommit=True) as conn:
            conn.execute("CREATE TABLE kept (n int)")
            conn.execute("INSERT INTO kept VALUES (7)")
        process.kill()
        process.wait(timeout=60)
        # as after a crash whose pid was taken over by somebody else
        (server.data / "postmaster.pid").write_text(f"{os.getpid()}\n")
        server.remove_stale_pid_file()
        again = postgres.prepare(directory)

        def restarted():
            nonlocal process
            if process.poll() is not None:  # children of the killed server may still hold the shared memory
                process = start(again.argv, preexec_fn=die_with_parent(signal.SIGINT), **again.popen)
            return again.is_ready(process.pid)

        wait_until(restarted)
        with psycopg.connect(host=str(server.socket_dir), user="postgres", dbname="lamplight") as conn:
            assert conn.execute("SELECT n FROM kept").fetchone() == (7,)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)


def test_valkey_answers_as_itself_and_can_be_wiped(tmp_path):
    server = valkey.prepare(tmp_path / "valkey")
    process = start(server.argv)
    try:
        wait_until(lambda: server.is_ready(process.pid))
        assert not server.is_ready(os.getpid())
        with redis.Redis(unix_socket_path=str(server.socket)) as client:
            client.set("a", 1)
            client.flushall()
            assert client.get("a") is None
    finally:
        process.terminate()
        process.wait(timeout=60)
