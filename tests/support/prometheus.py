"""A real Prometheus (Debian's package) as a process, for tests that read metrics through it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from controlplane.supervisor.children import die_with_parent
from tests.support.ports import free_port
from tests.support.wait import wait_until

__all__ = ["PrometheusProcess", "StaticTarget", "prometheus_binary", "run_prometheus"]


@dataclass(frozen=True)
class StaticTarget:
    """A page to scrape, as the pod that it stands for."""

    url: str
    namespace: str
    pod: str
    job: str = "pods"


@dataclass
class PrometheusProcess:
    url: str
    process: subprocess.Popen[bytes]

    def query(self, query: str) -> list[dict[str, Any]]:
        answer = requests.get(f"{self.url}/api/v1/query", params={"query": query}, timeout=30)
        return list(answer.json()["data"]["result"])


def prometheus_binary() -> str:
    """The path of Prometheus; skips the test where there is none."""
    found = os.environ.get("LAMPLIGHT_PROMETHEUS") or shutil.which("prometheus")
    if not found:
        pytest.skip("there is no Prometheus here: apt-get install prometheus, or set LAMPLIGHT_PROMETHEUS to its path")
    return found


@contextmanager
def run_prometheus(
    directory: Path,
    targets: Sequence[StaticTarget],
    *,
    every: str = "1s",
    relabel: Mapping[str, str] | None = None,
    rules: Sequence[Path] = (),
) -> Iterator[PrometheusProcess]:
    """A Prometheus that scrapes these targets `every` so often and has had each of them up; killed at the end.

    `rules`: rule files, which it evaluates as often.
    """
    binary = prometheus_binary()
    jobs: dict[str, list[dict[str, Any]]] = {}
    for target in targets:
        address = target.url.removeprefix("http://").removesuffix("/metrics")
        labels = {"namespace": target.namespace, "pod": target.pod, **(relabel or {})}
        jobs.setdefault(target.job, []).append({"targets": [address], "labels": labels})
    config = {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": [str(path) for path in rules],
        "scrape_configs": [{"job_name": job, "static_configs": group} for job, group in jobs.items()],
    }
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "prometheus.yml"
    file.write_text(json.dumps(config))  # JSON is YAML
    port = free_port()
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                binary,
                f"--config.file={file}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--log.level=warn",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "GOMAXPROCS": "2"},
            preexec_fn=die_with_parent(signal.SIGKILL),
        )
    running = PrometheusProcess(f"http://127.0.0.1:{port}", process)
    try:
        wait_until(lambda: requests.get(f"{running.url}/-/ready", timeout=30).ok, message="Prometheus is ready")
        wait_until(lambda: _up(running) == len(targets), message="Prometheus has scraped all targets")
        yield running
    finally:
        process.kill()
        process.wait()


def _up(running: PrometheusProcess) -> int:
    try:
        return sum(row["value"][1] == "1" for row in running.query("up"))
    except (requests.RequestException, ValueError, KeyError):
        return 0
