"""The evictor as a process beside engines that read and write the same folder."""

from __future__ import annotations

import json
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_engine_tiers import CHUNK_BYTES, FAST, PROMPT, SMALL, ask, cached, connector, files
from tests.support.engines import run_engine
from tests.support.evictors import run_evictor
from tests.support.ports import free_port
from tests.support.wait import wait_until

# a prompt is four chunks
KIB = 2**10


def quota(chunks: int) -> str:
    return f"{chunks * CHUNK_BYTES // KIB}Ki"


def told(port: int) -> str:
    config: dict[str, Any] = {"enable_kv_cache_events": True, "endpoint": f"tcp://*:{port}"}
    return f"--kv-events-config={json.dumps(config)}"


def test_what_is_used_stays_and_what_is_not_goes(tmp_path: Path) -> None:
    root, port = tmp_path / "kv", free_port()
    events = connector(root / "now", chunks=4, tier={"enable_kv_events": True})
    with (
        run_engine(tmp_path, *SMALL, events, told(port), environment=FAST) as engine,
        run_evictor(tmp_path, root, quota(240), "--engines", f"127.0.0.1:{port}", "--rate", "100000") as evictor,
    ):
        wait_until(lambda: evictor.metric("engines") == 1, message="the evictor follows the engine")
        ask(engine, *range(5))
        wait_until(lambda: len(files(root / "now")) == 20, message="five prompts are in the folder")
        # the first prompt is asked for again and again, while others come and go: as many as fill the quota twice, for
        # a quota of a few chunks would be less than what is kept free for what is written before it is noticed
        for family in range(5, 120):
            ask(engine, 0, family)
        wait_until(lambda: (evictor.metric('removed_files_total{reason="quota"}') or 0) >= 200, message="room is made")
        wait_until(lambda: len(files(root / "now")) <= 240, message="the folder is within its quota")
        assert evictor.metric("blind") == 0
        assert (evictor.metric("uses_total") or 0) > 0
        before = cached(engine, "disk")
        with run_engine(tmp_path, *SMALL, connector(root / "now", chunks=8), environment=FAST) as other:
            ask(other, 0)
            assert cached(other, "disk") == PROMPT - 1, "the prompt that is used is whole"
            ask(other, 1)
            assert cached(other, "disk") == PROMPT - 1, "the one that is not used is gone"
        assert cached(engine, "disk") >= before


def test_the_quota_holds_while_sixteen_writers_work_and_nobody_reads_half_a_file(tmp_path: Path) -> None:
    root = tmp_path / "kv" / "now" / "tiny_0123456789ab_r0"
    stop, torn, written = threading.Event(), [], [0] * 16

    def write(number: int) -> None:
        from apps.embedded.engine.file_store import FileStore

        store = FileStore(str(tmp_path / "kv" / "now"), {"model_name": "tiny"})
        key = number << 40
        while not stop.is_set():
            key += 1
            if not store.write(key, 64 * KIB):
                torn.append(f"write {key}")
            written[number] += 1
            path = Path(store._path(key))
            try:
                if path.stat().st_size != 64 * KIB:
                    torn.append(f"read {key}")
            except FileNotFoundError:
                pass
            stop.wait(0.01)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for writer in writers:
        writer.start()
    try:
        with run_evictor(tmp_path, root.parents[1], f"{2000 * 64}Ki", "--rate", "100000") as evictor:
            wait_until(lambda: sum(written) > 6000, message="writers have written many times the quota")
            wait_until(lambda: (evictor.metric('removed_files_total{reason="quota"}') or 0) > 2000, message="removed")
            stop.set()
            for writer in writers:
                writer.join()
            wait_until(lambda: held(root.parent) <= 2000 * 64 * KIB, message="the folder is within its quota")
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert torn == []


def held(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*.bin"))


def test_a_killed_evictor_leaves_a_folder_that_engines_and_the_next_one_take(tmp_path: Path) -> None:
    root = tmp_path / "kv"
    with run_engine(tmp_path, *SMALL, connector(root / "now", chunks=4), environment=FAST) as engine:
        ask(engine, *range(10))
        wait_until(lambda: len(files(root / "now")) == 40, message="ten prompts are in the folder")
        # what is too old goes slowly, since there is room
        with run_evictor(tmp_path, root, "1Gi", "--ttl", "0.5", "--rate", "5") as evictor:
            wait_until(lambda: len(files(root / "now")) < 40, message="it is at work")
            evictor.process.send_signal(signal.SIGKILL)
            evictor.process.wait(timeout=60)
        left = len(files(root / "now"))
        assert 8 < left < 40
        ask(engine, *range(10))
        with run_evictor(tmp_path, root, quota(8), "--rate", "10000"):
            wait_until(lambda: len(files(root / "now")) <= 8, message="the next one goes on")


def test_one_pass_for_a_cron_job(tmp_path: Path) -> None:
    import subprocess
    import sys

    from tests.support.shared import ROOT

    command = [sys.executable, "-m", "apps.evictor", "--once", "--quota", "1Gi", "--root"]
    fine = subprocess.run([*command, str(tmp_path)], cwd=ROOT, timeout=90, check=False, capture_output=True, text=True)
    gone = subprocess.run([*command, "/gone/store"], cwd=ROOT, timeout=90, check=False, capture_output=True, text=True)
    assert (fine.returncode, gone.returncode) == (0, 1)
    assert "cannot read /gone/store: No such file or directory; nothing is removed" in gone.stdout


@pytest.mark.parametrize("dry", [True, False])
def test_a_dry_run_first(tmp_path: Path, dry: bool) -> None:
    root = tmp_path / "kv"
    with run_engine(tmp_path, *SMALL, connector(root / "now", chunks=4), environment=FAST) as engine:
        ask(engine, *range(4))
        wait_until(lambda: len(files(root / "now")) == 16, message="four prompts are in the folder")
    with run_evictor(tmp_path, root, quota(8), *(["--dry-run"] if dry else [])) as evictor:
        wait_until(lambda: "would go of 16 chunks" in evictor.log.read_text(), message="it says what would go")
        if dry:
            wait_until(lambda: evictor.metric("would_remove_files") == 9, message="and shows it")
            assert len(files(root / "now")) == 16
        else:
            wait_until(lambda: len(files(root / "now")) == 7, message="and then does it")
