"""Lists and watches over HTTP for one cluster, on the event loop: a deadline on every answer and every silence."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

import aiohttp
import orjson
from django.conf import settings

from apps.clusters.errors import Answer, Unreachable, error_of
from apps.clusters.http import tls_of
from apps.clusters.kube import CONNECT_SECONDS, MOST_PAGES, PAGE, READ_SECONDS, Kube, Resource

# a watch ends by itself after so long and is resumed; a server that stalls without a word is noticed then
WATCH_SECONDS = 120
SILENCE_SECONDS = WATCH_SECONDS + 15.0
HEADS = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
LONGEST_LINE = 8 * 1024 * 1024


class Stream:
    """Reads one API server with a cluster's credentials. Use as an async context manager; raises KubeError only."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Stream:
        tls = await asyncio.to_thread(_tls, self._kube)
        connector = aiohttp.TCPConnector(limit=0, ssl=tls, socket_factory=_alive_socket)
        self._session = aiohttp.ClientSession(connector=connector, read_bufsize=2**18)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session
        await self._session.close()

    async def list(
        self, resource: Resource, namespace: str, selector: str, *, heads: bool = False
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """All objects, page by page, and the list's metadata. `heads`: of each only its metadata."""
        accept = HEADS if heads else "application/json"
        query = {"labelSelector": selector, "limit": str(PAGE)}
        items: list[dict[str, Any]] = []
        for _ in range(MOST_PAGES):
            path = resource.path(namespace or None)
            async with self._get(path, query, aiohttp.ClientTimeout(total=2 * READ_SECONDS), accept) as answer:
                page = orjson.loads(await answer.read())
            items += page.get("items") or []
            metadata = page.get("metadata") or {}
            token = metadata.get("continue")
            if not token:
                return items, metadata
            query["continue"] = token
        raise Unreachable(f"{resource.key}: more than {PAGE * MOST_PAGES} objects carry our label")

    async def watch(self, resource: Resource, namespace: str, selector: str, revision: int) -> AsyncIterator[bytes]:
        """The lines of a watch from `revision` on; an empty one first, when the server has accepted it."""
        query = {
            "labelSelector": selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": str(revision),
            "timeoutSeconds": str(min(WATCH_SECONDS, max(1, round(settings.INFORMERS_RELIST_SECONDS)))),
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS)
        path = resource.path(namespace or None)
        async with self._get(path, query, timeout) as answer:
            yield b""
            rest = b""
            try:
                async for chunk in answer.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    if len(rest) > LONGEST_LINE:
                        raise Unreachable(f"a watch of {resource.key} sent a line of more than {LONGEST_LINE} bytes")
                    for line in lines:
                        if line.strip():
                            yield line
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise Unreachable(f"a watch of {resource.key} broke off: {_said(error)}") from error

    def _get(
        self, path: str, query: dict[str, str], timeout: aiohttp.ClientTimeout, accept: str = "application/json"
    ) -> _Get:
        assert self._session
        return _Get(self._session, self._kube, path, query, timeout, accept)


class _Get:
    """One GET whose answer is good, or a KubeError."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        kube: Kube,
        path: str,
        query: dict[str, str],
        timeout: aiohttp.ClientTimeout,
        accept: str,
    ) -> None:
        self._session, self._kube, self._path, self._query, self._timeout = session, kube, path, query, timeout
        self._accept = accept
        self._answer: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> aiohttp.ClientResponse:
        # a token may have to be read from a file or fetched by a plugin
        headers = await asyncio.to_thread(self._kube.headers)
        headers["Accept"] = self._accept
        url = f"{self._kube.server}{self._path}?{urlencode(self._query)}"
        try:
            async with asyncio.timeout(READ_SECONDS):
                self._answer = await self._session.get(
                    url, headers=headers, timeout=self._timeout, allow_redirects=False, proxy=self._kube.proxy
                )
            if self._answer.status < 400:
                return self._answer
            data = await self._answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"the API server {self._kube.server} does not answer: {_said(error)}") from error
        try:
            body = orjson.loads(data)
        except ValueError:
            body = {"message": data[:500].decode("utf-8", "replace")}
        after = self._answer.headers.get("Retry-After")
        status = self._answer.status
        self._answer.release()
        raise error_of(Answer(status, body, after, what=f"GET {self._path}"))

    async def __aexit__(self, *_: object) -> None:
        if self._answer is not None:
            self._answer.close()


def _tls(kube: Kube) -> ssl.SSLContext | bool:
    return tls_of(kube.configuration) if kube.server.startswith("https") else True


def _alive_socket(address: Any) -> socket.socket:
    """A socket that notices within half a minute that the other end is gone without a word."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made


def _said(error: BaseException) -> str:
    return (str(error) or type(error).__name__).replace("\n", " ")[:300]
