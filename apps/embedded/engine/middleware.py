"""ASGI middlewares (`vllm serve --middleware PATH`) in front of the simulated engine.

Each is asked with the request's path and headers. One that passes the request on lets it through; one that answers has
answered. What a middleware does to bodies and answers on their way is not simulated.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_PASSED = "simulator.passed"


def gates(paths: Sequence[str]) -> list[Any]:
    """aiohttp middlewares, outermost first. Raises ImportError, AttributeError, TypeError: vLLM would not start."""
    return [_gate(path) for path in reversed(paths)]


def _gate(path: str) -> Any:
    module, _, name = path.rpartition(".")
    found: Any = getattr(importlib.import_module(module), name)
    if not inspect.isclass(found):
        raise TypeError(f"--middleware={path}: only classes are simulated")

    async def inside(scope: dict[str, Any], receive: Any, send: Any) -> None:
        scope[_PASSED] = True

    made: Callable[..., Any] = found
    middleware = made(inside)

    @web.middleware
    async def gate(request: web.Request, handler: Handler) -> web.StreamResponse:
        scope: dict[str, Any] = {
            "type": "http",
            "method": request.method,
            "path": request.path,
            "query_string": request.query_string.encode(),
            "headers": [(name.lower(), value) for name, value in request.raw_headers],
        }
        sent: list[dict[str, Any]] = []

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await middleware(scope, _nothing, send)
        return await handler(request) if scope.get(_PASSED) else _answer(sent)

    return gate


async def _nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def _answer(sent: Sequence[dict[str, Any]]) -> web.Response:
    start = next(message for message in sent if message["type"] == "http.response.start")
    body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    headers = {name.decode(): value.decode() for name, value in start.get("headers", ()) if name != b"content-length"}
    return web.Response(status=start["status"], body=body, headers=headers)
