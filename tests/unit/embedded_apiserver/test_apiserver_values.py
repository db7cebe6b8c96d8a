"""Numbers and booleans of custom resources, and what a changed definition does to the objects of its kind.

What is expected here was observed on kube-apiserver 1.36.2.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from apps.embedded.apiserver.domain.schema import ANY, Schema
from apps.embedded.apiserver.domain.ssa import typed
from tests.conformance.apiserver import TOKENS, Running, running_server

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PROBES = "/apis/values.example/v1/namespaces/default/probes"
FREE = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
HEADERS = {"Authorization": f"Bearer {TOKENS['admin']}"}
Object = dict[str, Any]


def definition(**properties: Object) -> Object:
    spec = {"type": "object", "properties": properties}
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    return {
        "metadata": {"name": "probes.values.example"},
        "spec": {
            "group": "values.example",
            "names": {"kind": "Probe", "plural": "probes"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


def probe(spec: Object, **metadata: str) -> Object:
    head = {"name": "x", **metadata}
    return {"apiVersion": "values.example/v1", "kind": "Probe", "metadata": head, "spec": spec}


class Client:
    def __init__(self, api: Running) -> None:
        self.api = api

    async def send(self, method: str, path: str, body: Object | None = None, kind: str = "", **query: str) -> Object:
        headers = {**HEADERS, "Content-Type": kind or "application/json"}
        data = None if body is None else orjson.dumps(body)
        url = self.api.url + path
        async with self.api.session.request(method, url, data=data, params=query, headers=headers) as response:
            found: Object = orjson.loads(await response.read())
            return found

    async def apply(self, spec: Object, manager: str, **query: str) -> Object:
        query["fieldManager"] = manager
        return await self.send("PATCH", f"{PROBES}/x", probe(spec), "application/apply-patch+yaml", **query)

    async def put(self, spec: Object, manager: str) -> Object:
        version = (await self.send("GET", f"{PROBES}/x"))["metadata"]["resourceVersion"]
        return await self.send("PUT", f"{PROBES}/x", probe(spec, resourceVersion=version), fieldManager=manager)


@pytest_asyncio.fixture
async def client() -> AsyncIterator[Client]:
    async with running_server() as running:
        found = Client(running)
        shapes = {"free": FREE, "num": {"type": "number"}, "list": {"type": "array", "items": FREE}}
        await found.send("POST", DEFINITIONS, definition(**shapes))
        yield found


def owners(obj: Object) -> dict[str, Object]:
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"]["managedFields"]}


@pytest.mark.parametrize(
    ("one", "true", "float_one"),
    [
        ({"free": {"x": 1}}, {"free": {"x": True}}, {"free": {"x": 1.0}}),
        ({"free": {"x": 0}}, {"free": {"x": False}}, {"free": {"x": -0.0}}),
        ({"list": [{"x": [1]}]}, {"list": [{"x": [True]}]}, {"list": [{"x": [1.0]}]}),
    ],
)
async def test_a_boolean_is_no_number_but_one_is_one_however_written(
    client: Client, one: Object, true: Object, float_one: Object
) -> None:
    first = await client.apply(one, "first")
    shared = await client.apply(float_one, "second")
    assert orjson.dumps(shared["spec"]) == orjson.dumps(first["spec"])
    assert sorted(owners(shared)) == ["first", "second"]
    assert (await client.apply(float_one, "first"))["metadata"] == shared["metadata"]
    refused = await client.apply(true, "second")
    assert (refused["reason"], refused["code"]) == ("Conflict", 409)
    forced = await client.apply(true, "second", force="true")
    assert orjson.dumps(forced["spec"]) == orjson.dumps(true)
    assert forced["metadata"]["generation"] == 2
    assert list(owners(forced)) == ["second"]


async def test_an_update_from_one_to_true_is_a_change_of_whoever_made_it(client: Client) -> None:
    await client.send("POST", PROBES, probe({"free": {"x": 1, "l": [1]}}), fieldManager="first")
    changed = await client.put({"free": {"x": True, "l": [1]}}, "second")
    assert changed["metadata"]["generation"] == 2
    assert orjson.dumps((await client.send("GET", f"{PROBES}/x"))["spec"]["free"]["x"]) == b"true"
    assert owners(changed)["second"] == {"f:spec": {"f:free": {"f:x": {}}}}
    changed = await client.put({"free": {"x": True, "l": [True]}}, "third")
    assert owners(changed)["third"] == {"f:spec": {"f:free": {"f:l": {}}}}


async def test_whole_numbers_are_kept_without_a_point(client: Client) -> None:
    made = await client.send("POST", PROBES, probe({"num": 2.0, "free": {"x": [1.5, 3.0, 1e21]}}))
    assert orjson.dumps(made["spec"]) == orjson.dumps({"num": 2, "free": {"x": [1.5, 3, 1e21]}})
    again = await client.put({"num": 2.0, "free": {"x": [1.5, 3, 1e21]}}, "other")
    assert orjson.dumps(again["spec"]) == orjson.dumps(made["spec"])
    assert list(owners(again)) == list(owners(made)), "nothing changed hands"
    assert again["metadata"]["generation"] == 2, "the real server compares before it writes numbers down"


async def test_a_changed_definition_shows_at_once_in_what_is_read(client: Client) -> None:
    await client.send("POST", PROBES, probe({"num": 1, "free": {"x": 1}}))
    before = await client.send("POST", PROBES, probe({"num": 1}, name="y"))
    position = before["metadata"]["resourceVersion"]
    assert [event["object"]["spec"] for event in await told(client, "0", 2)] == [
        {"num": 1, "free": {"x": 1}},
        {"num": 1},
    ]
    open_watch = asyncio.create_task(told(client, position, 1))
    while not client.api.server._watching:
        await asyncio.sleep(0)
    changed = definition(num={"type": "number"}, new={"type": "integer", "default": 7})
    stored = await client.send("GET", f"{DEFINITIONS}/probes.values.example")
    changed["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"]
    await client.send("PUT", f"{DEFINITIONS}/probes.values.example", changed)
    assert await open_watch == [], "it ends, and its reader begins anew"
    found = await client.send("GET", f"{PROBES}/y")
    assert found["spec"] == {"num": 1, "new": 7}
    assert found["metadata"]["resourceVersion"] == position
    assert [obj["spec"] for obj in (await client.send("GET", PROBES))["items"]] == [{"num": 1, "new": 7}] * 2
    assert [event["object"]["spec"] for event in await told(client, "0", 2)] == [{"num": 1, "new": 7}] * 2
    (gone,) = await told(client, position, 1)
    assert (gone["type"], gone["object"]["code"]) == ("ERROR", 410)


async def told(client: Client, position: str, number: int) -> list[Object]:
    """The first events of a watch from a position; fewer when it ends before."""
    events: list[Object] = []
    query = {"watch": "1", "timeoutSeconds": "20", "resourceVersion": position}
    async with client.api.session.get(client.api.url + PROBES, params=query, headers=HEADERS) as response:
        async for line in response.content:
            events.append(orjson.loads(line))
            if len(events) == number:
                break
    return events


def test_equal_parts_of_known_types_are_not_walked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """A type without free parts has no place where 1 could be true."""
    typed_part = Schema("map", element=Schema("scalar", scalar="int32"))
    walked: list[Any] = []
    plain = typed.same
    monkeypatch.setattr(typed, "same", lambda a, b: walked.append(a) or plain(a, b))
    old, new = {"a": {"x": 1}, "b": {"x": 1}}, {"a": {"x": 1}, "b": {"x": True}}
    schema = Schema("struct", resolve_fields=lambda: {"a": typed_part, "b": ANY})
    assert typed.compare(old, new, schema).modified == {("f:b", "f:x")}
    assert {"x": 1} in walked
    walked.clear()
    assert typed.compare({"a": {"x": 1}}, {"a": {"x": 1}}, Schema("map", element=typed_part)).same
    assert walked == []
