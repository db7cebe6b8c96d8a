"""Other weights under the same name on the same volume: nobody reads their chunks, and a directory that engines share
which should not is told. The folders are those that the plan renders, on a real disk."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import requests

from apps.evictor.metrics import PREFIX
from apps.offload.domain.store import fault_of, read_page
from apps.pools.domain.tiers.folders import STORE_PATH, pool_folder
from tests.integration.test_engine_tiers import FAST, SMALL, ask, cached, files
from tests.support.engines import run_engine
from tests.support.evictors import EvictorProcess, run_evictor
from tests.support.wait import wait_until
from tests.unit.pools.rendering import POOL
from tests.unit.pools.test_tier_rendering import DISK, HOST, SHAPED, engine, rendered, transfer

OURS, OTHERS = "0123456789abcdef0123456789abcdef01234567", "fedcba9876543210fedcba9876543210fedcba98"
# a whole chunk, and a token to compute
TOKENS = 256 + 1


def connector(volume: Path, revision: str) -> str:
    """The rendered connector of a pool with these weights, where the volume is mounted at another place."""
    container = engine(rendered(HOST, DISK, model=dataclasses.replace(SHAPED, revision=revision)))
    config = json.dumps(transfer(container)).replace(STORE_PATH, str(volume))
    assert str(volume) in config
    return f"--kv-transfer-config={config}"


def live_of(revision: str) -> str:
    objects = rendered(HOST, DISK, model=dataclasses.replace(SHAPED, revision=revision))
    [container] = objects["Deployment/chat-kv-evictor"]["spec"]["template"]["spec"]["containers"]
    [live] = [arg.removeprefix("--live=") for arg in container["args"] if arg.startswith("--live=")]
    return live


def page_of(evictor: EvictorProcess) -> str:
    return requests.get(f"{evictor.url}/metrics", timeout=30).text


def test_two_weights_on_one_volume_never_read_each_other_and_a_shared_directory_is_told(tmp_path: Path) -> None:
    volume = tmp_path / "volume"
    pool = volume / pool_folder(POOL)
    ours, others = pool / live_of(OURS), pool / live_of(OTHERS)
    assert ours != others
    with (
        run_engine(tmp_path, *SMALL, connector(volume, OURS), environment=FAST) as mine,
        run_engine(tmp_path, *SMALL, connector(volume, OTHERS), environment=FAST) as theirs,
        run_engine(tmp_path, *SMALL, connector(volume, OURS), environment=FAST) as replica,
        run_evictor(tmp_path, pool, "1Gi", "--live", ours.name, "--purge-after", "6") as evictor,
    ):
        ask(mine, 0, tokens=TOKENS)
        wait_until(lambda: len(files(ours)) == 1, message="the prompt's chunk is on the volume")
        wait_until(lambda: evictor.metric("files") == 1, message="and the evictor has seen it")
        assert fault_of(read_page(page_of(evictor)) or missing(), "kv-cache") is None

        # the same tokens under other weights: a chunk of the same name, which is no hit
        ask(theirs, 0, tokens=TOKENS)
        wait_until(lambda: len(files(others)) == 1, message="other weights have a chunk of it too")
        assert [file.name for file in files(others)] == [file.name for file in files(ours)]
        assert cached(theirs, "disk") == 0
        wait_until(lambda: evictor.metric("foreign_age_seconds") is not None, message="the stranger is noticed")
        fault = fault_of(read_page(page_of(evictor)) or missing(), "kv-cache")
        assert fault is not None
        assert (fault.reason, fault.unusable) == ("FolderShared", False)
        # engines of the roll-out before still write where they did: that is no stranger
        assert fault_of(read_page(page_of(evictor)) or missing(), "kv-cache", settled=False) is None

        ask(replica, 0, tokens=TOKENS)
        assert cached(replica, "disk") == TOKENS - 1, "the same weights find it"
        wait_until(lambda: not files(others), message="what the stranger left goes")
        assert len(files(ours)) == 1
        wait_until(lambda: evictor.metric("foreign_age_seconds") is None, message="and is told no more")
        wait_until(lambda: evictor.metric('removed_files_total{reason="purge"}') == 1, message="one was purged")


def missing() -> Any:
    raise AssertionError(f"no page of the evictor ({PREFIX}up)")
