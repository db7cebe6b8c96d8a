"""The peer: a minimal operator on Kopf, whose objects of a custom kind become three objects each."""

from __future__ import annotations

import json
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
from bench.reconcile.server import (
    CONNECTIONS,
    COUNT,
    NAMESPACE,
    client,
    process,
    seeing,
    standing_still,
    wait,
    watching,
)

KOPF = "kopf==1.45.0"
PATH = f"/apis/{GROUP}/{VERSION}/namespaces/{NAMESPACE}/{PLURAL}"
# where Kopf writes, with its last request for a change, what its handlers have done
HANDLED = "kopf.zalando.org/last-handled-configuration"


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
        live, written, spent = self._burst("POST", image)
        return {"kopf_create_live_s": live, "kopf_create_s": written, "kopf_create_cpu_s": spent}

    def change(self, image: str) -> tuple[dict[str, float], dict[str, Any]]:
        """Changes a second until all are written, and until all are live (`_live`); what they took."""
        live, written, spent = self._burst("PATCH", image)
        print(f"kopf: {COUNT} changed, live in {live} s, written in {written} s", flush=True)
        figures = {"kopf_change_live_s": live, "kopf_change_s": written, "kopf_change_cpu_s": spent}
        return {"": COUNT / written, "_live": COUNT / live}, figures

    def _burst(self, method: str, image: str) -> tuple[float, float, dict[str, float]]:
        """Seconds until all Deployments are live, and until Kopf has written of each object that it is handled."""
        with ThreadPoolExecutor(CONNECTIONS) as threads, seeing(self._kubeconfig, image, "k") as live:
            with standing_still(self._running):
                list(threads.map(lambda i: self._send(method, image, i), range(COUNT)))
            with accounting() as spent:
                took = wait(lambda: live() == COUNT, f"the peer's {image} is live", step=0.02)
                rest = self._handled(image)
        return round(took, 2), round(took + rest, 2), spent

    def _handled(self, image: str) -> float:
        """Seconds until all objects are handled; asked only when all are live, so that it costs nothing until then."""

        def is_handled(found: dict[str, Any]) -> bool:
            handled = found["metadata"].get("annotations", {}).get(HANDLED, "{}")
            return bool(json.loads(handled).get("spec", {}).get("image") == image)

        started = time.monotonic()
        there = self._kube._call("GET", PATH)
        already = {found["metadata"]["name"] for found in there["items"] if is_handled(found)}
        with watching(self._kubeconfig, PATH, is_handled, there["metadata"]["resourceVersion"]) as seen:
            wait(lambda: len(already | seen) == COUNT, f"the peer's {image} is handled", step=0.02)
        return time.monotonic() - started

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
