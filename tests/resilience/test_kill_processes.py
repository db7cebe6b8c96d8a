"""Any process may die: the pool comes back to healthy without a person, and a killed supervisor leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
import requests

from tests.support.person import changing
from tests.support.stack import PROJECT, RunningStack, run_stack, stop
from tests.support.wait import wait_until


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    base = Path(tempfile.mkdtemp(prefix="lamplight-kill-"))
    base.chmod(0o755)
    yield base / "data"


@pytest.fixture(scope="module")
def stack(data: Path) -> Iterator[RunningStack]:
    with run_stack(data=data) as running:
        yield running


def serves(stack: RunningStack) -> bool:
    endpoint = stack.pool()["status"]["endpoint"]
    with urllib.request.urlopen(f"{endpoint}/v1/models", timeout=30) as answer:
        return bool(answer.status == 200)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "name", ["web", "worker", "beat", "informers", "valkey", "postgres", "apiserver", "controllers", "kubelet"]
)
def test_a_killed_process_is_replaced_and_the_pool_is_healthy_again(stack: RunningStack, name: str):
    (pid, *_) = stack.children()[name]
    os.kill(pid, signal.SIGKILL)
    wait_until(
        lambda: (now := stack.children().get(name)) and pid not in now,
        message=f"{name} runs again",
    )
    stack.wait_healthy(timeout=120, ready=2)
    wait_until(lambda: serves(stack), message="the pool serves", step=0.5)
    # it still reconciles: a new declaration goes through every process
    target = stack.pool()["metadata"]["generation"] + 1
    document = stack.lamp("get", "pool", "chat", "-o", "json").stdout
    spec = json.loads(document)
    for key in ("uid", "generation", "version", "createdAt", "updatedAt", "deletionRequestedAt"):
        spec["metadata"].pop(key, None)
    spec.pop("status", None)
    variant = spec["spec"]["variants"][0]
    variant["replicas"]["max"] = 5 if variant["replicas"]["max"] != 5 else 4
    stack.lamp("apply", "-f", "-", stdin=json.dumps(spec))
    pool = stack.wait_healthy(timeout=120, ready=2)
    assert pool["metadata"]["generation"] == target


@pytest.mark.timeout(900)
@pytest.mark.parametrize("mark", ["apps.embedded.engine", "apps.embedded.gateway"])
def test_a_killed_container_is_started_again(stack: RunningStack, mark: str):
    def containers() -> set[int]:
        found = set()
        for pid in stack.descendants():
            try:
                if mark in Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode():
                    found.add(pid)
            except OSError:
                continue
        return found

    before = containers()
    assert before
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    wait_until(lambda: len(containers() - {victim}) >= len(before), message="the container runs again")
    stack.wait_healthy(timeout=90, ready=2)
    wait_until(lambda: serves(stack), message="the pool serves", step=0.5)


@pytest.mark.timeout(900)
def test_work_goes_on_when_the_broker_forgets_everything(stack: RunningStack):
    socket = stack.data / "valkey" / "valkey.sock"
    with redis.Redis(unix_socket_path=str(socket)) as client:
        client.flushall()
    stack.lamp("scale", "pool/chat", "--variant", "h200", "--replicas", "3")
    stack.wait_healthy(timeout=90, desired=3, ready=3)
    with redis.Redis(unix_socket_path=str(socket)) as client:
        client.flushall()
    stack.lamp("scale", "pool/chat", "--variant", "h200", "--replicas", "2")
    stack.wait_healthy(timeout=90, desired=2, ready=2)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("times", [3, pytest.param(30, marks=pytest.mark.soak)])
def test_sessions_that_postgres_drops_every_two_seconds_cost_no_change(stack: RunningStack, times: int):
    with changing(stack, at_least=times / 4), superuser(stack) as conn:
        for _ in range(times):
            conn.execute(DROP, [[]])
            time.sleep(2.0)  # the pace of the trouble, not a wait for anything


@pytest.mark.timeout(900)
def test_that_postgres_has_no_connection_left_is_said_and_costs_no_change(stack: RunningStack):
    with changing(stack, at_least=2), superuser(stack) as conn, ExitStack() as taken:

        def all_taken() -> bool:
            """Whoever else had a connection has none any more, and this test has each there is."""
            with suppress(psycopg.OperationalError):
                while True:
                    ours.append(taken.enter_context(connected(stack)))
            return not conn.execute(DROP, [[one.info.backend_pid for one in ours]]).fetchall()

        ours: list[psycopg.Connection] = []
        wait_until(all_taken, message="all connections are taken", step=0.01)
        status, said = answer(stack, "/api/v1/teams/default/pools/chat")
        assert (status, said["title"]) == (503, "The service cannot answer now"), said
        assert "database cannot be reached now, has no connection left" in said["detail"]
        assert answer(stack, "/healthz")[0] == 200, "that is no reason to start the web process anew"


@pytest.mark.timeout(900)
def test_that_postgres_takes_no_changes_is_said_and_costs_none(stack: RunningStack):
    """As a standby does, or a database whose keeper sees its disk fill."""
    with changing(stack, at_least=2), superuser(stack) as conn:
        conn.execute("ALTER SYSTEM SET default_transaction_read_only = on")
        conn.execute("SELECT pg_reload_conf()")
        try:
            refused = wait_until(lambda: read_only(stack), message="a change is refused")
            assert "takes no changes (it is read only" in refused["detail"]
            assert "whoever runs it must see to it" in refused["detail"]
            assert answer(stack, "/api/v1/teams/default/pools/chat")[0] == 200, "what is there can be read"
            assert serves(stack)
            status, ready = answer(stack, "/readyz")
            assert (status, ready["checks"]["database"]) == (200, "takes no changes: it is read only")
        finally:
            conn.execute("SET default_transaction_read_only = off")
            conn.execute("ALTER SYSTEM RESET default_transaction_read_only")
            conn.execute("SELECT pg_reload_conf()")
            # the last try before they were refused was taken
            wait_until(lambda: read_only(stack) is None, message="changes are taken again")
            stack.lamp("scale", "pool/chat", "--variant", "h200", "--replicas", "2")


DROP = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname IS NOT NULL AND NOT pid = ANY(%s::int[])
"""


