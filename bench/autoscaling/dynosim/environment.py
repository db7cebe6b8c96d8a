"""A throw-away environment with DynoSim in it, outside of the project, made when it is first needed."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.common import PROJECT

HERE = Path(__file__).parent
WAY_OUT = (
    "make it by hand (bench/autoscaling/dynosim/requirements.txt, --no-deps) and set LAMPLIGHT_DYNOSIM to its python"
)


class NoDynoSim(Exception):
    """It cannot be had here; the sentence says why."""


def python() -> Path:
    """The interpreter of the environment. Raises NoDynoSim."""
    given = os.environ.get("LAMPLIGHT_DYNOSIM")
    if given:
        if not Path(given).exists():
            raise NoDynoSim(f"LAMPLIGHT_DYNOSIM names {given}, which is not there")
        return Path(given)
    if sys.platform != "linux" or sys.version_info[:2] != (3, 11):
        raise NoDynoSim(f"DynoSim's wheels are known to work on Linux with Python 3.11 only; {WAY_OUT}")
    pins = (HERE / "requirements.txt").read_bytes()
    folder = Path(tempfile.gettempdir()) / f"lamplight-dynosim-{hashlib.sha256(pins).hexdigest()[:12]}"
    found = folder / "bin" / "python"
    done = folder / ".installed"
    if not done.exists():
        print(f"making an environment for DynoSim in {folder} (about a minute)", flush=True)
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(found), "-m", "pip", "install", "-q", "--no-deps", "-r", str(HERE / "requirements.txt")])
        done.touch()
    return found


def ask(job: dict[str, Any], interpreter: Path, timeout: float = 900.0) -> dict[str, Any]:
    """The answer of bench.autoscaling.dynosim.worker to one job. Raises NoDynoSim when it breaks."""
    ran = subprocess.run(
        [str(interpreter), str(HERE / "worker.py")],
        input=json.dumps(job),
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        check=False,
    )
    if ran.returncode:
        raise NoDynoSim(f"DynoSim ended with {ran.returncode}: {ran.stderr.strip()[-500:]}")
    answer: dict[str, Any] = json.loads(ran.stdout.strip().splitlines()[-1])
    return answer


def _run(command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise NoDynoSim(f"`{' '.join(command)}` failed: {ran.stderr.strip()[-300:]}; {WAY_OUT}")
