"""A whole running instance for end-to-end tests, started the way `make up` starts it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.wait import wait_until

PROJECT = Path(__file__).resolve().parents[2]
LAMP = str(Path(sys.executable).parent / "lamp")


@dataclass
class RunningStack:
    """Addresses and credentials of an instance, and the doors a person would use."""

    process: subprocess.Popen[bytes]
    data: Path
    output: Path

    @property
    def state(self) -> dict[str, Any]:
        return json.loads((self.data / "state.json").read_text())

    @property
    def base_url(self) -> str:
        return str(self.state["web"])

    @property
    def username(self) -> str:
        return str(self.state["username"])

    @property
    def password(self) -> str:
        return Path(self.state["passwordFile"]).read_text().strip()

    @property
    def token(self) -> str:
        return Path(self.state["tokenFile"]).read_text().strip()

    @property
    def kubeconfig(self) -> str:
        return str(self.state["kubeconfig"])

    def get(self, path: str, timeout: float = 30) -> Any:
        request = urllib.request.Request(self.base_url + path, headers={"Authorization": f"Bearer {self.token}"})
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.loads(answer.read())

    def lamp(
        self, *args: str, check: bool = True, stdin: str | None = None, timeout: float = 240
    ) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "LAMPLIGHT_SERVER": self.base_url, "LAMPLIGHT_TOKEN": self.token}
        return _run([LAMP, *args], env, check=check, stdin=stdin, timeout=timeout)

    def kubectl(self, *args: str, check: bool = True, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "KUBECONFIG": self.kubeconfig}
        return _run(["kubectl", *args], env, check=check, stdin=stdin)

    def pool(self, name: str = "chat", team: str = "default") -> dict[str, Any]:
        return self.get(f"/api/v1/teams/{team}/pools/{name}")

    def wait_healthy(self, name: str = "chat", timeout: float = 180, **expected: int) -> dict[str, Any]:
        """The pool once it is Synced and Healthy on its newest generation (and `desired`/`ready` as expected)."""

        def healthy() -> dict[str, Any] | None:
            pool = self.pool(name)
            status = pool["status"]
            settled = (
                status.get("health") == "Healthy"
                and status.get("sync") == "Synced"
                and status.get("observedGeneration") == pool["metadata"]["generation"]
                and all(status["replicas"].get(k) == v for k, v in expected.items())
            )
            return pool if settled else None

        return wait_until(healthy, timeout=timeout, message=f"pool {name} is healthy {expected or ''}", step=0.3)

    def children(self) -> dict[str, list[int]]:
        """Process ids below the supervisor by what they run (a readable part of the command line)."""
        found: dict[str, list[int]] = {}
        for pid, parent, command in _processes():
            if parent == self.process.pid:
                found.setdefault(_name_of(command), []).append(pid)
        return found

    def descendants(self) -> list[int]:
        table = _processes()
        known = {self.process.pid}
        grew = True
        while grew:
            more = {pid for pid, parent, _ in table if parent in known} - known
            grew = bool(more)
            known |= more
        return sorted(known - {self.process.pid})


def _run(
    argv: list[str], env: dict[str, str], *, check: bool, stdin: str | None = None, timeout: float = 240
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=timeout, check=False, input=stdin)
    if check and done.returncode != 0:
        said = (done.stderr + done.stdout).strip()
        raise AssertionError(f"{' '.join(argv)} ended with {done.returncode}:\n{said}")
    return done


def _processes() -> list[tuple[int, int, str]]:
    rows = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            stat = (entry / "stat").read_text()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        fields = stat.rpartition(")")[2].split()
        if fields[0] != "Z":
            rows.append((int(entry.name), int(fields[1]), command))
    return rows


def _name_of(command: str) -> str:
    marks = {
        "apps.embedded.apiserver": "apiserver",
        "apps.embedded.controllers": "controllers",
        "apps.embedded.kubelet": "kubelet",
        "uvicorn": "web",
        "celery worker": "worker",
        " worker -P": "worker",
        " beat --pidfile": "beat",
        "manage.py informers": "informers",
        "bin/postgres": "postgres",
        "valkey": "valkey",
        "lamp load": "demo-traffic",
    }
    return next((name for mark, name in marks.items() if mark in command), command[:60])


@contextmanager
def run_stack(
    *,
    data: Path | None = None,
    demo: bool = False,
    steady: bool = True,
    tiers: bool = False,
    engine: str = "sim",
    env: dict[str, str] | None = None,
    healthy: bool = True,
) -> Iterator[RunningStack]:
    """An instance on free ports; stopped at the end. data: a directory to go on from (kept), else a fresh one. steady:
    a pool of two replicas that people scale, in place of the quickstart's, which scales by itself. tiers: with the
    demo's second pool, which takes a share of the cores. engine: `vllm` for the installation that VLLM_PYTHON names."""
    own = data is None
    if data is None:
        base = Path(tempfile.mkdtemp(prefix="lamplight-stack-"))
        base.chmod(0o755)  # Postgres runs as nobody when the tests run as root
        data = base / "data"
    data.parent.mkdir(parents=True, exist_ok=True)
    output = data.parent / "up.log"
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LAMPLIGHT_", "DJANGO_"))}
    clean = {k: v for k, v in clean.items() if k not in {"DATABASE_URL", "REDIS_URL"}}
    argv = [sys.executable, "-m", "controlplane.supervisor", "up", "--data", str(data)]
    argv += [] if demo else ["--no-demo"]
    argv += ["--steady"] if steady else []
    argv += [] if tiers else ["--no-tiers"]
    argv += ["--engine", engine]
    with output.open("ab") as log:
        process = subprocess.Popen(
            argv,
            cwd=PROJECT,
            env={**clean, "LAMPLIGHT_ENGINE_STARTUP": "1", "PYTHONUNBUFFERED": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    stack = RunningStack(process=process, data=data, output=output)
    try:
        _wait_up(stack)
        if healthy:
            stack.wait_healthy()
        yield stack
    except BaseException:
        sys.stderr.write(f"--- output of the instance\n{output.read_text()[-4000:]}\n")
        _show_logs(data / "logs")
        raise
    finally:
        stop(stack)
        if own:
            shutil.rmtree(data.parent, ignore_errors=True)


def _wait_up(stack: RunningStack, timeout: float = 300) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if stack.process.poll() is not None:
            raise AssertionError(f"the instance ended with {stack.process.returncode} instead of coming up")
        state = stack.data / "state.json"
        if state.exists() and stack.state["pid"] == stack.process.pid and "Console " in stack.output.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(f"the instance was not up within {timeout:.0f} s")


def stop(stack: RunningStack, timeout: float = 60) -> int:
    if stack.process.poll() is None:
        stack.process.send_signal(signal.SIGTERM)
        try:
            stack.process.wait(timeout)
        except subprocess.TimeoutExpired:
            stack.process.kill()
            stack.process.wait(60)
    return int(stack.process.returncode)


def _show_logs(logs: Path) -> None:
    if not logs.is_dir():
        return
    for path in sorted(logs.glob("*.log")):
        text = path.read_text(errors="replace")
        sys.stderr.write(f"--- {path.name}\n{text[-2500:]}\n")
