"""A proxy between Lamplight and an API server, at whose edge things go wrong: what it passes on is the real thing."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

from apps.embedded.client import Access


@dataclass
class KubeProxy:
    """Knobs are plain attributes, read for each request and each watch event.

    `down`: connections are reset. `stalled`: requests wait for ever. `lose`: watch lines that are not passed on.
    `answered`: how many of the calls have ended. `denied`: (verb, resource) that an access review is answered no to.
    `twice`: watch lines are repeated. `gone`: the next watches are told 410. `calls`: (method, path, query).
    """

    access: Access
    kubeconfig: Path
    port: int = 0
    down: bool = False
    stalled: bool = False
    twice: bool = False
    gone: int = 0
    lose: Callable[[dict[str, Any]], bool] = lambda event: False
    denied: set[tuple[str, str]] = field(default_factory=set)
    calls: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    answered: int = 0
    _waiting: set[asyncio.Transport] = field(default_factory=set)
    _streams: set[asyncio.Transport] = field(default_factory=set)
    _loop: asyncio.AbstractEventLoop | None = None

    def watches(self) -> list[tuple[str, dict[str, str]]]:
        return [(path, query) for method, path, query in self.calls if query.get("watch") == "true"]

    def lists(self) -> list[str]:
        return [
            path
            for method, path, query in self.calls
            if method == "GET" and "labelSelector" in query and query.get("watch") != "true"
        ]

    def cut(self) -> None:
        """Reset every open watch."""

        def abort() -> None:
            for transport in list(self._streams):
                transport.abort()

        assert self._loop
        self._loop.call_soon_threadsafe(abort)

    def cut_all(self) -> None:
        """Reset every connection that waits for an answer."""

        def abort() -> None:
            for transport in list(self._waiting):
                transport.abort()

        assert self._loop
        self._loop.call_soon_threadsafe(abort)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        query = dict(request.query)
        self.calls.append((request.method, request.path, query))
        if self.stalled:
            assert isinstance(request.transport, asyncio.Transport)
            self._waiting.add(request.transport)
            await asyncio.sleep(3600)
        if self.down:
            assert request.transport
            request.transport.abort()
            return web.Response()
        watching = query.get("watch") == "true"
        if watching and self.gone > 0:
            self.gone -= 1
            status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            return web.Response(text=json.dumps({"type": "ERROR", "object": status}) + "\n")
        headers = {k: v for k, v in request.headers.items() if k.lower() in ("accept", "content-type", "authorization")}
        body = await request.read()
        if request.path.endswith("/selfsubjectaccessreviews"):
            asked = json.loads(body)["spec"]["resourceAttributes"]
            if (self.denied and asked["verb"] == "*") or (asked["verb"], asked["resource"]) in self.denied:
                return web.json_response({**json.loads(body), "status": {"allowed": False}}, status=201)
        url = self.access.server + request.raw_path
        async with self._session.request(request.method, url, headers=headers, data=body) as upstream:
            if not watching:
                kept = {"Content-Type": upstream.headers.get("Content-Type", "application/json")}
                return web.Response(status=upstream.status, body=await upstream.read(), headers=kept)
            return await self._pass_on(request, upstream)

    async def _pass_on(self, request: web.BaseRequest, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
        answer = web.StreamResponse(status=upstream.status, headers={"Content-Type": "application/json"})
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        transport = request.transport
        assert isinstance(transport, asyncio.Transport)
        self._streams.add(transport)
        try:
            async for line in upstream.content:
                if self.lose(json.loads(line)):
                    continue
                for _ in range(2 if self.twice else 1):
                    await answer.write(line)
            await answer.write_eof()
        except (aiohttp.ClientError, ConnectionError):
            transport.abort()
        finally:
            self._streams.discard(transport)
        return answer

    async def _serve(self, started: threading.Event, stop: asyncio.Event) -> None:
        tls = ssl.create_default_context(cadata=self.access.ca_pem)
        timeout = aiohttp.ClientTimeout(total=None)
        connector = aiohttp.TCPConnector(ssl=tls, limit=0)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=2**22) as self._session:
            runner = web.ServerRunner(web.Server(self._guarded, handler_cancellation=True), shutdown_timeout=0.2)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            assert site._server is not None
            self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
            self._loop = asyncio.get_running_loop()
            started.set()
            await stop.wait()
            await runner.cleanup()

    async def _guarded(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            answer = await self.handle(request)
            self.answered += 1
            return answer
        except (aiohttp.ClientError, OSError):
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=502)


@contextmanager
def run_proxy(kubeconfig: Path, directory: Path) -> Iterator[KubeProxy]:
    """A proxy in front of the API server of `kubeconfig`; `proxy.kubeconfig` leads through it."""
    proxy = KubeProxy(Access.from_kubeconfig(kubeconfig), directory / "proxied")
    started, stop = threading.Event(), asyncio.Event()
    thread = threading.Thread(target=lambda: asyncio.run(proxy._serve(started, stop)), daemon=True)
    thread.start()
    assert started.wait(60)
    config = yaml.safe_load(kubeconfig.read_text())
    for cluster in config["clusters"]:
        cluster["cluster"] = {"server": f"http://127.0.0.1:{proxy.port}"}
    proxy.kubeconfig.write_text(yaml.safe_dump(config))
    try:
        yield proxy
    finally:
        assert proxy._loop
        proxy._loop.call_soon_threadsafe(stop.set)
        thread.join(10)
