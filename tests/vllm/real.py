"""A real vLLM as a process of the test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests

from apps.embedded.kubelet.real_engine import SITE
from tests.support.ports import free_port
from tests.support.wait import wait_until
from tests.vllm.conftest import ENVIRONMENT

# on an idle machine half a minute; a busy one is given time
START_SECONDS = 600.0


@contextmanager
def run_real(
    directory: Path, model: str, arguments: Sequence[str], environment: Mapping[str, str]
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Address and process of a `vllm serve` that answers /health."""
    port = free_port()
    url, log = f"http://127.0.0.1:{port}", directory / f"real-{port}.log"
    vllm = Path(os.environ["VLLM_PYTHON"]).with_name("vllm")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(vllm), "serve", model, "--host=127.0.0.1", f"--port={port}", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": str(SITE), **environment},
        )

    def up() -> bool:
        return process.poll() is not None or requests.get(f"{url}/health", timeout=10).status_code == 200

    try:
        wait_until(up, timeout=START_SECONDS, message="the real engine answers /health")
        assert process.poll() is None, log.read_text()[-4000:]
        yield url, process
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()


def run_refused(directory: Path, model: str, arguments: Sequence[str]) -> str:
    """What a `vllm serve` says that does not start."""
    vllm = Path(os.environ["VLLM_PYTHON"]).with_name("vllm")
    ended = subprocess.run(
        [str(vllm), "serve", model, "--host=127.0.0.1", f"--port={free_port()}", *arguments],
        capture_output=True, text=True, timeout=START_SECONDS, cwd=directory, env={**os.environ, **ENVIRONMENT},
    )  # fmt: skip
    assert ended.returncode != 0
    return ended.stdout + ended.stderr
