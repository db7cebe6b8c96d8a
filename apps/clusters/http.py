"""Requests to one API server over HTTP/1.1 on connections that are kept: for a worker, which sends hundreds a second.

General clients run several hundred Python calls a request, which took a worker a seventh of its time. Here the parser
is a library's (`httptools`, which uvicorn reads requests with), TLS is Python's, and a request is one write.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol, TypeAlias
from urllib.parse import urlsplit

import httptools

__all__ = ["Answer", "Connections", "Request", "Sends", "ThroughProxy", "tls_of"]

CHUNK_BYTES = 256 * 1024
# a server that sends a little now and then may take so many times the patience for its whole answer
WHOLE = 4


class Request(NamedTuple):
    """`connect`: seconds to wait for a connection; `patience`: for each part of the answer.

    In all the answer may take a few times as long.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None
    connect: float
    patience: float


# status, headers (names in lower case) and body
Answer: TypeAlias = tuple[int, Mapping[str, str], bytes]


class Sends(Protocol):
    def send(self, request: Request) -> Answer:
        """Raises OSError, ValueError (no request at all)."""

    def close(self) -> None: ...


class _Reply:
    """An answer as it is being read."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.complete = self.begun = False
        self.kept = False  # whether another request may follow on its connection
        self._parts: list[bytes] = []
        self._parser = httptools.HttpResponseParser(self)

    @property
    def data(self) -> bytes:
        return b"".join(self._parts)

    def feed(self, data: bytes) -> None:
        """More of it; b"" is the end of the connection. Raises ConnectionError where it is no whole answer."""
        if not data:
            if not self.begun or "content-length" in self.headers or "transfer-encoding" in self.headers:
                raise ConnectionError("the connection was closed before its answer was complete")
            self.complete = True
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            raise ConnectionError(f"what it says is not HTTP: {error}") from error

    # called by the parser
    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self.begun = True
        self.kept = bool(self._parser.should_keep_alive())

    def on_body(self, data: bytes) -> None:
        self._parts.append(data)

    def on_message_complete(self) -> None:
        self.complete = self.status >= 200  # before it there may be others that only say that it comes


class Connections:
    """To one server; at most `size` are kept. Safe for use from several threads."""

    def __init__(self, server: str, *, tls: ssl.SSLContext | None, name: str | None = None, size: int) -> None:
        """`server`: scheme, host and port; `name`: what its certificate says, where that is not its host."""
        found = urlsplit(server)
        if not found.hostname:
            raise ValueError(f"there is no host in {server!r}")
        self._address = (found.hostname, found.port or (443 if tls else 80))
        self._tls, self._name = tls, name or found.hostname
        self._host = found.netloc.rpartition("@")[2]
        self._idle: deque[socket.socket] = deque(maxlen=size)

    def send(self, request: Request) -> Answer:
        method, target, headers, body, connect, patience = request
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self._host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        text = "\r\n".join(lines)
        if text.count("\n") != len(lines) - 1:
            raise ValueError("a header or an address holds a line break")
        words = b"".join((text.encode("latin-1"), b"\r\n\r\n", body or b""))
        used = self._taken()
        if used is not None:
            try:
                return self._ask(used, words, patience)
            except ConnectionError:
                # a server may let go of a connection at the moment that it is used again; only what changes nothing
                # may be asked twice
                if method != "GET":
                    raise
        return self._ask(self._made(connect), words, patience)

    def _ask(self, used: socket.socket, words: bytes, patience: float) -> Answer:
        reply = _Reply()
        until = time.monotonic() + WHOLE * patience
        try:
            used.settimeout(patience)
            used.sendall(words)
            while not reply.complete:
                left = until - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"its answer is not complete after {WHOLE * patience:g} s")
                used.settimeout(min(patience, left))
                reply.feed(used.recv(CHUNK_BYTES))
        except BaseException:
            used.close()
            raise
        if reply.kept:
            self._keep(used)
        else:
            used.close()
        return reply.status, reply.headers, reply.data

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _taken(self) -> socket.socket | None:
        """The connection that was used last; what says something without being asked, or is closed, is left out."""
        while True:
            try:
                used = self._idle.pop()
            except IndexError:
                return None
            waiting = select.poll()
            waiting.register(used, select.POLLIN)
            if not waiting.poll(0):
                return used
            used.close()

    def _keep(self, used: socket.socket) -> None:
        self._idle.append(used)  # where there are enough, the oldest is let go, which closes it

    def _made(self, connect: float) -> socket.socket:
        made: Any = socket.create_connection(self._address, timeout=connect)
        try:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._tls.wrap_socket(made, server_hostname=self._name) if self._tls is not None else made
        except BaseException:
            made.close()
            raise


class ThroughProxy:
    """The same through a proxy, by the Kubernetes client's own `urllib3`."""

    def __init__(self, manager: Any, server: str) -> None:
        """`manager`: a `ProxyManager`; `server`: scheme, host and port."""
        self._manager, self._server = manager, server

    def send(self, request: Request) -> Answer:
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        timeout = Timeout(connect=request.connect, read=request.patience)
        try:
            answer = self._manager.urlopen(
                request.method,
                self._server + request.target,
                body=request.body,
                headers=dict(request.headers),
                timeout=timeout,
                redirect=False,
            )
        except HTTPError as error:
            raise ConnectionError(str(error)) from error
        return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.data

    def close(self) -> None:
        self._manager.clear()


def tls_of(settings: Any) -> ssl.SSLContext:
    """As a configuration of the Kubernetes client has it. Raises OSError, ssl.SSLError."""
    context = ssl.create_default_context(cafile=settings.ssl_ca_cert or None)
    if not settings.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.assert_hostname is False:
        context.check_hostname = False
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    return context
