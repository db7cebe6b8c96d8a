"""The server that all sides are measured on, and what they share: how fast it is, who watches it, and processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import orjson

from bench.common import PROJECT

COUNT = int(os.environ.get("COUNT", "200"))
NAMESPACE = "bench-reconcile"
# patches per second of a real API server by what is patched: a Deployment's image, what stays as it is, anything else
REAL_RATES: tuple[tuple[tuple[str, ...], float], ...] = (
    (("deployments",), 255.0),
    (("services", "poddisruptionbudgets"), 362.0),
    ((), 320.0),
)
CONNECTIONS = 8  # that a server can use; our workers have a part of them each


def start(stack: ExitStack, base: Path) -> tuple[Path, Any | None]:
    """The kubeconfig, and the embedded cluster where that is what is measured."""
    import django

    from tests.support.cluster import run_cluster
    from tests.support.servers import run_postgres, run_valkey

    os.environ["DATABASE_URL"] = stack.enter_context(run_postgres(base / "pg", own="DATABASE_URL" not in os.environ))
    os.environ["REDIS_URL"] = stack.enter_context(run_valkey(base / "valkey", own="REDIS_URL" not in os.environ))
    given = os.environ.get("KUBECONFIG")
    cluster = None if given else stack.enter_context(run_cluster(options={"apiserver": ["--faults"]}))
    django.setup()
    from django.core.management import call_command

    import controlplane.celery  # noqa: F401  (wake-ups are sent through this app)

    call_command("migrate", verbosity=0)
    return (cluster.kubeconfig if cluster is not None else Path(given or "")), cluster


@contextmanager
def as_real(cluster: Any) -> Iterator[None]:
    """The server does as many patches a second as a real one."""
    from tests.support.faults import script

    stall = {"verbs": ["patch"], "times": 0, "fault": "stall", "slots": CONNECTIONS}
    rules = [{**stall, "resources": what, "seconds": CONNECTIONS / rate} for what, rate in REAL_RATES]
    script(cluster, *rules)
    try:
        yield
    finally:
        script(cluster)


def wait(fn: Callable[[], bool], what: str, timeout: float = 600, step: float = 0.1) -> float:
    """Seconds until `fn` holds."""
    started = time.monotonic()
    while not fn():
        if time.monotonic() - started > timeout:
            sys.exit(f"waited {timeout:.0f} s, but not so: {what}")
        time.sleep(step)
    return time.monotonic() - started


def client(kubeconfig: Path) -> Any:
    from apps.clusters.kube import Credentials, Kube

    return Kube(Credentials(kubeconfig=str(kubeconfig)))


@contextmanager
def process(argv: list[str], log: Path, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out:
        running = subprocess.Popen(argv, cwd=PROJECT, env={**os.environ, **(env or {})}, stdout=out, stderr=out)
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(15)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait(5)


@contextmanager
def standing_still(worker: subprocess.Popen[bytes]) -> Iterator[None]:
    """The process does nothing meanwhile, so that it takes no part in what is measured."""
    worker.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.send_signal(signal.SIGCONT)


@contextmanager
def seeing(kubeconfig: Path, image: str, prefix: str) -> Iterator[Callable[[], int]]:
    """How many Deployments of names with a prefix have an image."""
    kube = client(kubeconfig)
    path = kube.resource("Deployment", "apps").path(NAMESPACE)

    def has(found: dict[str, Any]) -> bool:
        containers = found["spec"]["template"]["spec"]["containers"]
        return bool(containers[0]["image"] == image and found["metadata"]["name"].startswith(prefix))

    since = _position(kube, path)
    kube.close()
    with watching(kubeconfig, path, has, since) as seen:
        yield lambda: len(seen)


@contextmanager
def watching(kubeconfig: Path, path: str, is_so: Callable[[dict[str, Any]], bool], since: str) -> Iterator[set[str]]:
    """The names of objects that were seen to be so, by a watch: listing them again and again would take from the
    server what is measured."""
    kube = client(kubeconfig)  # its own: its connection is none of those that others of this process share
    query = f"watch=true&timeoutSeconds=900&resourceVersion={since}"
    seen: set[str] = set()
    stream = kube._client.rest_client.pool_manager.request(
        "GET", f"{kube.server}{path}?{query}", headers=kube.headers(), preload_content=False, timeout=900
    )

    def follow() -> None:
        with suppress(Exception):  # the server goes before it does
            rest = b""
            for chunk in stream.stream(None):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    found = orjson.loads(line)["object"]
                    if is_so(found):
                        seen.add(found["metadata"]["name"])

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stream.shutdown()
        thread.join()
        kube.close()


def _position(kube: Any, path: str) -> str:
    return str(kube._call("GET", path, {"limit": "1"})["metadata"]["resourceVersion"])
