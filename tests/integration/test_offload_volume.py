"""The owner of a pool's folder as a process on the embedded cluster: a tick reads its page over HTTP, and says how the
volume is."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from apps.core import clock
from apps.core.domain.access import Role
from apps.offload.ticking import run_tick
from apps.pools.models import Rollout
from tests.support.cluster import EmbeddedCluster, run_cluster
from tests.support.people import Api, api_of, person
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


def condition(api: Api) -> tuple[str, str]:
    """As people read it over REST, after a tick."""
    run_tick()
    told = api.get("teams/default/pools/chat")["status"]["conditions"]
    found = next((one for one in told if one["type"] == "Offload"), {"status": "", "reason": ""})
    return found["status"], found["reason"]


def store(api: Api) -> dict[str, Any]:
    """The pool's folder, as the console shows it."""
    return dict(api.get("teams/default/pools/chat/offload")["store"] or {})


def write_chunks(folder: Path, count: int, size: int) -> None:
    """As an engine does: aside, then into place; without contents."""
    for number in range(count):
        name = hashlib.sha256(f"{folder} {number}".encode()).hexdigest() + ".bin"
        path = folder / "m_0_r0" / name[:3] / f"{name[3:5]}_g0" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(f"{path}_7.tmp")
        with aside.open("wb") as file:
            file.truncate(size)
        aside.replace(path)


def fills(volume: Path, size: int) -> bool:
    """A small volume of its own comes in this one's place and is written full; False without the right to mount."""
    folders = [path.relative_to(volume) for path in volume.rglob("*") if path.is_dir()]
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(volume)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return False
    try:
        for folder in folders:
            (volume / folder).mkdir(parents=True, exist_ok=True)
        with suppress(OSError), (volume / "somebody-else").open("wb") as file:
            while True:
                file.write(bytes(2**20))
    except BaseException:
        unmount(volume)
        raise
    return True


def unmount(volume: Path) -> None:
    subprocess.run(["umount", "-l", str(volume)], capture_output=True, check=True)


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
    api = api_of(person("eve", default=Role.EDITOR))
    drain_until(lambda: pool().status.get("health") == "Healthy", message="the engine serves")
    wait_until(lambda: condition(api) == ("True", "Declared"), message="the evictor is read")
    told = store(api)
    assert (told["readable"], told["intact"], told["quotaBytes"]) == (True, True, 2**30)
    assert (told["usedBytes"], told["chunks"], told["problem"], told["claim"]) == (0, 0, None, "kv-cache")

    (number,) = evictors(str(cluster.kubeconfig.parent))
    os.kill(number, signal.SIGSTOP)
    wait_until(lambda: condition(api) == ("Unknown", "StoreUnwatched"), message="that it hangs is said")
    assert store(api) == {}, "of what nobody has read nothing is shown"
    os.kill(number, signal.SIGKILL)
    wait_until(lambda: condition(api) == ("True", "Declared"), message="another one took over")
    assert number not in evictors(str(cluster.kubeconfig.parent))

    (volume,) = cluster.kubeconfig.parent.rglob("claims/*/kv-cache")
    shutil.move(volume, volume.with_name("away"))
    wait_until(lambda: condition(api) == ("False", "VolumeUnreadable"), message="that it is gone is said")
    assert (store(api)["readable"], store(api)["usedBytes"]) == (False, None)
    shutil.move(volume.with_name("away"), volume)
    wait_until(lambda: condition(api) == ("True", "Declared"), message="it is there again")

    if fills(volume, 24 * 2**20):
        wait_until(lambda: condition(api) == ("False", "VolumeFull"), message="a full volume is told")
        told = store(api)
        assert (told["volumeBytes"], told["readable"]) == (24 * 2**20, True)
        assert told["volumeFreeBytes"] < 2**20
        assert told["problem"].startswith("Volume kv-cache is full: nothing new is stored")
        unmount(volume)
        wait_until(lambda: condition(api) == ("True", "Declared"), message="there is room again")

    [folder] = [path for path in volume.iterdir() if path.is_dir() and not path.name.startswith(".")]
    [live] = [path for path in folder.iterdir() if path.is_dir()]
    write_chunks(live, 60, 2**28)
    wait_until(lambda: condition(api) == ("False", "QuotaTooSmall"), message="a small quota is told")
    wait_until(lambda: condition(api) and store(api)["usedBytes"] <= 2**30, message="and is kept")
    assert store(api)["leastQuotaBytes"] > 2**30

    write_chunks(folder / "0123456789ab", 3, 2**20)
    Rollout.objects.update(finished_at=clock.now() - timedelta(hours=1))
    wait_until(lambda: condition(api) == ("False", "FolderShared"), message="a stranger is told")
    assert store(api)["problem"].startswith("Somebody writes chunks of other weights")
