"""Health of all data-parallel ranks of a pod on a port of its own: vLLM with --data-parallel-multi-port-external-lb."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import web


@contextlib.asynccontextmanager
async def supervised(host: str, port: int | None, healthy: Callable[[], bool]) -> AsyncIterator[None]:
    """While inside, /health and /readyz of `port` answer 200, or 503 when not `healthy()`. Port None: nothing listens.
    Raises OSError when the port is taken."""
    if port is None:
        yield
        return

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=200 if healthy() else 503)

    application = web.Application()
    application.add_routes([web.get("/health", answer), web.get("/readyz", answer)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
