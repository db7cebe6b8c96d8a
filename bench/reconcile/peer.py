"""The peer: a minimal operator on Kopf, whose objects of a custom kind become three objects each."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.common import PROJECT
from bench.reconcile.accounting import accounting
from bench.reconcile.operator_kopf_facts import GROUP, PLURAL, VERSION, definition
from bench.reconcile.server import CONNECTIONS, COUNT, NAMESPACE, client, process, seeing, standing_still, wait

KOPF = "kopf==1.45.0"
PATH = f"/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/{PLURAL}"


class Kopf:
    def __init__(self, kubeconfig: Path, base: Path) -> None:
        self._kubeconfig = kubeconfig
        self._base = base
        self._kube = client(kubeconfig)
        self._running: subprocess.Popen[bytes]

    def installed(self) -> bool:
        """Install it for itself; False with a sentence where the package index cannot be had."""
        subprocess.run([sys.executable, "-m", "venv", str(self._venv)], check=True)
        install = [str(self._venv / "bin" / "pip"), "install", "-q", "--disable-pip-version-check"]
        if subprocess.run([*install, KOPF, "httpx", "pyyaml"], check=False).returncode:
            print("the peer cannot be installed from the package index: left out", flush=True)
            return False
        return True

    @property
    def _venv(self) -> Path:
        return self._base / "kopf"

    @contextmanager
    def running(self) -> Iterator[None]:
        self._kube._call("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", body=definition())
        wait(lambda: _served(self._kube, PATH), "the peer's kind is served")
        argv = [str(self._venv / "bin" / "kopf"), "run", "-n", NAMESPACE, "--standalone", "-q"]
        argv.append(str(PROJECT / "bench" / "reconcile" / "operator_kopf.py"))
        with process(argv, self._base / "kopf.log", {"KUBECONFIG": str(self._kubeconfig)}) as self._running:
            time.sleep(5)  # it starts its watches
            yield

    def create(self, image: str) -> dict[str, Any]:
        took, spent = self._burst("POST", image)
        return {"kopf_create_s": took, "kopf_create_cpu_s": spent}

    def change(self, image: str) -> tuple[float, dict[str, Any]]:
        """Changes a second, and what they took."""
        took, spent = self._burst("PATCH", image)
        print(f"kopf: {COUNT} changed in {took} s", flush=True)
        return COUNT / took, {"kopf_change_s": took, "kopf_change_cpu_s": spent}

    def _burst(self, method: str, image: str) -> tuple[float, dict[str, float]]:
        with ThreadPoolExecutor(CONNECTIONS) as threads, seeing(self._kubeconfig, image, "k") as live:
            with standing_still(self._running):
                list(threads.map(lambda i: self._send(method, image, i), range(COUNT)))
            with accounting() as spent:
                took = wait(lambda: live() == COUNT, f"the peer's {image} is live", step=0.02)
        return round(took, 2), spent

    def _send(self, method: str, image: str, number: int) -> None:
        name = f"k{number:04}"
        body = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "ServiceOfBench",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {"image": image},
        }
        merge = "application/merge-patch+json"
        where = PATH if method == "POST" else f"{PATH}/{name}"
        self._kube._call(method, where, body=body, content_type="application/json" if method == "POST" else merge)


def _served(kube: Any, path: str) -> bool:
    from apps.clusters.errors import KubeError

    try:
        kube._call("GET", path)
    except KubeError:
        return False
    return True
