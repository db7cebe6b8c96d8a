"""What watches cost the API server: an event is encoded once for all of them, and many are told together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio
from aiohttp import web

from apps.embedded.apiserver import representation
from apps.embedded.apiserver.domain.ssa import managers
from tests.conformance.apiserver import TOKENS, Running, running_server

MAPS = "/api/v1/namespaces/default/configmaps"
ADMIN = {"Authorization": f"Bearer {TOKENS['admin']}"}
TABLE = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Running]:
    async with running_server() as running:
        yield running


async def create(api: Running, name: str, labels: dict[str, str] | None = None) -> None:
    body = {"metadata": {"name": name, "labels": labels or {}}}
    async with api.session.post(api.url + MAPS, json=body, headers=ADMIN) as response:
        assert response.status == 201


async def told(api: Running, last: str, headers: dict[str, str] | None = None, **query: str) -> list[bytes]:
    """The lines of a watch from now on, up to the one that tells of `last`."""
    query |= {"watch": "1", "timeoutSeconds": "20", "resourceVersion": str(api.server.store.revision)}
    lines = []
    async with api.session.get(api.url + MAPS, params=query, headers={**ADMIN, **(headers or {})}) as response:
        async for line in response.content:
            lines.append(line)
            if last.encode() in line:
                break
    return lines


async def watching(api: Running, number: int) -> None:
    while len(api.server._watching) < number:
        await asyncio.sleep(0)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the objects that were encoded for events, one for each time."""
    found: list[str] = []
    plain = representation._line

    def line(kind: str, shown: Any) -> bytes:
        found.append(str((shown.get("metadata") or {}).get("name", "table")))
        return plain(kind, shown)

    monkeypatch.setattr(representation, "_line", line)
    return found


async def test_what_several_watches_tell_of_one_write_is_encoded_once(api: Running, encoded: list[str]) -> None:
    watches = [asyncio.create_task(told(api, '"end"')) for _ in range(3)]
    selecting = asyncio.create_task(told(api, '"end"', labelSelector="of=ours"))
    tables = asyncio.create_task(told(api, '"end"', TABLE))
    await watching(api, 5)
    await create(api, "one", {"of": "ours"})
    await create(api, "end", {"of": "ours"})
    first, *others = [await task for task in (*watches, selecting)]
    assert [orjson.loads(line)["object"]["metadata"]["name"] for line in first] == ["one", "end"]
    assert others == [first, first, first]
    assert [orjson.loads(line)["object"]["kind"] for line in await tables] == ["Table", "Table"]
    assert sorted(encoded) == ["end", "one", "table", "table"]


async def test_an_object_that_leaves_a_selection_is_told_of_as_each_watch_sees_it(api: Running) -> None:
    await create(api, "moving", {"of": "ours"})
    whole = asyncio.create_task(told(api, '"end"'))
    selecting = asyncio.create_task(told(api, '"end"', labelSelector="of=ours"))
    await watching(api, 2)
    patch = orjson.dumps({"metadata": {"labels": {"of": "theirs"}}})
    headers = {**ADMIN, "Content-Type": "application/merge-patch+json"}
    async with api.session.patch(f"{api.url}{MAPS}/moving", data=patch, headers=headers) as response:
        assert response.status == 200
    await create(api, "end", {"of": "ours"})
    seen = [[orjson.loads(line) for line in await task] for task in (whole, selecting)]
    assert [(event["type"], event["object"]["metadata"]["labels"]["of"]) for event in seen[0]] == [
        ("MODIFIED", "theirs"),
        ("ADDED", "ours"),
    ]
    assert [(event["type"], event["object"]["metadata"]["labels"]["of"]) for event in seen[1]] == [
        ("DELETED", "ours"),
        ("ADDED", "ours"),
    ]


async def test_events_that_come_fast_are_told_together_each_once_and_in_order(
    api: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = 0
    plain = web.StreamResponse.write

    async def write(self: web.StreamResponse, data: bytes) -> None:
        nonlocal writes
        writes += 1
        await plain(self, data)

    monkeypatch.setattr(web.StreamResponse, "write", write)
    watch = asyncio.create_task(told(api, '"end"'))
    await watching(api, 1)
    store = api.server.store
    names = [f"map-{number:03}" for number in range(200)]
    for place, name in enumerate((*names, "end")):
        store.put("/configmaps", "default", name, {"metadata": {"name": name, "namespace": "default"}})
        if place % 10 == 0:
            await asyncio.sleep(0)
    objects = [orjson.loads(line)["object"] for line in await watch]
    assert [obj["metadata"]["name"] for obj in objects] == [*names, "end"]
    versions = [int(obj["metadata"]["resourceVersion"]) for obj in objects]
    assert versions == sorted(set(versions))
    assert writes < 10


def test_who_owns_what_is_read_and_written_alike_however_often_and_never_shared() -> None:
    entry = {
        "manager": "a",
        "operation": "Apply",
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {"f:b": {}, "f:c": {".": {}, "k:{\"name\":\"x\"}": {}}}},
    }  # fmt: skip
    first = managers.encode(managers.decode([entry]))
    assert first == [entry]
    first[0]["fieldsV1"]["f:data"].clear()
    assert managers.encode(managers.decode([entry])) == [entry]
