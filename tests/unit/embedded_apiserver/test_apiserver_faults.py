"""Scripted faults of the API server, seen over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from apps.embedded.apiserver.domain.faults import Faults, read_script
from tests.conformance.apiserver import TOKENS, Running, running_server

MAPS = "/api/v1/namespaces/default/configmaps"
ADMIN = {"Authorization": f"Bearer {TOKENS['admin']}"}


@pytest_asyncio.fixture
async def api() -> AsyncIterator[Running]:
    async with running_server() as running:
        running.server.faults = Faults()
        yield running


async def script(api: Running, *rules: dict[str, Any]) -> None:
    async with api.session.put(api.url + "/debug/faults", json=list(rules), headers=ADMIN) as response:
        assert response.status == 200, await response.text()


async def struck(api: Running) -> list[int]:
    async with api.session.get(api.url + "/debug/faults", headers=ADMIN) as response:
        return [rule["struck"] for rule in await response.json()]


async def create(api: Running, name: str) -> aiohttp.ClientResponse:
    body = {"metadata": {"name": name}}
    async with api.session.post(api.url + MAPS, json=body, headers=ADMIN) as response:
        await response.read()
        return response


async def exists(api: Running, name: str) -> bool:
    async with api.session.get(f"{api.url}{MAPS}/{name}", headers=ADMIN) as response:
        return response.status == 200


@pytest.mark.parametrize(
    ("fault", "status", "reason"),
    [
        ("conflict", 409, "Conflict"), ("already-exists", 409, "AlreadyExists"), ("apply-conflict", 409, "Conflict"),
        ("gone", 410, "Expired"), ("throttled", 429, "TooManyRequests"), ("internal", 500, "InternalError"),
        ("unavailable", 503, "ServiceUnavailable"), ("forbidden", 403, "Forbidden"), ("admission", 400, "BadRequest"),
        ("terminating", 403, "Forbidden"),
    ],
)  # fmt: skip
async def test_a_refusal_is_answered_and_nothing_is_written(api: Running, fault: str, status: int, reason: str) -> None:
    await script(api, {"fault": fault, "verbs": ["create"], "seconds": 3})
    response = await create(api, "a")
    assert (response.status, (await response.json())["reason"]) == (status, reason)
    assert (response.headers.get("Retry-After") == "3") is (fault == "throttled")
    assert not await exists(api, "a")
    assert (await create(api, "a")).status == 201, "it strikes once"


async def test_the_second_of_several_is_struck(api: Running) -> None:
    await script(api, {"fault": "admission", "resources": ["configmaps"], "verbs": ["create"], "skip": 1})
    assert [(await create(api, name)).status for name in ("a", "b", "c")] == [201, 400, 201]
    await script(api, {"fault": "conflict", "name": "e", "times": 0})
    assert [(await create(api, name)).status for name in ("d", "e", "e")] == [201, 409, 409]
    assert await struck(api) == [2]


@pytest.mark.parametrize(("fault", "written"), [("reset", False), ("lost-answer", True)])
async def test_a_cut_connection_before_and_after_the_write(api: Running, fault: str, written: bool) -> None:
    await script(api, {"fault": fault, "verbs": ["create"]})
    with pytest.raises(aiohttp.ClientError):
        await create(api, "a")
    assert await exists(api, "a") is written


async def test_a_stall_delays_and_a_kind_can_be_absent(api: Running) -> None:
    await script(api, {"fault": "stall", "seconds": 0.3}, {"fault": "not-served"})
    loop = asyncio.get_running_loop()
    begun = loop.time()
    assert (await create(api, "a")).status == 201
    assert loop.time() - begun >= 0.3
    response = await create(api, "b")
    assert (response.status, await response.text()) == (404, "404 page not found\n")


async def test_stalls_of_a_few_slots_take_turns_as_at_a_server_that_can_do_no_more(api: Running) -> None:
    await script(api, {"fault": "stall", "seconds": 0.1, "slots": 2, "times": 0})
    loop = asyncio.get_running_loop()
    begun = loop.time()
    answers = await asyncio.gather(*(create(api, name) for name in "abcdef"))
    assert [answer.status for answer in answers] == [201] * 6
    assert loop.time() - begun >= 0.3


@pytest.mark.parametrize(
    ("fault", "count", "seen"),
    [
        ("drop-events", 1, ["b", "c"]), ("duplicate-events", 1, ["a", "a", "b", "c"]), ("break-watch", 2, ["a", "b"]),
        ("expire-watch", 1, ["a", 410]), ("expire-watch", 0, [410]),
    ],
)  # fmt: skip
async def test_a_watch_loses_repeats_or_ends(api: Running, fault: str, count: int, seen: list[Any]) -> None:
    await script(api, {"fault": fault, "verbs": ["watch"], "count": count})
    for name in "abc":
        await create(api, name)
    query = {"watch": "1", "timeoutSeconds": "1"}
    found: list[Any] = []
    async with aclosing(_events(api, query)) as events:
        async for event in events:
            found.append(event.get("code") or event["metadata"]["name"])
    assert [each for each in found if each != "kube-root-ca.crt"] == seen


async def _events(api: Running, query: dict[str, str]) -> AsyncIterator[dict[str, Any]]:
    import json

    async with api.session.get(api.url + MAPS, params=query, headers=ADMIN) as response:
        async for line in response.content:
            yield json.loads(line)["object"]


async def test_only_the_admin_of_a_server_with_faults_may_script(api: Running) -> None:
    alice = {"Authorization": f"Bearer {TOKENS['alice']}"}
    async with api.session.put(api.url + "/debug/faults", json=[], headers=alice) as response:
        assert response.status in (403, 405)
    api.server.faults = None
    async with api.session.get(api.url + "/debug/faults", headers=ADMIN) as response:
        assert response.status == 404


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({}, "a fault script is a list of rules"),
        ([{"fault": "flood"}], "rule 0: unknown fault 'flood'"),
        ([{"fault": "reset"}, {"fault": "reset", "verb": "get"}], "rule 1: unknown key 'verb'"),
        (["reset"], "rule 0: write an object"),
    ],
)
def test_bad_scripts_are_refused(document: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        read_script(document)
