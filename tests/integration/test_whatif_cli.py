"""`lamp simulate` as a person runs it: a process of its own, a real web process, a real Celery worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.accounts import tokens
from apps.core import clock
from apps.pools.models import Pool
from tests.support.people import person, team
from tests.support.wait import wait_until
from tests.support.web import Web, database_url, run_web

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
PROJECT = Path(__file__).resolve().parents[2]
LAMP = Path(sys.executable).parent / "lamp"
SPEC = {
    "model": "m",
    "cluster": "embedded",
    "namespace": "serving",
    "variants": [{"name": "l40s", "accelerator": "nvidia-l40s", "replicas": {"min": 1, "max": 6}}],
}


@pytest.fixture
def web(valkey_server: str) -> Iterator[Web]:
    with run_web() as running:
        yield running


@pytest.fixture
def worker(valkey_server: str, tmp_path: Path) -> Iterator[None]:
    log = tmp_path / "worker.log"
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "controlplane.settings",
        "DATABASE_URL": database_url(),
        "REDIS_URL": valkey_server,
    }
    argv = [sys.executable, "-m", "celery", "-A", "controlplane.celery", "worker", "-P", "threads", "-c", "2"]
    with log.open("ab") as out:
        process = subprocess.Popen(
            [*argv, "--without-gossip", "--without-mingle", "-l", "INFO"],
            cwd=PROJECT, env=env, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_until(lambda: " ready." in log.read_text(), 90, "the worker listens", step=0.3)
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(60)


def test_a_trace_goes_in_and_a_table_with_sentences_comes_out(web: Web, worker: None, tmp_path: Path) -> None:
    team("default")
    now = clock.now()
    Pool.objects.create(team="default", name="chat", spec=SPEC, created_at=now, updated_at=now)
    admin = person("admin", password="a-long-password", superuser=True)
    env = {key: value for key, value in os.environ.items() if not key.startswith("LAMPLIGHT_")}
    env |= {
        "LAMPLIGHT_SERVER": web.url,
        "LAMPLIGHT_TOKEN": tokens.issue(owner=admin, name="test").secret,
        "LAMPLIGHT_CONFIG": str(tmp_path / "config.json"),
    }
    trace = tmp_path / "ramp.jsonl"
    rows = [{"timestamp": int(1000 * (i / 2) ** 0.8), "input_length": 1500, "output_length": 150} for i in range(2000)]
    trace.write_text("\n".join(map(json.dumps, rows)))

    def lamp(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [LAMP, *args, "--team", "default"],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )

    ran = lamp(
        "simulate", "pool", "chat", "--trace", str(trace), "--policy", "lamplight", "--policy", "static:2",
        "--policy", "hpa:running:8", "--startup", "l40s=60s", "--price", "l40s=1.00 USD/h", "--tpot", "60ms",
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    first, head, ours, static, hpa, *sentences = ran.stdout.splitlines()
    assert first.startswith("2000 requests in ")
    assert head.split()[:3] == ["POLICY", "ATTAINED", "MET"]
    assert ours.startswith("lamplight")
    assert static.startswith("static 2")
    assert hpa.startswith("hpa running 8")
    assert "USD" in static
    assert sentences
    again = lamp("simulate", "pool", "chat")
    assert again.returncode != 0
    assert "no signals of that time yet" in again.stderr
    wrong = lamp("simulate", "pool", "chat", "--policy", "magic")
    assert "is no policy; write lamplight, static:3 or hpa:queue:5" in wrong.stderr
