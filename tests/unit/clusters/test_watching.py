"""Watch lines, positions and what to do after an end."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.clusters.domain.watching import (
    LONGEST_PAUSE_SECONDS,
    Bookmark,
    Change,
    Garbled,
    WatchGone,
    WatchRefused,
    after_end,
    behind,
    newest,
    read_event,
)

OWNER = "11111111-2222-3333-4444-555555555555"


def pod(revision: str = "7", **metadata: Any) -> dict[str, Any]:
    labels = {"owner": OWNER}
    fields = {"managedFields": [{"manager": "kubelet"}]}
    named = {"name": "a", "namespace": "n", "uid": "u", "resourceVersion": revision, "labels": labels}
    return {"metadata": {**named, **fields, **metadata}}


def line(type_: str, obj: Any) -> bytes:
    return json.dumps({"type": type_, "object": obj}).encode()


def read(type_: str, obj: Any) -> Change | Bookmark:
    return read_event(line(type_, obj), "Pod.", "v1", "owner")


def test_a_change_is_read_with_its_owner_and_without_what_nobody_reads() -> None:
    change = read("MODIFIED", pod())
    assert isinstance(change, Change)
    assert (change.key, str(change.owner), change.revision, change.gone) == (("Pod.", "n", "a"), OWNER, 7, False)
    assert change.body["kind"] == "Pod"
    assert change.body["apiVersion"] == "v1"
    assert "managedFields" not in change.body["metadata"]


def test_managed_fields_of_what_we_apply_are_kept() -> None:
    change = read_event(line("ADDED", pod()), "Deployment.apps", "apps/v1", "owner")
    assert isinstance(change, Change)
    assert change.body["metadata"]["managedFields"]


def test_a_deletion_keeps_no_body_and_a_foreign_label_is_no_owner() -> None:
    gone = read("DELETED", pod(labels={"owner": "not-a-uid"}))
    assert isinstance(gone, Change)
    assert (gone.gone, gone.owner, gone.body) == (True, None, {})


def test_a_bookmark_moves_the_position() -> None:
    assert read("BOOKMARK", {"metadata": {"resourceVersion": "9"}}) == Bookmark(9)


@pytest.mark.parametrize(
    ("said", "raised"),
    [
        (line("ERROR", {"code": 410, "message": "too old"}), WatchGone),
        (line("ERROR", {"reason": "Expired"}), WatchGone),
        (line("ERROR", {"code": 500, "message": "etcd"}), WatchRefused),
        (line("SURPRISE", pod()), Garbled),
        (line("ADDED", pod("abc")), Garbled),
        (line("ADDED", []), Garbled),
        (b"{", Garbled),
        (b"[]", Garbled),
    ],
)
def test_what_is_no_event_is_told_apart(said: bytes, raised: type[Exception]) -> None:
    with pytest.raises(raised):
        read_event(said, "Pod.", "v1", "owner")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.booleans()), max_size=30))
def test_of_several_changes_of_an_object_the_newest_counts(told: list[tuple[str, int, bool]]) -> None:
    changes = [Change("Pod.", "n", name, "u", None, revision, gone, {}) for name, revision, gone in told]
    kept = newest(changes)
    assert [change.key for change in kept] == sorted({change.key for change in changes})
    for change in kept:
        assert change.revision == max(other.revision for other in changes if other.key == change.key)


@given(st.integers(0, 100), st.floats(0, 1))
def test_pauses_grow_to_a_bound_and_a_good_position_is_kept(failures: int, chance: float) -> None:
    for error, step in ((WatchRefused(), "resume"), (OSError(), "resume"), (WatchGone(), "list"), (Garbled(), "list")):
        after = after_end(failures, error, chance)
        assert after.step == step
        assert 0 <= after.pause <= LONGEST_PAUSE_SECONDS
        assert after.failures == failures + 1
    assert after_end(failures, None, chance).pause == 0
    assert after_end(0, WatchGone(), chance).pause == 0, "a forgotten position is no fault: list at once"
    assert after_end(5, WatchGone(), chance).pause > 0, "but not in a circle"


HEADS = st.dictionaries(
    st.tuples(st.just("ns"), st.sampled_from("abcd")), st.tuples(st.just("uid"), st.integers(1, 9)), max_size=4
)


@given(HEADS, HEADS, st.integers(9, 12))
def test_a_cache_is_behind_a_list_where_it_knows_an_older_version_or_something_that_is_gone(
    listed: dict[tuple[str, str], tuple[str, int]], kept: dict[tuple[str, str], tuple[str, int]], revision: int
) -> None:
    found = behind(listed, revision, kept)
    assert behind(listed, revision, listed) == set(), "who knows the list is not behind it"
    for key in listed.keys() | kept.keys():
        version, known = listed.get(key), kept.get(key)
        assert (key in found) == (version is None or known is None or known[1] < version[1])


def test_what_came_after_the_list_is_not_behind_it() -> None:
    assert behind({}, 10, {("ns", "new"): ("uid", 11)}) == set()
    assert behind({("ns", "a"): ("uid", 5)}, 10, {("ns", "a"): ("uid", 11)}) == set()
