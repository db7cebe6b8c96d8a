"""How important a request is at a pool is a matter of its key: the headers that an endpoint's gateway sends on."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from apps.embedded.endpoint.domain.config import read_config
from apps.embedded.endpoint.keys import Keys
from apps.embedded.endpoint.server import EndpointServer

OBJECTIVE = "x-llm-d-inference-objective"
LIMITS = {"batch-job": {"band": "batch"}}


async def told(keys: Path | None, key: str) -> str | None:
    """The objective that a pool is told of a request whose client claims to be premium."""
    seen: list[str | None] = []

    async def pool(request: web.Request) -> web.Response:
        seen.append(request.headers.get(OBJECTIVE))
        return web.json_response({"usage": {"prompt_tokens": 1, "completion_tokens": 1}})

    behind = web.Application()
    behind.router.add_post("/v1/completions", pool)

    async def as_written(url: str) -> str:
        return url

    async with TestServer(behind) as upstream, aiohttp.ClientSession() as session:
        backend = {"pool": "blue", "url": str(upstream.make_url("")), "model": "llama"}
        config = read_config({"endpoint": "chat", "models": {"chat": {"backends": [backend]}}, "limits": LIMITS})
        server = EndpointServer(config, Keys(keys), session, as_written)
        async with TestServer(server.application()) as front:
            headers = {"Authorization": f"Bearer {key}", OBJECTIVE: "blue-premium"}
            body = {"model": "chat", "prompt": "a", "max_tokens": 1}
            async with session.post(front.make_url("/v1/completions"), json=body, headers=headers) as answer:
                assert answer.status == 200, await answer.text()
    return seen[0]


@pytest.mark.parametrize(("name", "objective"), [("batch-job", "blue-batch"), ("ada", None)])
def test_a_key_has_its_band_and_a_client_cannot_claim_another(tmp_path: Path, name: str, objective: str | None) -> None:
    (tmp_path / name).write_text(hashlib.sha256(b"secret").hexdigest())
    assert asyncio.run(told(tmp_path, "secret")) == objective


def test_where_there_are_no_keys_the_client_says(tmp_path: Path) -> None:
    assert asyncio.run(told(None, "")) == "blue-premium"
