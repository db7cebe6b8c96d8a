from __future__ import annotations

from pathlib import Path

import pytest

from apps.embedded.apiserver import checkpoints
from apps.embedded.apiserver.store import HISTORY, WATCH_QUEUE, Compacted, Store
from tests.support.wait import wait_until

RESOURCE = "/configmaps"


def put(store: Store, name: str, **data: str) -> dict:
    return store.put(RESOURCE, "ns", name, {"metadata": {"name": name, "namespace": "ns"}, "data": data})


def test_a_store_opened_again_holds_the_same_and_counts_on(tmp_path: Path) -> None:
    store = Store(tmp_path / "db")
    put(store, "a", k="1")
    put(store, "b", k="2")
    store.delete(RESOURCE, "ns", "b")
    last = store.revision
    # no close(): a killed process has no time for it
    again = Store(tmp_path / "db")
    assert again.objects(RESOURCE) == [store.get(RESOURCE, "ns", "a")]
    assert again.revision == last
    assert int(put(again, "c")["metadata"]["resourceVersion"]) > last


def test_the_past_can_be_read_until_it_is_compacted() -> None:
    store = Store(None)
    put(store, "a", k="1")
    then = store.revision
    put(store, "a", k="2")
    put(store, "b")
    store.delete(RESOURCE, "ns", "a")
    assert [(obj["metadata"]["name"], obj["data"]) for obj in store.objects_at(then, RESOURCE)] == [("a", {"k": "1"})]
    assert [obj["metadata"]["name"] for obj in store.objects(RESOURCE)] == ["b"]
    store.compact()
    with pytest.raises(Compacted):
        store.objects_at(then, RESOURCE)
    with pytest.raises(Compacted):
        store.since(then, RESOURCE)


def test_the_history_is_bounded() -> None:
    store = Store(None)
    first = store.revision
    for number in range(HISTORY + 10):
        put(store, "a", k=str(number))
    with pytest.raises(Compacted):
        store.since(first, RESOURCE)
    assert len(list(store.since(store.revision - 5, RESOURCE))) == 5


def test_revisions_of_other_resources_are_not_seen() -> None:
    store = Store(None)
    start = store.revision
    put(store, "a")
    store.put("/secrets", "ns", "s", {"metadata": {"name": "s", "namespace": "ns"}})
    assert [revision.name for revision in store.since(start, RESOURCE)] == ["a"]


async def test_a_subscription_gets_what_happens_and_overflows_when_nobody_reads() -> None:
    store = Store(None)
    subscription = store.subscribe(RESOURCE)
    put(store, "a")
    assert await subscription.wait(1)
    assert [revision.name for revision in subscription.take()] == ["a"]
    assert not await subscription.wait(0)
    assert subscription.take() == []
    for number in range(WATCH_QUEUE + 1):
        put(store, "b", k=str(number))
    assert subscription.overflowed


def test_a_deletion_is_a_revision_with_the_last_state() -> None:
    store = Store(None)
    put(store, "a", k="v")
    before = store.revision
    last = store.delete(RESOURCE, "ns", "a")
    assert last["data"] == {"k": "v"}
    assert int(last["metadata"]["resourceVersion"]) == before + 1
    (revision,) = store.since(before, RESOURCE)
    assert revision.new is None
    assert revision.old is not None


def test_the_log_is_brought_into_the_file_beside_the_writer_and_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "db"
    store = Store(path)
    before = path.stat().st_size
    text = "x" * 100_000
    written = checkpoints.ENOUGH // len(text) + 2
    for number in range(written):
        put(store, f"c{number}", text=text)
    log = Path(f"{path}-wal")
    first, grown = log.read_bytes()[16:24], log.stat().st_size
    wait_until(lambda: path.stat().st_size > before + checkpoints.ENOUGH, message="the log is in the file")

    def anew() -> bool:
        put(store, "small", text="y")
        return log.read_bytes()[16:24] != first  # two numbers that are others each time

    wait_until(anew, message="what came meanwhile is in the file, too, and the log begins anew")
    assert log.stat().st_size <= grown + 2**20
    # as it is after kill -9: nothing is closed
    killed = tmp_path / "killed"
    for suffix in ("", "-wal"):
        Path(f"{killed}{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    again = Store(killed)
    assert len(again.objects(RESOURCE)) == written + 1
    assert again.revision == store.revision
    again.close()
    store.close()
    assert len(Store(path).objects(RESOURCE)) == written + 1


def test_no_commit_of_a_writer_brings_the_log_into_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "ENOUGH", 2**40)
    path = tmp_path / "objects.sqlite"
    store = Store(path)
    for number in range(60):
        put(store, f"c{number}", text="x" * 100_000)
    assert Path(f"{path}-wal").stat().st_size > 60 * 100_000, "more than the thousand pages of SQLite's own way"
    assert path.stat().st_size < 100_000
    store.close()
