"""What the kernel tells of a folder, and the quota that is kept by it between two looks."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from apps.evictor import watching
from apps.evictor.chunks import Chunks, is_chunk, scan
from apps.evictor.evictor import Evictor
from apps.evictor.keeping import Keeper
from apps.evictor.metrics import Metrics
from apps.evictor.reuse import Reuse
from apps.evictor.settings import Settings
from apps.evictor.watching import Watcher, file_system
from tests.support.wait import wait_until

pytestmark = pytest.mark.skipif(not os.path.exists(watching.LIMIT), reason="inotify is Linux's")


@pytest.fixture(autouse=True)
def _local(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # whatever the tests' folder lies on: all that is written to it is written here
    monkeypatch.setattr(watching, "LOCAL", frozenset({file_system(str(tmp_path))}))


def put(root: Path, number: int, size: int = 100) -> Path:
    """As engines write: aside, then into place."""
    name = f"{hashlib.sha256(str(number).encode()).hexdigest()[:48]}{number:016x}.bin"
    path = root / "now" / "m_0_r0" / name[:3] / f"{name[3:5]}_g0" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(f"{path}_7.tmp")
    aside.write_bytes(b"k" * size)
    aside.replace(path)
    return path


def told(watcher: Watcher) -> set[str]:
    return {f"{folder}/{name}" for folder, name in watcher.arrived() if is_chunk(name)}


def test_every_chunk_is_told_in_old_folders_and_in_new_ones(tmp_path: Path) -> None:
    old = put(tmp_path, 1)
    watcher = Watcher(str(tmp_path))
    assert watcher.start()
    assert set(scan(str(tmp_path), entering=watcher.follow).row_of) == {1}
    beside = old.with_name(f"{'ab' * 24}{2:016x}.bin")
    Path(f"{beside}_9.tmp").write_bytes(b"k")
    Path(f"{beside}_9.tmp").replace(beside)
    others = [put(tmp_path, number) for number in range(3, 40)]
    assert told(watcher) == {str(path) for path in (beside, *others)}
    assert told(watcher) == set()
    assert watcher.complete
    watcher.stop()


def test_what_lies_aside_is_known_until_it_is_in_place_or_given_up(tmp_path: Path) -> None:
    old = put(tmp_path, 1)
    watcher = Watcher(str(tmp_path))
    assert watcher.start()
    scan(str(tmp_path), entering=watcher.follow)
    begun = [old.with_name(f"{'ab' * 24}{number:016x}.bin") for number in (2, 3)]
    for path in begun:
        Path(f"{path}_9.tmp").write_bytes(b"k")
    # in a folder that is new as well
    new = put(tmp_path, 4)
    Path(f"{new}_5.tmp").write_bytes(b"k")
    assert told(watcher) == {str(new)}
    assert len(watcher.aside) == 3
    Path(f"{begun[0]}_9.tmp").replace(begun[0])
    Path(f"{begun[1]}_9.tmp").unlink()
    assert told(watcher) == {str(begun[0])}
    assert {name for _number, name in watcher.aside} == {f"{new.name}_5.tmp"}
    watcher.stop()


def test_what_is_being_written_takes_room_from_the_quota(tmp_path: Path) -> None:
    put(tmp_path, 1)
    it, _metrics = keeper(tmp_path, 10_000)
    put(tmp_path, 2)
    Path(f"{put(tmp_path, 3)}_8.tmp").write_bytes(b"k")
    before = it.room.ceiling, it.room.brink
    it.turn()
    assert it.room.aside == 100
    assert it.room.brink <= before[1] - 100
    it.forget()


def test_more_folders_than_may_be_watched_are_left_to_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "limit"
    limit.write_text("20\n")
    monkeypatch.setattr(watching, "LIMIT", str(limit))
    root = tmp_path / "kv"
    for number in range(30):
        put(root, number)
    watcher = Watcher(str(root))
    watcher.start()
    assert len(scan(str(root), entering=watcher.follow)) == 30
    assert not watcher.complete
    assert told(watcher) == set()


def test_a_volume_that_others_may_write_to_is_not_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOCAL", frozenset())
    assert not Watcher(str(tmp_path)).start()
    assert file_system("/proc/self") == "proc"


def keeper(root: Path, quota: int) -> tuple[Keeper, Metrics]:
    metrics, stop = Metrics(), threading.Event()
    settings = Settings(root=str(root), quota=quota, fastest=0.0)
    keeper = Keeper(settings, metrics, stop, lambda text: None, Reuse(), threading.Lock())
    assert keeper.watcher.start()
    found = scan(str(root), entering=keeper.watcher.follow)
    keeper.know(found, range(len(found)))
    keeper.room.look_ends(0.0, found.bytes, watched=True)
    return keeper, metrics


def test_a_quota_is_kept_without_another_look_the_oldest_first(tmp_path: Path) -> None:
    paths = [put(tmp_path, number) for number in range(50)]
    it, metrics = keeper(tmp_path, 10_000)
    for number in range(50, 400):
        paths.append(put(tmp_path, number))
        if number % 2 == 0:
            it.turn()
            it.settle(it.queue.chunks, range(len(it.queue.chunks)))
            assert sum(path.stat().st_size for path in paths if path.exists()) <= 10_000
            assert sum(path.exists() for path in paths) * 100 == it.room.held
    there = [path.exists() for path in paths]
    assert there == sorted(there), "none stays that is older than one that went"
    assert metrics.get("removed_files_total", reason="quota") == there.count(False)
    it.forget()


def test_where_the_oldest_wait_for_their_disk_what_comes_goes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [put(tmp_path, number) for number in range(80)]
    disk, unlink = threading.Event(), os.unlink

    def wait_for_the_disk(path: str) -> None:
        if int(path[-20:-4], 16) < 80:
            assert disk.wait(300)
        unlink(path)

    monkeypatch.setattr(os, "unlink", wait_for_the_disk)
    it, metrics = keeper(tmp_path, 10_000)

    def within() -> bool:
        it.notice()
        return it.room.held <= it.room.brink

    try:
        for number in range(80, 130):
            paths.append(put(tmp_path, number))
            it.turn()
            wait_until(within, message="what has just come is gone")
            assert it.room.held <= 10_000
            assert sum(path.exists() for path in paths) * 100 == it.room.held
        assert all(path.exists() for path in paths[:80]), "they wait"
        assert (metrics.get("removed_files_total", reason="full") or 0) >= 30
    finally:
        disk.set()
    it.settle(it.queue.chunks, range(80))
    assert it.room.held < it.room.brink
    before = metrics.get("removed_files_total", reason="full")
    paths += [put(tmp_path, number) for number in range(130, 132)]
    it.turn()
    assert metrics.get("removed_files_total", reason="full") == before
    assert all(path.exists() for path in paths[-2:]), "there is room again"
    it.forget()


def test_what_comes_during_a_look_is_counted_once(tmp_path: Path) -> None:
    for number in range(20):
        put(tmp_path, number)
    it, _metrics = keeper(tmp_path, 10_000)
    come = iter(range(100, 120))

    def between(found: Chunks) -> None:
        number = next(come, None)
        if number is not None:
            put(tmp_path, number)
        it.turn(found)

    found = scan(str(tmp_path), between, entering=it.watcher.follow)
    it.notice(found)
    assert sorted(found.row_of) == [*range(20), *range(100, 120)]
    assert found.bytes == it.room.held == 4000
    it.forget()


def test_chunks_that_were_not_told_end_the_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics, said = Metrics(), list[str]()
    it = Evictor(Settings(root=str(tmp_path), quota=2**20), metrics, threading.Event(), said.append)
    put(tmp_path, 1)
    assert it.once(dry_run=False)
    assert metrics.get("watched") == 1
    monkeypatch.setattr(Watcher, "arrived", lambda self: iter(()))
    for number in range(2, 10):
        put(tmp_path, number)
    assert it.once(dry_run=False)
    assert metrics.get("watched") == 0
    assert "8 chunks came of which this node's kernel did not tell" in said[-1]
    assert metrics.get("used_bytes") == 900
