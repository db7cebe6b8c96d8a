"""A watch whose reader is slow: nothing that is written meanwhile hides behind a bookmark."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from apps.embedded.apiserver import watches
from apps.embedded.apiserver.call import Call, User
from apps.embedded.apiserver.domain.request import parse_resource_path
from apps.embedded.apiserver.registry import Registry
from apps.embedded.apiserver.store import Store


def _watch(store: Store, **query: str) -> AsyncGenerator[list[watches.Event], None]:
    path = parse_resource_path("/api/v1/namespaces/ns/configmaps")
    resource = Registry().find("", "v1", "configmaps")
    assert path is not None
    assert resource is not None
    asked = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": "300", **query}
    call = Call("GET", path, resource, asked, (), "", b"", User("a"), "test", "2026-01-01T00:00:00Z")
    return watches.watch(store, call)


def _put(store: Store, plural: str, name: str) -> None:
    store.put(f"/{plural}", "ns", name, {"metadata": {"name": name, "namespace": "ns"}})


async def _next(events: AsyncGenerator[list[watches.Event], None]) -> tuple[str, str]:
    async with asyncio.timeout(10):
        ((kind, obj),) = await anext(events)
    return kind, obj["metadata"].get("name", "")


@pytest.fixture(autouse=True)
def _bookmarks_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "BOOKMARK_EVERY_S", 0.0)


async def _started(store: Store) -> tuple[AsyncGenerator[list[watches.Event], None], asyncio.Task[tuple[str, str]]]:
    """A watch that waits for what comes next, and its first event."""
    _put(store, "configmaps", "first")
    events = _watch(store, resourceVersion=str(store.revision))
    pending = asyncio.create_task(_next(events))
    async with asyncio.timeout(10):
        while not store._subscriptions:
            await asyncio.sleep(0)
    return events, pending


async def test_what_is_written_while_a_bookmark_is_sent_comes_after_it() -> None:
    store = Store(None)
    events, pending = await _started(store)
    _put(store, "secrets", "moves-the-revision")
    assert await pending == ("BOOKMARK", "")
    _put(store, "configmaps", "second")  # the reader has not come back yet
    assert await _next(events) == ("ADDED", "second")
    await events.aclose()


async def test_what_is_written_while_an_event_is_sent_is_not_skipped_by_a_bookmark() -> None:
    store = Store(None)
    events, pending = await _started(store)
    _put(store, "configmaps", "second")
    assert await pending == ("ADDED", "second")
    _put(store, "configmaps", "third")  # the reader has not come back yet, and a bookmark is due
    assert await _next(events) == ("ADDED", "third")
    await events.aclose()
