"""The informer process as it runs in production, on the test's database."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

from apps.clusters import cache
from apps.clusters.informers.owned import owned
from apps.clusters.informers.process import Informers
from apps.clusters.models import Cluster, Watch
from controlplane.supervisor.children import die_with_parent
from tests.support.wait import wait_until
from tests.support.web import PROJECT, database_url


@contextmanager
def run_informers(**env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that watches every declared cluster; the test must not run inside a transaction."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "informers"],
        cwd=PROJECT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "controlplane.settings.test",
            "DATABASE_URL": database_url(),
            **env,
        },
        stdin=subprocess.DEVNULL,
        preexec_fn=die_with_parent(signal.SIGKILL),
    )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        process.kill()
        process.wait(60)


@contextmanager
def watching() -> Iterator[None]:
    """The same in a thread of this process: quicker to start, for tests that need not kill it."""
    started, stop = threading.Event(), asyncio.Event()
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        loops.append(asyncio.get_running_loop())
        started.set()
        entry = owned()
        assert entry is not None
        await Informers(entry).run(stop)

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="informers", daemon=True)
    thread.start()
    assert started.wait(60)
    try:
        yield
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(15)
        assert not thread.is_alive(), "the informers stop when they are told"


def cluster_uid(name: str = "embedded") -> UUID:
    return Cluster.objects.get(name=name).uid


def in_sync(name: str = "embedded") -> bool:
    """Whether every watch of the cluster is in sync, as readers see it."""
    uid = cluster_uid(name)
    kinds = list(Watch.objects.filter(cluster=uid).values_list("kind", flat=True))
    return bool(kinds) and cache.read(uid, uid, kinds, "serving") is not None


def wait_in_sync(name: str = "embedded", timeout: float = 120) -> None:
    wait_until(lambda: in_sync(name), timeout=timeout, message=f"the watches of {name} are in sync")
