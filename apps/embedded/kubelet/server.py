"""The kubelet's HTTP server: container logs for the API server, health."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from aiohttp import web

from apps.embedded.domain.objects import parse_time
from apps.embedded.kubelet.container import Container
from apps.embedded.kubelet.logs import LogQuery, follow_log, log_path, read_log
from apps.embedded.kubelet.settings import Settings

log = logging.getLogger(__name__)


class PodView(Protocol):
    """What the server needs of a pod's worker."""

    containers: list[Container]
    init_containers: list[Container]

    @property
    def uid(self) -> str: ...


def _flag(request: web.Request, name: str) -> bool:
    return request.query.get(name, "").lower() in ("true", "1")


def _number(request: web.Request, name: str) -> int | None:
    text = request.query.get(name)
    if not text:
        return None
    if not text.isdigit():
        raise web.HTTPBadRequest(text=f"{name}={text} is not a number; leave it out or give one, 0 or more")
    return int(text)


def _query(request: web.Request) -> LogQuery:
    since: datetime | None = None
    seconds = _number(request, "sinceSeconds")
    if seconds is not None:
        since = datetime.now(UTC) - timedelta(seconds=seconds)
    elif request.query.get("sinceTime"):
        try:
            since = parse_time(request.query["sinceTime"])
        except ValueError as error:
            raise web.HTTPBadRequest(text="sinceTime is not an RFC 3339 time") from error
    return LogQuery(
        tail=_number(request, "tailLines"),
        since=since,
        timestamps=_flag(request, "timestamps"),
        limit=_number(request, "limitBytes"),
    )


class KubeletServer:
    """One application, bound to the address of every node that the kubelet plays."""

    def __init__(self, settings: Settings, find_pod: Callable[[str, str], PodView | None]) -> None:
        self._settings = settings
        self._find_pod = find_pod
        app = web.Application()
        app.add_routes(
            [
                web.get("/containerLogs/{namespace}/{pod}/{container}", self._logs),
                web.get("/healthz", self._health),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)

    async def start(self) -> None:
        await self._runner.setup()

    async def listen(self, address: str) -> int:
        """Listen on a free port of ``address``; returns the port."""
        site = web.TCPSite(self._runner, address, 0)
        await site.start()
        server = site._server
        assert isinstance(server, asyncio.Server)
        return int(server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        namespace, name = request.match_info["namespace"], request.match_info["pod"]
        pod = self._find_pod(namespace, name)
        if pod is None:
            raise web.HTTPNotFound(text=f'pods "{name}" not found')
        wanted = request.match_info["container"]
        everyone = [*pod.containers, *pod.init_containers]
        container = next((entry for entry in everyone if entry.name == wanted), None)
        if container is None:
            names = ", ".join(entry.name for entry in everyone)
            raise web.HTTPNotFound(text=f'container "{wanted}" is not in pod "{name}"; it has {names}')
        query, directory = _query(request), self._settings.log_directory(pod.uid, wanted)
        run = container.state.restart_count
        if _flag(request, "previous"):
            run -= 1
            if run < 0 or not log_path(directory, run).exists():
                raise web.HTTPBadRequest(text=f'previous terminated container "{wanted}" in pod "{name}" not found')
            return web.Response(body=read_log(directory, run, query), content_type="text/plain")
        if not log_path(directory, run).exists():
            if run > 0 and log_path(directory, run - 1).exists():
                run -= 1  # waiting to be started again: the log of the run that failed is what people look for
            else:
                raise web.HTTPBadRequest(
                    text=f'container "{wanted}" in pod "{name}" is waiting to start: {container.state.waiting_reason}'
                )
        if not _flag(request, "follow"):
            return web.Response(body=read_log(directory, run, query), content_type="text/plain")
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        writer = container.log_writer if run == container.state.restart_count else None
        async for chunk in follow_log(directory, run, query, writer):
            if chunk:
                await response.write(chunk)
        return response