def connected(stack: RunningStack) -> psycopg.Connection:
    return psycopg.connect(host=str(stack.data / "pg"), user="postgres", dbname="lamplight", autocommit=True)


@contextmanager
def superuser(stack: RunningStack) -> Iterator[psycopg.Connection]:
    with connected(stack) as conn:
        yield conn


def answer(stack: RunningStack, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
    said = requests.request(
        more.pop("method", "GET"),
        stack.base_url + path,
        headers={"Authorization": f"Bearer {stack.token}"},
        timeout=60,
        **more,
    )
    return said.status_code, said.json()


def read_only(stack: RunningStack) -> dict[str, Any] | None:
    """What a person is told who asks for a replica more, once that is refused."""
    path = "/api/v1/teams/default/pools/chat/targets"
    status, said = answer(stack, path, method="PUT", json={"items": [{"variant": "h200", "desired": 3, "reason": "x"}]})
    return said if status == 503 else None


@pytest.mark.timeout(900)
def test_a_killed_supervisor_leaves_nothing_and_the_next_start_goes_on(stack: RunningStack, data: Path):
    uid = stack.pool()["metadata"]["uid"]
    below = stack.descendants()
    assert len(below) > 8
    stack.process.kill()
    stack.process.wait(60)

    def gone() -> bool:
        return not [pid for pid in below if _runs(pid)]

    wait_until(gone, message="nothing of the instance runs")
    with run_stack(data=data) as again:
        assert again.pool()["metadata"]["uid"] == uid
        assert "applied examples/steady" not in again.output.read_text().rpartition("postgres is ready")[2]
        assert stop(again) == 0


def _runs(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    ours = str(PROJECT).encode() in command or b"postgres" in command or b"valkey" in command
    return ours and stat.rpartition(")")[2].split()[0] != "Z"
