"""The embedded cluster as real processes on free ports, for tests that speak to a Kubernetes API."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from apps.clusters.errors import NotFound
from apps.clusters.kube import Credentials, Kube
from controlplane.supervisor.addresses import Addresses
from controlplane.supervisor.children import die_with_parent
from tests.support.wait import wait_until

PROJECT = Path(__file__).resolve().parents[2]


@dataclass
class EmbeddedCluster:
    """A running cluster. `kube` is the control plane's own client of it."""

    directory: Path
    network: int
    options: dict[str, list[str]] = field(default_factory=dict)
    """More arguments of a process, by its name."""
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    @property
    def kube(self) -> Kube:
        return Kube(Credentials(kubeconfig=str(self.kubeconfig)))

    def start(self, name: str) -> None:
        """Start one of apiserver, controllers, kubelet (again)."""
        kubeconfig = ["--kubeconfig", str(self.kubeconfig)]
        arguments = {
            "apiserver": ["--data", str(self.directory / "api"), "--service-cidr", f"127.{self.network}.128.0/17"],
            "controllers": [],
            "kubelet": [
                *("--data", str(self.directory / "kubelet")),
                *("--pod-cidr", f"127.{self.network}.0.0/17"),
                *("--backoff-base", "0.5"),
            ],
        }[name]
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", f"apps.embedded.{name}", *kubeconfig, *arguments, *self.options.get(name, [])],
                cwd=PROJECT,
                env={**os.environ, "LAMPLIGHT_ENGINE_STARTUP": "0.5"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(signal.SIGKILL),
            )
        if name == "apiserver":
            wait_until(self._answers, message="the API server answers")

    def _answers(self) -> str:
        return self.kube.version() if self.kubeconfig.exists() else ""

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait(60)

    def stop(self) -> None:
        for name in ("kubelet", "controllers", "apiserver"):
            process = self.processes.pop(name, None)
            if process is not None:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(60)
                process.kill()
                process.wait(60)

    def objects(self, namespace: str, *, kinds: tuple[str, ...] = ()) -> dict[str, Any]:
        """All objects of a namespace that a pool could own, by `Kind/name`, without those of the cluster's own."""
        from apps.pools.observing import OWNED_KINDS

        kube = self.kube
        present = kube.resources()
        found = {}
        for kind in kinds or OWNED_KINDS:
            if kind in present:
                for obj in kube.list(present[kind], namespace):
                    name = obj["metadata"]["name"]
                    if name not in ("default", "kube-root-ca.crt"):
                        found[f"{obj['kind']}/{name}"] = obj
        return found

    def tails(self) -> str:
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-2500:]}"
            for path in sorted(self.directory.glob("*.log"))
        )


@contextmanager
def run_cluster(*, nodes: bool = False, options: dict[str, list[str]] | None = None) -> Iterator[EmbeddedCluster]:
    """An API server; with `nodes` also controllers, scheduler and the kubelet that plays the nodes. `options`: more
    arguments of a process, by its name."""
    directory = Path(tempfile.mkdtemp(prefix="lamplight-cluster-"))
    addresses = Addresses(directory / "ports.json")
    cluster = EmbeddedCluster(directory, addresses.network(), options or {})
    try:
        for name in ("apiserver", "controllers", "kubelet") if nodes else ("apiserver",):
            cluster.start(name)
        yield cluster
    except BaseException:
        sys.stderr.write(cluster.tails())
        raise
    finally:
        cluster.stop()
        shutil.rmtree(directory, ignore_errors=True)


def shared_cluster(
    *,
    nodes: bool = False,
    options: dict[str, list[str]] | None = None,
    prepare: Callable[[EmbeddedCluster], object] | None = None,
) -> Any:
    """The fixture `cluster` of a file: one for all its tests, as `run_cluster` makes it. `prepare`: done once to it."""

    @pytest.fixture(scope="module", name="cluster")
    def fixture() -> Iterator[EmbeddedCluster]:
        with run_cluster(nodes=nodes, options=options) as running:
            if prepare is not None:
                prepare(running)
            yield running

    return fixture


@contextmanager
def emptied(cluster: EmbeddedCluster, namespace: str = "serving", *, kinds: tuple[str, ...] = ()) -> Iterator[Kube]:
    """A client of the cluster; what a pool could own in the namespace is deleted at the end."""
    client = cluster.kube
    yield client
    for obj in cluster.objects(namespace, kinds=kinds).values():
        with suppress(NotFound):
            client.delete(client.resource_of(obj), obj["metadata"]["name"], namespace)
