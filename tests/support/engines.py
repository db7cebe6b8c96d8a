"""Engine simulators as processes, for tests that speak HTTP to them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.support.ports import free_port
from tests.support.shared import ROOT
from tests.support.wait import wait_until

MODEL = "meta-llama/Llama-3.1-8B-Instruct"


@dataclass
class EngineProcess:
    """A running simulator: `url` is its address, `process` its process, `log` its output."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def post(self, path: str, body: Mapping[str, Any], **options: Any) -> requests.Response:
        return requests.post(self.url + path, json=body, timeout=30, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=30, **options)

    def metric(self, name: str, **labels: str) -> float:
        """The value of one series of its page; AssertionError when there is not exactly one."""
        from prometheus_client.parser import text_string_to_metric_families

        found = [
            sample.value
            for family in text_string_to_metric_families(self.get("/metrics").text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        assert len(found) == 1, f"{name}{labels}: {found}"
        return found[0]


@contextmanager
def run_engine(
    directory: Path,
    *arguments: str,
    model: str = MODEL,
    host: str = "127.0.0.1",
    port: int | None = None,
    environment: Mapping[str, str] | None = None,
) -> Iterator[EngineProcess]:
    """A simulator with these vLLM arguments that has answered /health; killed at the end."""
    port = port or free_port()
    log = directory / f"engine-{host}-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "apps.embedded.engine", "serve", model, "--port", str(port), *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={
                **os.environ,
                "LAMPLIGHT_BIND_HOST": host,
                "LAMPLIGHT_ENGINE_STARTUP": "0",
                **(environment or {}),
            },
        )
    engine = EngineProcess(f"http://{host}:{port}", process, log)
    try:
        wait_until(lambda: _healthy(engine), message="the engine simulator answers /health")
        assert process.poll() is None, f"the engine ended with {process.returncode}: {log.read_text()}"
        yield engine
    finally:
        process.kill()
        process.wait(timeout=60)


def _healthy(engine: EngineProcess) -> bool:
    return engine.process.poll() is not None or engine.get("/health").status_code == 200
