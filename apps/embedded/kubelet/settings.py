"""What the kubelet's parts are given: where things are and how the machine is played."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import apps
from apps.embedded.kubelet.domain.backoff import BackoffPolicy
from apps.embedded.kubelet.domain.images import Image, read_images
from apps.embedded.kubelet.volumes import ServiceAccountFiles

PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TZ",
    "LD_LIBRARY_PATH",
    "MALLOC_ARENA_MAX",
    "PYTHONUNBUFFERED",
    "VIRTUAL_ENV",
    "HF_HOME",
    "LAMPLIGHT_ENGINE",
    "LAMPLIGHT_ENGINE_STARTUP",
    "LAMPLIGHT_STORAGE_BANDWIDTH",
    "LAMPLIGHT_TIME_SCALE",
)
"""What of the kubelet's own environment every container sees; nothing else, so that no secret leaks into pods."""


def load_data(name: str) -> Any:
    """One of our data files, ``images.json`` or ``nodes.json``."""
    return json.loads(resources.files("apps.embedded.kubelet").joinpath("data", name).read_text())


@dataclass(frozen=True)
class Settings:
    kubeconfig: Path
    data: Path
    account: ServiceAccountFiles
    backoff: BackoffPolicy = field(default_factory=BackoffPolicy)
    images: tuple[Image, ...] = field(default_factory=lambda: read_images(load_data("images.json")))
    environment: Mapping[str, str] = field(
        default_factory=lambda: {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    )
    python: str = sys.executable
    vllm_python: str = field(default_factory=lambda: os.environ.get("VLLM_PYTHON", ""))
    """The Python of an installation of vLLM, whose `vllm` is run where the engine is to be the real one."""
    heartbeat: float = 15.0
    """Seconds between two renewals of a node's Lease."""

    @property
    def real_engine(self) -> bool:
        """Whether `vllm` is the real one, found on PATH, instead of the simulator."""
        return self.environment.get("LAMPLIGHT_ENGINE") == "vllm"

    @property
    def code_root(self) -> str:
        """The folder that holds the ``apps`` package: the simulators are started from it."""
        return str(Path(next(iter(apps.__path__))).parent)

    @property
    def shim_directory(self) -> Path:
        return self.data / "bin"

    @property
    def path(self) -> str:
        """PATH of every container: played programs, what is installed beside our own Python, then the machine's."""
        beside = str(Path(self.python).parent)
        installed = [str(Path(self.vllm_python).parent)] if self.real_engine and self.vllm_python else []
        search = [str(self.shim_directory), beside, *installed, self.environment.get("PATH", os.defpath)]
        return os.pathsep.join(search)

    def pod_directory(self, uid: str) -> Path:
        return self.data / "pods" / uid

    def device_file(self, namespace: str, claim: str) -> Path:
        """Stands for the memory of the accelerators of a claim: locked by the engine that is awake on them."""
        folder = self.data / "devices"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{namespace}_{claim}"

    def log_directory(self, uid: str, container: str) -> Path:
        return self.pod_directory(uid) / "logs" / container
