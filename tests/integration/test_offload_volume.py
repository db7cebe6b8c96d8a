"""The owner of a pool's folder as a process on the embedded cluster: a tick reads its page over HTTP, and says how the
volume is."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.offload.stores import find_stores
from apps.offload.ticking import run_tick
from tests.support.cluster import EmbeddedCluster, run_cluster
from tests.support.pools import (
    cluster_document,
    declare,
    drain_until,
    model_document,
    pool,
    pool_document,
    take_down,
    variant_document,
)
from tests.support.wait import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]

OFFLOAD = {
    "mode": "fixed",
    "tiers": [
        {"kind": "host", "bytes": "1Gi"},
        {"kind": "filesystem", "bytes": "1Gi", "claim": "kv-cache"},
    ],
}


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with run_cluster(nodes=True) as running:
        variants = [variant_document(replicas={"min": 1, "max": 1})]
        declare(
            cluster_document(str(running.kubeconfig)),
            model_document(),
            pool_document(variants=variants, offload=OFFLOAD, routing={"picker": False}),
        )
        yield running
        take_down("chat")


def condition() -> tuple[str, str]:
    run_tick()
    found = next((one for one in pool().conditions if one["type"] == "Offload"), {"status": "", "reason": ""})
    return found["status"], found["reason"]


def evictors(root: str) -> list[int]:
    """Processes of this test's cluster that are an evictor."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes() if entry.name.isdigit() else b""
        except OSError:
            continue
        if b"lamplight_evictor" in told and root.encode() in told:
            found.append(int(entry.name))
    return found


def test_a_tick_reads_the_evictor_and_tells_when_it_is_killed_and_when_the_volume_is_gone(
    cluster: EmbeddedCluster,
) -> None:
    drain_until(lambda: pool().status.get("health") == "Healthy", message="the engine serves")
    wait_until(lambda: condition() == ("True", "Declared"), message="the evictor is read")
    page = find_stores([pool()])[pool().uid]
    assert (page.up, page.quota, page.canary_ok) == (True, float(2**30), True)
    assert (page.used, page.files) == (0, 0)

    (number,) = evictors(str(cluster.kubeconfig.parent))
    os.kill(number, signal.SIGSTOP)
    wait_until(lambda: condition() == ("Unknown", "StoreUnwatched"), message="that it hangs is said")
    os.kill(number, signal.SIGKILL)
    wait_until(lambda: condition() == ("True", "Declared"), message="another one took over")
    assert number not in evictors(str(cluster.kubeconfig.parent))

    (volume,) = cluster.kubeconfig.parent.rglob("claims/*/kv-cache")
    shutil.move(volume, volume.with_name("away"))
    wait_until(lambda: condition() == ("False", "VolumeUnreadable"), message="that it is gone is said")
    shutil.move(volume.with_name("away"), volume)
    wait_until(lambda: condition() == ("True", "Declared"), message="it is there again")
