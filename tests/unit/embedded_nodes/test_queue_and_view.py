"""The work queue and the view with own writes."""

from __future__ import annotations

import asyncio

import pytest

from apps.embedded.controllers.domain.ownership import Delete, DropReferences, Keep, blocking, decide
from apps.embedded.controllers.queue import WorkQueue
from apps.embedded.view import View


async def test_a_key_is_handled_once_at_a_time_and_again_when_it_changed_meanwhile() -> None:
    queue = WorkQueue()
    queue.add("a")
    queue.add("a")
    assert await queue.take() == "a"
    queue.add("a")
    queue.add("b")
    assert await queue.take() == "b"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.take(), 0.02)
    queue.done("a")
    assert await asyncio.wait_for(queue.take(), 1) == "a"


async def test_failures_back_off_and_success_forgets_them() -> None:
    queue = WorkQueue()
    delays = [queue.add_failed("a") for _ in range(3)]
    assert delays == sorted(delays)
    assert delays[0] < delays[2]
    queue.forget("a")
    assert queue.add_failed("a") == delays[0]
    assert await asyncio.wait_for(queue.take(), 1) == "a"
    queue.close()


def _pod(version: int, name: str = "p", uid: str = "u", **metadata: object) -> dict:
    return {"metadata": {"name": name, "namespace": "ns", "uid": uid, "resourceVersion": str(version), **metadata}}


def _deliver(view: View, kind: str, obj: dict) -> None:
    view.informer._apply(kind, ("ns", obj["metadata"]["name"]), obj)  # type: ignore[arg-type]


async def test_own_writes_are_seen_before_the_watch_brings_them() -> None:
    view = View(None, "", "v1", "pods")  # type: ignore[arg-type]
    view.put(_pod(5))
    assert [obj["metadata"]["resourceVersion"] for obj in view.all("ns")] == ["5"]
    _deliver(view, "ADDED", _pod(3))
    assert view.get("ns", "p") == _pod(5)
    _deliver(view, "MODIFIED", _pod(6))
    assert view.get("ns", "p") == _pod(6)


async def test_a_deletion_ends_an_own_write() -> None:
    view = View(None, "", "v1", "pods")  # type: ignore[arg-type]
    _deliver(view, "ADDED", _pod(3))
    view.put(_pod(5, deletionTimestamp="now"))
    assert view.get("ns", "p") == _pod(5, deletionTimestamp="now")
    _deliver(view, "DELETED", _pod(7))
    assert view.all() == []
    # the answer to our own DELETE may come after the watch has told the end
    view.put(_pod(6, deletionTimestamp="now"))
    assert view.all() == []


def _child(*owners: str, blocks: bool = True, finalizers: list[str] | None = None) -> dict:
    references = [{"uid": owner, "blockOwnerDeletion": blocks} for owner in owners]
    return {"metadata": {"uid": "c", "ownerReferences": references, "finalizers": finalizers or []}}


def test_garbage_decisions() -> None:
    assert decide(_child(), {}, []) == Keep()
    assert decide(_child("a", "b"), {"a": "solid", "b": "gone"}, []) == DropReferences(frozenset({"b"}))
    assert decide(_child("a"), {"a": "solid"}, []) == Keep()
    assert decide(_child("a", "b"), {"a": "gone", "b": "gone"}, []) == Delete("Background")
    assert decide(_child("a", finalizers=["orphan"]), {"a": "gone"}, []) == Delete("Orphan")
    assert decide(_child("a"), {"a": "waiting"}, []) == Delete("Background")
    assert decide(_child("a"), {"a": "waiting"}, [_child("c")]) == Delete("Foreground")
    looping = _child("c", finalizers=["foregroundDeletion"])
    looping["metadata"]["deletionTimestamp"] = "now"
    assert decide(_child("a"), {"a": "waiting"}, [looping]) == Delete("Foreground", unblock=True)
    leaving = _child("a")
    leaving["metadata"]["deletionTimestamp"] = "now"
    assert decide(leaving, {"a": "gone"}, []) == Keep()


def test_only_blocking_dependents_hold_a_foreground_deletion() -> None:
    free = _child("a", blocks=False)
    held = _child("a")
    assert blocking("a", [free, held]) == [held]
