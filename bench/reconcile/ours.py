"""Lamplight: informers and workers as installed, `COUNT` pools of four objects each, scaled to zero."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from bench.reconcile.accounting import accounting, cpu_seconds
from bench.reconcile.server import CONNECTIONS, COUNT, NAMESPACE, client, process, seeing, standing_still, wait

WORKERS = int(os.environ.get("WORKERS", str(os.cpu_count() or 1)))
THREADS = int(os.environ.get("THREADS", "8"))  # of a worker, as it is installed: one cluster may hold half of them
# resyncs until each thread of each worker has had a full hand, and the allocator what that takes
WARM_UP = 10


class Ours:
    """What Lamplight does with all pools. Its workers stand still while the others are measured; nothing of what those
    do is told to its informers."""

    def __init__(self, kubeconfig: Path, base: Path) -> None:
        self._kubeconfig = kubeconfig
        self._base = base
        self._stack = ExitStack()
        self._image = ""
        self._workers: Workers
        self._calls: Callable[[], Seen]

    @contextmanager
    def running(self) -> Iterator[None]:
        from tests.support.pools import cluster_document, declare, model_document

        declare(cluster_document(str(self._kubeconfig), limits={"concurrency": THREADS}), model_document())
        informers = [sys.executable, "manage.py", "informers"]
        with process(informers, self._base / "informers.log", as_installed("informers")), self._stack:
            self._start_workers()
            wait(_in_sync, "the watches are in sync", step=0.5)
            yield

    def _start_workers(self) -> None:
        self._workers, self._calls = start_workers(self._stack, self._base)

    def _cpu(self) -> float:
        return sum(cpu_seconds(worker.pid) for worker in self._workers)

    @contextmanager
    def standing_still(self) -> Iterator[None]:
        """They ask for work meanwhile as little as they do anything else."""
        with ExitStack() as stopped:
            for worker in self._workers:
                stopped.enter_context(standing_still(worker))
            yield

    def create(self, image: str) -> dict[str, Any]:
        before = self._calls()
        live, written, spent = self._burst(image)
        after = self._calls()
        print(f"lamplight: {COUNT} created, live in {live} s, written in {written} s", flush=True)
        return {"create_live_s": live, "create_s": written, "create_cpu_s": spent, **_each(before, after, "create")}

    def change(self, image: str) -> tuple[dict[str, float], dict[str, Any]]:
        """Changes a second until all are written, and until all are live (`_live`); what they took."""
        before, busy = self._calls(), self._cpu()
        live, written, spent = self._burst(image)
        busy = self._cpu() - busy
        figures: dict[str, Any] = {"change_live_s": live, "change_s": written, "change_cpu_s": spent}
        figures |= _each(before, self._calls(), "change")
        figures["worker_cpu_ms_per_change"] = round(busy * 1000 / COUNT, 2)
        print(f"lamplight: {COUNT} changed, live in {live} s, written in {written} s", flush=True)
        return {"": COUNT / written, "_live": COUNT / live}, figures

    def at_rest(self) -> dict[str, Any]:
        """Resyncs, the way of one change, and a restart, where nothing changed but that one."""
        figures: dict[str, Any] = {}
        memory = []
        written = self._calls().writes
        for _ in range(WARM_UP + 10):
            figures["resync_s"] = round(_again(), 1)
            memory.append(self._calls().memory_mib)
        del memory[:WARM_UP]
        figures["resync_writes"] = self._calls().writes - written
        figures["memory_growth_mib"] = round(memory[-1] - memory[0], 1)
        figures["memory_mib"] = round(memory[-1], 1)
        figures["latency_p99_s"] = round(one_by_one(client(self._kubeconfig), self._image), 3)
        self._stack.close()
        self._start_workers()
        figures["restart_s"] = round(_again(), 1)
        figures["restart_writes"] = self._calls().writes
        figures["restart_requests"] = self._calls().requests
        return figures

    def _burst(self, image: str) -> tuple[float, float, dict[str, float]]:
        """Declare all pools with an image. Seconds until all are live, and until that is written too, and where the
        processors were until nothing is left to do: where a controller of Deployments runs, that tells us of its steps
        for much longer."""
        self._image = image
        with seeing(self._kubeconfig, image, "p") as live:
            declare_all(image)
            with accounting() as spent:
                took = wait(lambda: live() == COUNT, f"{image} is live in all pools", step=0.02)
                written = took + wait(_written, f"that {image} is live is written in all pools", step=0.02)
                wait(_settled, "nothing is left to do", step=0.02)
        return round(took, 2), round(written, 2), spent


def _each(before: Seen, after: Seen, what: str) -> dict[str, float]:
    return {
        f"requests_per_{what}": round((after.requests - before.requests) / COUNT, 2),
        f"looks_per_{what}": round((after.looks - before.looks) / COUNT, 2),
    }


def declare_all(image: str) -> None:
    from django.db import transaction

    from tests.support.pools import declare, pool_document, variant_document

    def document(number: int) -> dict[str, Any]:
        variant = variant_document(replicas={"min": 0, "max": 4})
        return pool_document(
            f"p{number:04}",
            namespace=NAMESPACE,
            variants=[variant],
            engine={"image": image},
            routing={"picker": False},
        )

    # the worker sees them all at once, when all are there: what is measured then is its work, not that of the driver
    with transaction.atomic():
        for first in range(0, COUNT, 100):
            declare(*(document(number) for number in range(first, min(first + 100, COUNT))))


def as_installed(name: str) -> dict[str, str]:
    """The environment of a process of ours: settings of an installation (kept connections), and whose they are."""
    return {
        "DJANGO_SETTINGS_MODULE": "controlplane.settings",
        "PGAPPNAME": name,
        "LAMPLIGHT_WORKER_THREADS": str(THREADS),
        "LAMPLIGHT_KUBE_CONNECTIONS": str(max(1, CONNECTIONS // WORKERS)),
    }


@dataclass(frozen=True)
class Seen:
    """What all workers together have done and hold. `requests`: to the API server, `writes` of them but reads; `looks`
    at objects."""

    requests: int
    writes: int
    looks: int
    memory_mib: float


Workers = list[subprocess.Popen[bytes]]


def start_workers(stack: ExitStack, base: Path) -> tuple[Workers, Callable[[], Seen]]:
    """They, and what they have done so far."""
    pages = [base / f"worker-{uuid4().hex[:6]}.json" for _ in range(WORKERS)]
    workers = []
    for page in pages:
        argv = [sys.executable, "-m", "bench.reconcile.worker", str(page)]
        workers.append(stack.enter_context(process(argv, base / "worker.log", as_installed("workers"))))
    wait(lambda: all(page.exists() for page in pages), "the workers run")

    def read() -> Seen:
        time.sleep(0.3)  # they write five times a second
        states = [json.loads(page.read_text()) for page in pages]
        calls = Counter[str]()
        for state in states:
            calls.update(state["calls"])
        return Seen(
            requests=calls.total(),
            writes=calls.total() - calls["GET"],
            looks=sum(state["looks"] for state in states),
            memory_mib=sum(memory_mib(worker.pid) for worker in workers),
        )

    return workers, read


def memory_mib(pid: int) -> float:
    """Proportional share of memory. (Asked from here: it takes the kernel a while, which is no work of the worker.)"""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024


def _in_sync() -> bool:
    from apps.clusters.models import Watch

    rows = list(Watch.objects.values_list("synced", flat=True))
    return bool(rows) and all(rows)


def _written() -> bool:
    """Whether every pool's newest revision says what it became, which is written with the pool's status."""
    return _none(
        "pools_pool p JOIN pools_revision r ON r.pool_id = p.uid AND r.generation = p.generation"
        " WHERE r.rendered_hash = ''"
    )


def _settled() -> bool:
    return _none(
        "reconcile_queue WHERE kind = 'Pool' AND (due_at < clock_timestamp() OR dirty OR lease_until IS NOT NULL)"
    )


def _none(rows: str) -> bool:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {rows}")
        return bool(cursor.fetchone()[0] == 0)


def _again() -> float:
    """Seconds to look at every pool once more."""
    from apps.reconcile.models import QueueItem

    QueueItem.objects.filter(kind="Pool").update(due_at="2000-01-01T00:00:00Z")
    return wait(_settled, "every pool was looked at", step=0.05)


def one_by_one(kube: Any, image: str) -> float:
    """p99 of the seconds from declaring a change of one pool to its being live, while nothing else happens."""
    from tests.support.pools import declare, pool_document, variant_document

    deployments = kube.resource("Deployment", "apps")
    taken = []
    for turn in range(min(COUNT, 50)):
        name, flag = f"p{turn:04}", f"--max-model-len={2048 + turn}"
        variant = variant_document(replicas={"min": 0, "max": 4})
        engine = {"image": image, "args": [flag]}
        started = time.monotonic()
        declare(pool_document(name, namespace=NAMESPACE, variants=[variant], engine=engine, routing={"picker": False}))

        def live(name: str = name, flag: str = flag) -> bool:
            found = kube.get(deployments, f"{name}-h200", NAMESPACE)
            return flag in found["spec"]["template"]["spec"]["containers"][0]["args"]

        wait(live, "one change is live", step=0.01)
        taken.append(time.monotonic() - started)
    return sorted(taken)[int(len(taken) * 0.99)]
