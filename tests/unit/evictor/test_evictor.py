"""Which chunks go, what events say of use, and how the folder is read and cleaned."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.evictor.acting import Hands, Pace, mark_uses
from apps.evictor.canary import try_volume
from apps.evictor.chunks import Chunks, scan
from apps.evictor.evictor import Evictor
from apps.evictor.metrics import Metrics
from apps.evictor.policy import plan
from apps.evictor.reuse import Reuse
from apps.evictor.settings import Settings, read_settings
from tests.support.wait import wait_until

NOW = float(int(time.time()))


def name_of(key: int) -> str:
    return f"{'ab' * 24}{key:016x}.bin"


def held(*rows: tuple[str, int, int, float], now: float = NOW) -> Chunks:
    """Chunks of (folder, key, bytes, seconds since their last use)."""
    chunks = Chunks()
    for top, key, size, ago in rows:
        if top not in chunks.tops:
            chunks.folders.append(f"/x/{top}")
            chunks.tops.append(top)
        chunks.add(name_of(key), size, now - ago, chunks.tops.index(top))
    return chunks


def settings(**more: Any) -> Settings:
    return Settings(**{"root": "/x", "quota": 1000, "fastest": 0.0, **more})


def keys(chunks: Chunks, rows: list[int]) -> list[int]:
    return [chunks.keys[row] for row in rows]


def test_within_the_quota_nothing_goes() -> None:
    chunks = held(*(("now", key, 90, 1e6) for key in range(10)))
    assert len(plan(chunks, settings(), NOW, reuse_time=10.0)) == 0


def test_over_the_quota_the_least_recently_used_go_until_the_low_mark() -> None:
    chunks = held(*(("now", key, 100, 1000.0 - key) for key in range(12)))
    found = plan(chunks, settings(), NOW, reuse_time=10.0)
    assert keys(chunks, found.quota) == [0, 1, 2, 3]
    assert (found.kept, found.forced) == (800, 0)


def test_of_chunks_used_together_the_end_of_the_prompt_goes_first() -> None:
    chunks = held(*(("now", key, 100, 500.0) for key in range(12)))
    found = plan(chunks, settings(), NOW, reuse_time=10.0, depth=lambda key: key)
    assert keys(chunks, found.quota) == [11, 10, 9, 8]


def test_what_is_still_in_use_goes_only_as_far_as_the_quota_forces_it() -> None:
    chunks = held(*(("now", key, 100, 50.0 - key) for key in range(12)))
    found = plan(chunks, settings(), NOW, reuse_time=3600.0)
    assert keys(chunks, found.quota) == [0, 1]
    assert (found.forced, found.kept) == (2, 1000)


def test_other_weights_go_once_nobody_writes_there_any_more() -> None:
    chunks = held(("old", 1, 10, 100.0), ("old", 2, 10, 5000.0), ("now", 3, 10, 9000.0))
    live = settings(live=frozenset({"now"}))
    assert len(plan(chunks, live, NOW, reuse_time=None)) == 0
    found = plan(chunks, live, NOW + 900, reuse_time=None)
    assert keys(chunks, found.purge) == [1, 2]


def test_of_a_full_quota_what_a_stranger_wrote_goes_before_what_is_ours() -> None:
    chunks = held(*(("now", key, 100, 500.0) for key in range(8)), *(("theirs", key, 100, 1.0) for key in range(8, 12)))
    found = plan(chunks, settings(live=frozenset({"now"})), NOW, reuse_time=10.0)
    assert keys(chunks, found.quota) == [8, 9, 10, 11]
    assert (found.forced, found.foreign) == (0, NOW - 1.0)
    assert plan(chunks, settings(), NOW, reuse_time=10.0).foreign is None


def test_what_nobody_used_for_its_time_to_live_goes() -> None:
    chunks = held(("now", 1, 10, 100.0), ("now", 2, 10, 700.0))
    assert keys(chunks, plan(chunks, settings(ttl=600.0), NOW, reuse_time=None).ttl) == [2]


@given(
    st.lists(st.tuples(st.integers(1, 400), st.floats(0, 5000)), max_size=40),
    st.floats(0, 3000),
)
def test_the_quota_holds_and_no_chunk_outlives_one_that_was_used_later(
    rows: list[tuple[int, float]], reuse_time: float
) -> None:
    chunks = held(*(("now", key, size, ago) for key, (size, ago) in enumerate(rows)))
    found = plan(chunks, settings(), NOW, reuse_time=reuse_time)
    gone = set(found.quota)
    kept = [row for row in range(len(chunks)) if row not in gone]
    assert sum(chunks.sizes[row] for row in kept) == found.kept <= 1000
    if gone and kept:
        assert max(chunks.used[row] for row in gone) <= min(chunks.used[row] for row in kept)
    unneeded = [row for row in gone if chunks.used[row] > NOW - reuse_time]
    if unneeded:
        last = found.quota[-1]
        assert found.kept + chunks.sizes[last] > 1000


# --- events -----------------------------------------------------------------------------------------------------
def stored(hashes: list[int], parent: int | None = None, medium: str = "GPU") -> dict[str, Any]:
    return {"type": "BlockStored", "block_hashes": hashes, "parent_block_hash": parent, "medium": medium}


def test_a_use_counts_for_all_that_comes_before_in_the_prompt() -> None:
    reuse = Reuse()
    reuse.event(stored([1, 2, 3]), 100.0)
    reuse.event(stored([9], parent=2), 200.0)
    assert [reuse.used_at(block) for block in (1, 2, 3, 9)] == [200.0, 200.0, 100.0, 200.0]
    assert [reuse.depth(block) for block in (1, 2, 3, 9)] == [0, 1, 2, 2]


def test_the_time_after_which_blocks_come_back_is_measured() -> None:
    reuse = Reuse()
    assert reuse.quantile(0.95) is None
    for turn in range(20):
        reuse.event(stored([7], medium="CPU"), 60.0 * turn)
    assert reuse.quantile(0.95) == pytest.approx(60.0, rel=0.2)


def test_older_engines_and_whole_hashes_are_understood() -> None:
    reuse = Reuse()
    reuse.event(["BlockStored", [1, 2], None, [], 16, None, "GPU", None], 5.0)
    reuse.event(stored([b"\x01" * 24 + (2).to_bytes(8, "big")], medium="CPU"), 9.0)  # type: ignore[list-item]
    reuse.event(["AllBlocksCleared"], 9.0)
    assert (reuse.used_at(1), reuse.used_at(2)) == (5.0, 9.0)


def test_memory_is_bounded() -> None:
    reuse = Reuse(most_blocks=100)
    for block in range(1000):
        reuse.event(stored([block]), float(block))
    assert len(reuse) == 100
    assert reuse.used_at(999) == 999.0


# --- the folder -------------------------------------------------------------------------------------------------
def put(root: Path, top: str, key: int, size: int = 100, ago: float = 0.0, now: float = NOW) -> Path:
    name = name_of(key)
    path = root / top / "tiny_0123456789ab_r0" / name[:3] / f"{name[3:5]}_g0" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
    os.utime(path, (now - ago, now - ago))
    return path


def test_the_folder_is_read_without_following_links(tmp_path: Path) -> None:
    put(tmp_path, "now", 5, size=123, ago=10.0)
    (put(tmp_path, "now", 6).parent / "notes.txt").write_text("no chunk")
    (tmp_path / "link").symlink_to(tmp_path / "now")
    (tmp_path / "now" / "config.json").write_text("{}")
    chunks = scan(str(tmp_path))
    assert sorted(chunks.keys) == [5, 6]
    row = chunks.row_of[5]
    assert (chunks.sizes[row], chunks.used[row], chunks.top(row)) == (123, NOW - 10, "now")


def test_what_was_written_anew_since_it_was_read_stays(tmp_path: Path) -> None:
    old, new = put(tmp_path, "now", 1, ago=100.0), put(tmp_path, "now", 2, ago=100.0)
    chunks = scan(str(tmp_path))
    put(tmp_path, "now", 2, ago=0.0)
    hands = Hands(2, lambda: False)
    hands.give(chunks, range(len(chunks)), "quota")
    assert (hands.files, hands.bytes) == (2, 200)
    hands.give(chunks, [0], "quota")
    assert hands.files == 2, "what is on its way is not given twice"
    done = set[tuple[int, str]]()

    def collected() -> bool:
        done.update((one.row, one.outcome) for one in hands.collect())
        return not hands.files

    wait_until(collected, message="both are done")
    assert done == {(chunks.row_of[1], "removed"), (chunks.row_of[2], "kept")}
    assert (hands.files, hands.bytes, old.exists(), new.exists()) == (0, 0, False, True)


def test_uses_outlive_the_program(tmp_path: Path) -> None:
    path = put(tmp_path, "now", 1, ago=1000.0)
    chunks = scan(str(tmp_path))
    assert mark_uses(chunks, {1: NOW}.get, Pace(1e6), lambda: False) == 1
    assert path.stat().st_mtime == NOW
    again = scan(str(tmp_path))
    assert mark_uses(again, {1: NOW + 60}.get, Pace(1e6), lambda: False) == 0
    assert again.used[0] == NOW + 60


def test_a_use_of_ours_is_none_of_other_weights_chunk_of_the_same_name(tmp_path: Path) -> None:
    ours, theirs = put(tmp_path, "now", 1, ago=5000.0), put(tmp_path, "old", 1, ago=5000.0)
    assert ours.name == theirs.name
    chunks = scan(str(tmp_path))
    assert mark_uses(chunks, {1: NOW}.get, Pace(1e6), lambda: False, live=frozenset({"now"})) == 1
    assert (ours.stat().st_mtime, theirs.stat().st_mtime) == (NOW, NOW - 5000.0)
    # so what other weights left goes, however much its name is used
    found = plan(scan(str(tmp_path)), settings(live=frozenset({"now"})), NOW, reuse_time=None)
    assert [chunks.top(row) for row in found.purge] == ["old"]


def test_removals_keep_their_pace() -> None:
    slept: list[float] = []
    pace = Pace(10.0, clock=lambda: 0.0, sleep=slept.append)
    for _ in range(5):
        pace.wait()
    assert max(slept) == pytest.approx(0.5)


def evictor(root: Path, **more: Any) -> tuple[Evictor, Metrics, list[str]]:
    metrics, said = Metrics(), list[str]()
    return Evictor(settings(**{"root": str(root), **more}), metrics, threading.Event(), said.append), metrics, said


def test_a_dry_run_says_and_removes_nothing(tmp_path: Path) -> None:
    paths = [put(tmp_path, "now", key, ago=500.0 - key) for key in range(12)]
    it, metrics, said = evictor(tmp_path, rate=1e6)
    assert it.once(dry_run=True)
    assert all(path.exists() for path in paths)
    assert metrics.get("would_remove_files") == 3
    assert said == ["3 (quota) would go of 12 chunks, 0.00 GiB"]
    assert it.once(dry_run=False)
    assert [path.exists() for path in paths] == [False] * 3 + [True] * 9
    assert metrics.get("removed_files_total", reason="quota") == 3


def test_where_nobody_tells_of_chunks_a_look_goes_down_to_the_low_mark(tmp_path: Path) -> None:
    for key in range(12):
        put(tmp_path, "now", key, ago=500.0 - key)
    it, metrics, _said = evictor(tmp_path, rate=1e6, watch=False)
    assert it.once(dry_run=False)
    assert (metrics.get("watched"), metrics.get("removed_files_total", reason="quota")) == (0, 4)
    assert metrics.get("used_bytes") == 800


def test_a_mount_that_is_gone_is_told_and_nothing_is_taken_for_empty(tmp_path: Path) -> None:
    it, metrics, said = evictor(tmp_path / "gone")
    assert not it.once(dry_run=False)
    assert metrics.get("up") == 0
    assert metrics.get("used_bytes") is None
    assert "nothing is removed" in said[-1]


def test_no_page_says_of_a_folder_that_is_gone_how_full_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads the page may do so between any two figures of it."""
    root, pages = tmp_path / "kv", list[str]()
    put(root, "now", 1, ago=1.0)
    it = evictor(root)[0]
    write = Metrics.set

    def watched(self: Metrics, name: str, value: float | None, **labels: str) -> None:
        write(self, name, value, **labels)
        pages.append(self.page())

    monkeypatch.setattr(Metrics, "set", watched)
    assert it.once(dry_run=False)
    root.rename(tmp_path / "away")
    assert not it.once(dry_run=False)
    gone = [page for page in pages if "lamplight_kv_store_up 0" in page]
    assert gone
    assert not [page for page in gone if "_used_bytes" in page or "store_files " in page]


