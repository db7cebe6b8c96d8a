"""Tests with a real vLLM: opt-in (`make test-vllm`), where VLLM_PYTHON names the Python of an installation."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.adapters import write_adapter

# without an installation the simulator alone is asked, and held to what is recorded
ENGINES = ["simulated", *(["real"] if os.environ.get("VLLM_PYTHON") else [])]
collect_ignore = [] if os.environ.get("VLLM_PYTHON") else ["test_command_lines.py", "test_tiers.py"]

# what the CPU build needs, and no word to the outside
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_TARGET_DEVICE": "cpu",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
}


def version() -> str:
    """vLLM's version, as its distribution says it."""
    text = "import importlib.metadata as m; print(m.version('vllm'))"
    found = subprocess.run([os.environ["VLLM_PYTHON"], "-c", text], capture_output=True, text=True, check=True)
    return found.stdout.strip().partition("+")[0]


class Checker:
    """One process of the installation that answers questions in lines of JSON: importing vLLM takes a while."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [os.environ["VLLM_PYTHON"], str(Path(__file__).with_name("checker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **ENVIRONMENT},
        )

    def ask(self, **question: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("ANSWER "):
                answer: dict[str, Any] = json.loads(line.removeprefix("ANSWER "))
                return answer
        raise AssertionError("the installation named by VLLM_PYTHON cannot import vLLM; its error is above")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="session")
def checker() -> Iterator[Checker]:
    checker = Checker()
    yield checker
    checker.close()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny(folder)
    return str(folder)


def write_tiny(folder: Path) -> None:
    """The tiny model and its adapters; without an installation as far as the simulator looks at them."""
    writer = Path(__file__).parents[2] / "controlplane" / "supervisor" / "tiny_model.py"
    if os.environ.get("VLLM_PYTHON"):
        subprocess.run([os.environ["VLLM_PYTHON"], str(writer), str(folder)], check=True, timeout=300)
        return
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(writer.with_suffix(".json"), folder / "config.json")
    for name in ("formal", "brief"):
        write_adapter(folder / "adapters" / name)
