"""The evictor as a process of its own, started as its Deployment starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.support.ports import free_port
from tests.support.shared import ROOT
from tests.support.wait import wait_until


@dataclass
class EvictorProcess:
    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def metric(self, name: str) -> float | None:
        """A series by its whole name with labels; None while the page does not have it."""
        page = requests.get(f"{self.url}/metrics", timeout=30).text
        for line in page.splitlines():
            if line.rpartition(" ")[0] == f"lamplight_kv_store_{name}":
                return float(line.rpartition(" ")[2])
        return None


@contextmanager
def run_evictor(directory: Path, root: Path, quota: str, *arguments: str) -> Iterator[EvictorProcess]:
    port = free_port()
    log = directory / f"evictor-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "apps.evictor", "--root", str(root), "--quota", quota,
                "--metrics-port", str(port), "--interval", "0.2", "--fastest", "0", *arguments,
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, "LAMPLIGHT_BIND_HOST": "127.0.0.1"},
        )  # fmt: skip
    evictor = EvictorProcess(f"http://127.0.0.1:{port}", process, log)
    try:
        wait_until(lambda: _answers(evictor), message="the evictor answers")
        assert process.poll() is None, log.read_text()
        yield evictor
    finally:
        process.kill()
        process.wait(timeout=60)


def _answers(evictor: EvictorProcess) -> bool:
    if evictor.process.poll() is not None:
        return True
    try:
        return requests.get(f"{evictor.url}/healthz", timeout=30).status_code == 200
    except requests.ConnectionError:
        return False