def test_folders_of_other_weights_are_taken_away(tmp_path: Path) -> None:
    stale = put(tmp_path, "old", 1, ago=5000.0)
    (tmp_path / "old" / "tiny_0123456789ab").mkdir()
    (tmp_path / "old" / "tiny_0123456789ab" / "config.json").write_text("{}")
    assert stale.exists()
    kept = put(tmp_path, "now", 2)
    it, _metrics, _said = evictor(tmp_path, live=frozenset({"now"}), rate=1e6)
    assert it.once(dry_run=False)
    assert not (tmp_path / "old").exists()
    assert kept.exists()


def test_half_written_files_of_dead_engines_go(tmp_path: Path) -> None:
    path = put(tmp_path, "now", 1)
    dead, alive = Path(f"{path}_77.tmp"), Path(f"{path}_78.tmp")
    for file in (dead, alive):
        file.write_bytes(b"half")
    os.utime(dead, (NOW - 5000, NOW - 5000))
    it, metrics, _said = evictor(tmp_path)
    assert it.once(dry_run=False)
    assert (dead.exists(), alive.exists(), metrics.get("unfinished_total")) == (False, True, 1)


def test_a_volume_that_gives_back_what_it_got_is_fine(tmp_path: Path) -> None:
    assert try_volume(str(tmp_path)).problem == ""
    assert list(tmp_path.iterdir()) == []


def test_a_volume_that_changes_bytes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.read
    monkeypatch.setattr(os, "read", lambda handle, size: real(handle, size).replace(b"\x00", b"\x01"))
    assert "other bytes than it was given" in try_volume(str(tmp_path)).problem


def test_the_page_is_in_the_text_format() -> None:
    metrics = Metrics()
    metrics.add("removed_files_total", 3, reason="quota")
    metrics.set("used_bytes", 7)
    assert 'lamplight_kv_store_removed_files_total{reason="quota"} 3' in metrics.page()
    assert "# TYPE lamplight_kv_store_used_bytes gauge" in metrics.page()


@pytest.mark.parametrize(
    "argv", [["--root", "/x", "--quota", "much"], ["--root", "/x", "--quota", "1Gi", "--low", "0.99"], ["--quota", "1"]]
)
def test_wrong_arguments_end_the_program(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_settings(argv)
    assert "error" in capsys.readouterr().err
