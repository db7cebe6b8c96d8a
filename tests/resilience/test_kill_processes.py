"""Any process may die: the pool comes back to healthy without a person, and a killed supervisor leaves nothing."""

from __future__ import annotations

import json
import os
import signal
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

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
def test_sessions_that_postgres_drops_are_opened_again(stack: RunningStack):
    with psycopg.connect(host=str(stack.data / "pg"), user="postgres", dbname="lamplight", autocommit=True) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname IS NOT NULL"
        )
    stack.wait_healthy(timeout=60, ready=2)


@pytest.mark.timeout(900)
def test_a_killed_supervisor_leaves_nothing_and_the_next_start_goes_on(stack: RunningStack, data: Path):
    uid = stack.pool()["metadata"]["uid"]
    below = stack.descendants()
    assert len(below) > 8
    stack.process.kill()
    stack.process.wait(30)

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
