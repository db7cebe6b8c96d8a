"""An API server, an InferencePool and an endpoint picker as processes, for tests of routing."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from apps.embedded.client import KubeClient
from apps.embedded.gateway.metrics import PickerMetrics
from tests.support.engines import EngineProcess
from tests.support.ports import free_port
from tests.support.shared import ROOT
from tests.support.wait import wait_until

NAMESPACE, POOL = "default", "chat"
ENGINE_PORT = 18_000
POOLS = ("inference.networking.k8s.io", "v1", "inferencepools")
PODS = ("", "v1", "pods")


def loopback_address() -> str:
    """An address of this machine's own that nobody else is likely to use: 127.0.0.0/8 is all loopback on Linux. Below
    those of embedded clusters."""
    return f"127.{random.randint(2, 60)}.{random.randint(1, 250)}.{random.randint(2, 250)}"


@dataclass
class Cluster:
    """A running API server. `run` does something with a client of it."""

    kubeconfig: Path

    def run(self, work: Any) -> Any:
        async def inside() -> Any:
            async with KubeClient.from_kubeconfig(self.kubeconfig) as client:
                return await work(client)

        coroutine: Coroutine[Any, Any, Any] = inside()
        return asyncio.run(coroutine)

    def create_service_account(self) -> None:
        """What the controllers would make: without it no pod is accepted."""
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
        self.run(lambda client: client.create("", "v1", "serviceaccounts", body, namespace=NAMESPACE))

    def create_pool(self, *, name: str = POOL, port: int = ENGINE_PORT) -> None:
        body = {
            "apiVersion": "inference.networking.k8s.io/v1",
            "kind": "InferencePool",
            "metadata": {"name": name, "namespace": NAMESPACE},
            "spec": {
                "selector": {"matchLabels": {"app": name}},
                "targetPorts": [{"number": port}],
                "endpointPickerRef": {"name": f"{name}-epp", "port": {"number": 9002}},
            },
        }
        self.run(lambda client: client.create(*POOLS, body, namespace=NAMESPACE))

    def create_pod(
        self, name: str, ip: str, *, ready: bool = True, app: str = POOL, labels: Mapping[str, str] | None = None
    ) -> None:
        """An engine's pod of a pool; with `labels` one that has these instead, its first port an endpoint picker's."""
        port = {"name": "metrics", "containerPort": 9090} if labels else {"name": "http", "containerPort": ENGINE_PORT}
        container = {"name": "vllm", "image": "vllm/vllm-openai:v0.33.0", "ports": [port]}
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": dict(labels or {"app": app})},
            "spec": {"containers": [container]},
        }
        self.run(lambda client: client.create(*PODS, body, namespace=NAMESPACE))
        self.set_ready(name, ready, ip=ip)

    def set_ready(self, name: str, ready: bool, *, ip: str | None = None) -> None:
        status: dict[str, Any] = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
        if ip is not None:
            status.update(podIP=ip, phase="Running")
        patch = {"status": status}
        self.run(lambda client: client.patch(*PODS, name, patch, namespace=NAMESPACE, subresource="status"))

    def delete_pod(self, name: str) -> None:
        self.run(lambda client: client.delete(*PODS, name, namespace=NAMESPACE, grace_period_seconds=0))


@dataclass
class GatewayProcess:
    """A running endpoint picker."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        return f"http://{self.address}:8081"

    def post(self, path: str, body: Any, **options: Any) -> requests.Response:
        return requests.post(self.url + path, json=body, timeout=30, **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=30, **options)

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = requests.get(f"http://{self.address}:9090/debug/plugins/state", timeout=30).json()
        return found

    def metrics(self) -> str:
        return requests.get(f"http://{self.address}:9090/metrics", timeout=30).text

    def wait_for_endpoints(self, count: int) -> None:
        wait_until(
            lambda: (
                len(self.state()["endpoints"]) == count
                and all(endpoint["waiting"] is not None for endpoint in self.state()["endpoints"])
            ),
            message=f"the picker knows {count} endpoints and their load",
        )


@contextmanager
def run_cluster(directory: Path) -> Iterator[Cluster]:
    """An empty API server with the embedded CRDs."""
    kubeconfig = directory / "kubeconfig"
    with (directory / "apiserver.log").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "apps.embedded.apiserver", "--data", str(directory / "api"),
             "--kubeconfig", str(kubeconfig), "--port", str(free_port())],
            stdout=output, stderr=subprocess.STDOUT, cwd=ROOT,
        )  # fmt: skip
        try:
            wait_until(kubeconfig.exists, message="the API server wrote its kubeconfig")
            cluster = Cluster(kubeconfig)
            cluster.create_service_account()
            yield cluster
        finally:
            process.kill()
            process.wait(timeout=60)


@contextmanager
def run_gateway(directory: Path, cluster: Cluster, *arguments: str, pool: str = POOL) -> Iterator[GatewayProcess]:
    """An endpoint picker for the pool, on an address of its own; it has read the pool."""
    address = loopback_address()
    log = directory / f"epp-{address}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "apps.embedded.gateway", "--pool-name", pool, "--pool-namespace", NAMESPACE,
             *arguments],
            stdout=output, stderr=subprocess.STDOUT, cwd=ROOT,
            env={**os.environ, "LAMPLIGHT_BIND_HOST": address, "KUBECONFIG": str(cluster.kubeconfig)},
        )  # fmt: skip
        gateway = GatewayProcess(address, process, log)
        try:
            wait_until(
                lambda: process.poll() is not None or requests.get(f"http://{address}:9003/readyz", timeout=30).ok,
                message="the picker has read its pool",
            )
            assert process.poll() is None, f"the picker ended with {process.returncode}: {log.read_text()}"
            yield gateway
        finally:
            process.kill()
            process.wait(timeout=60)


def picker_metrics() -> PickerMetrics:
    """The picker's families, without a picker."""
    return PickerMetrics(POOL, None)


def served_by(engines: Sequence[EngineProcess]) -> list[float]:
    """How many generations each engine has answered."""
    return [engine.metric("vllm:e2e_request_latency_seconds_count") for engine in engines]
