"""What the chart starts, started: its commands with its environment, on a Postgres and a Valkey of their own."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from controlplane.supervisor.children import die_with_parent
from tests.support.chart import of_kind, render
from tests.support.ports import free_port
from tests.support.servers import run_postgres, run_valkey
from tests.support.wait import wait_until
from tests.support.web import PROJECT

Container = Mapping[str, Any]


def image_environment() -> dict[str, str]:
    recipe = (PROJECT / "deploy" / "docker" / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    found = re.search(r"^ENV ((?:.*\\\n)*.*)$", recipe, re.MULTILINE)
    assert found
    return dict(word.split("=", 1) for word in shlex.split(found[1].replace("\\\n", " ")))


@dataclass
class Machine:
    """Runs containers as processes: its own /tmp, and a free port for the one that the pod would have alone."""

    tmp: Path
    port: int
    secret: Mapping[str, str]

    def here(self, word: str) -> str:
        moved = re.sub(r"^/tmp(?=/)", str(self.tmp), word)
        return {"python": sys.executable, "0.0.0.0": "127.0.0.1", "8080": str(self.port)}.get(moved, moved)

    def environment(self, container: Container) -> dict[str, str]:
        given = {**image_environment(), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        for source in container.get("envFrom", ()):
            assert source["secretRef"]["name"] == "lamplight"
            given |= self.secret
        for entry in container.get("env", ()):
            of_pod = {"status.podIP": "127.0.0.1"}
            value = entry["value"] if "value" in entry else of_pod[entry["valueFrom"]["fieldRef"]["fieldPath"]]
            given[entry["name"]] = re.sub(r"\$\((\w+)\)", lambda name: given[name[1]], value)
        return {name: self.here(value) for name, value in given.items()}

    def run(self, container: Container) -> str:
        done = subprocess.run(
            [self.here(word) for word in container["command"]],
            cwd=PROJECT,
            env=self.environment(container),
            capture_output=True,
            text=True,
            timeout=90,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def running(self, container: Container) -> Iterator[subprocess.Popen[bytes]]:
        with (self.tmp / f"{container['name']}.log").open("wb") as log:
            process = subprocess.Popen(
                [self.here(word) for word in container["command"]],
                cwd=PROJECT,
                env=self.environment(container),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=60)

    def probe(self, probe: Mapping[str, Any], query: str = "") -> dict[str, Any] | None:
        """The answer's body where the kubelet would take it for a good one."""
        url = f"http://127.0.0.1:{self.port}{probe['httpGet']['path']}{query}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return dict(json.loads(answer.read()))
        except (urllib.error.URLError, OSError):
            return None

    def metrics(self) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=30) as answer:
            return str(answer.read().decode())


@pytest.fixture
def machine() -> Iterator[Machine]:
    with ExitStack() as stack:
        base = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="lamplight-in-", ignore_cleanup_errors=True))
        )
        base.chmod(0o755)  # Postgres runs as nobody when the tests run as root
        tmp = base / "tmp"
        tmp.mkdir()
        secret = {
            "DATABASE_URL": stack.enter_context(run_postgres(base / "pg", own=True)),
            "REDIS_URL": stack.enter_context(run_valkey(base / "valkey", own=True)),
            "LAMPLIGHT_SECRET_KEY": "for this test only, long enough to be one",
            "LAMPLIGHT_ADMIN_PASSWORD": "first password",
        }
        yield Machine(tmp, free_port(), secret)


def template(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = (o for o in of_kind(objects, kind) if o["metadata"]["name"] == name)
    return dict(found["spec"]["template"]["spec"])


def test_an_installation_starts_serves_and_ticks(machine: Machine) -> None:
    objects = render()
    job = template(objects, "Job", "lamplight-migrate")
    for container in (*job["initContainers"], *job["containers"]):
        said = machine.run(container)
        assert machine.secret["LAMPLIGHT_ADMIN_PASSWORD"] not in said

    pod = template(objects, "Deployment", "lamplight")
    collector = template(objects, "Deployment", "lamplight-kvevents")
    containers = [*pod["containers"], *collector["containers"]]
    assert {c["name"] for c in containers} == {"web", "worker", "beat", "informers", "kvevents"}
    for container in pod["initContainers"]:
        machine.run(container)
    with ExitStack() as stack:
        processes = {c["name"]: stack.enter_context(machine.running(c)) for c in containers}
        web = next(c for c in containers if c["name"] == "web")
        ready = web["readinessProbe"]
        wait_until(lambda: machine.probe(ready) is not None, message="the pod is ready")
        assert machine.probe(web["livenessProbe"]) is not None

        def beat() -> str:
            answer = machine.probe(ready, "?verbose")
            return str(answer["checks"]["beat"]) if answer else "no answer"

        wait_until(lambda: beat() == "ok", message="beat and worker tick")
        assert {name: process.poll() for name, process in processes.items()} == dict.fromkeys(processes)
        # what the worker counted stands on the web's page: they share a folder
        wait_until(lambda: 'task="apps.telemetry.tasks.tick"' in machine.metrics(), message="the tick is counted")
