"""The informer against the server inside the test process: it misses nothing, whatever happens to the connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from apps.embedded.client import Access, KubeClient, KubeError
from apps.embedded.informer import Change, Informer
from tests.conformance.apiserver import TOKENS, Running, running_server


@pytest.fixture
async def api() -> AsyncIterator[Running]:
    async with running_server() as running:
        yield running


@pytest.fixture
async def client(api: Running) -> AsyncIterator[KubeClient]:
    async with KubeClient(Access(api.url, TOKENS["admin"], None)) as client:
        yield client


async def until(condition: Callable[[], object], message: str) -> None:
    try:
        async with asyncio.timeout(5):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"never came true: {message}") from None


def config_map(name: str, **data: str) -> dict:
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


async def create(client: KubeClient, name: str, **data: str) -> dict:
    return await client.create("", "v1", "configmaps", config_map(name, **data))


async def test_changes_arrive_in_order_with_what_was_before(client: KubeClient) -> None:
    await create(client, "a", k="1")
    seen: list[Change] = []
    informer = Informer(client, "", "v1", "configmaps", namespace="default")
    informer.on_change(seen.append)
    await informer.start().wait_synced()
    await client.patch("", "v1", "configmaps", "a", {"data": {"k": "2"}}, namespace="default")
    await create(client, "b")
    await client.delete("", "v1", "configmaps", "a", namespace="default")
    await until(lambda: len(seen) == 4, "four changes")
    assert [(change.type, change.key[1]) for change in seen] == [
        ("ADDED", "a"),
        ("MODIFIED", "a"),
        ("ADDED", "b"),
        ("DELETED", "a"),
    ]
    assert seen[1].old is not None
    assert (seen[1].old["data"], seen[1].new["data"]) == ({"k": "1"}, {"k": "2"})
    assert set(informer.cache) == {("default", "b")}
    await informer.stop()


async def test_a_selector_narrows_the_copy(client: KubeClient) -> None:
    informer = await Informer(client, "", "v1", "configmaps", label_selector="app=x").start().wait_synced()
    body = config_map("in")
    body["metadata"]["labels"] = {"app": "x"}
    await create(client, "out")
    await client.create("", "v1", "configmaps", body)
    await until(lambda: informer.get("default", "in"), "the object with the label")
    await client.patch("", "v1", "configmaps", "in", {"metadata": {"labels": {"app": "y"}}}, namespace="default")
    await until(lambda: not informer.cache, "the object left the selection")
    await informer.stop()


async def test_a_forgotten_position_is_listed_again_and_lost_deletions_are_found(
    api: Running, client: KubeClient
) -> None:
    await create(client, "a")
    await create(client, "b")
    seen: list[Change] = []
    informer = await Informer(client, "", "v1", "configmaps", namespace="default").start().wait_synced()
    informer.on_change(seen.append)
    await api.server.stop()  # all watches end
    await client.delete("", "v1", "configmaps", "a", namespace="default")
    await create(client, "c")
    await api.compact()
    await until(lambda: set(informer.cache) == {("default", "b"), ("default", "c")}, "the copy is current again")
    assert ("DELETED", "a") in [(change.type, change.key[1]) for change in seen]
    await informer.stop()


async def test_a_failing_handler_does_not_stop_the_others(client: KubeClient) -> None:
    seen: list[Change] = []

    def broken(change: Change) -> None:
        raise RuntimeError("broken")

    informer = Informer(client, "", "v1", "configmaps", namespace="default")
    informer.on_change(broken)
    informer.on_change(seen.append)
    await informer.start().wait_synced()
    await create(client, "a")
    await until(lambda: seen, "the second handler is called")
    await informer.stop()


async def test_refusals_carry_status_and_reason(client: KubeClient) -> None:
    with pytest.raises(KubeError) as refused:
        await client.get("", "v1", "configmaps", "none", namespace="default")
    assert (refused.value.status, refused.value.reason) == (404, "NotFound")
    await create(client, "a")
    with pytest.raises(KubeError) as refused:
        await create(client, "a")
    assert (refused.value.status, refused.value.reason) == (409, "AlreadyExists")


async def test_lists_longer_than_a_page_come_whole(client: KubeClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.embedded.client.PAGE_SIZE", 2)
    for number in range(5):
        await create(client, f"m{number}")
    listed = await client.list("", "v1", "configmaps", namespace="default")
    assert [item["metadata"]["name"] for item in listed["items"]] == [f"m{number}" for number in range(5)]
    assert listed["items"][0]["kind"] == "ConfigMap"


async def test_an_apply_by_two_managers_conflicts_and_force_wins(client: KubeClient) -> None:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"k": "1"}}
    options = {"namespace": "default", "type": "apply"}
    await client.patch("", "v1", "configmaps", "a", body, field_manager="one", **options)
    other = {**body, "data": {"k": "2"}}
    with pytest.raises(KubeError, match=r'conflict with "one": .data.k'):
        await client.patch("", "v1", "configmaps", "a", other, field_manager="two", **options)
    applied = await client.patch("", "v1", "configmaps", "a", other, field_manager="two", force=True, **options)
    assert applied["data"] == {"k": "2"}
