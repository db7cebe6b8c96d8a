"""The REST API from the command line. Standard library only: a command must start in a fraction of a second."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from typing import Any

from controlplane.cli import config
from controlplane.cli.failures import Problem, Stranger, Unreachable

__all__ = ["Answer", "Client"]

TIMEOUT = 30.0
# Lists are read page by page; more than this many objects is no table for people.
_MAX_ITEMS = 10_000


@dataclass(frozen=True)
class Answer:
    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to wherever the answer points."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


class Client:
    """One server. Every call has a deadline; failures are raised as Problem or Unreachable."""

    def __init__(self, connection: config.Connection) -> None:
        self.server = connection.server
        self.team = connection.team
        self._token = connection.token
        handlers: list[Any] = [_NoRedirect]
        host = urllib.parse.urlsplit(self.server).hostname or ""
        if host in ("localhost", "::1") or host.startswith("127."):
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        content_type: str = "application/json",
        headers: dict[str, str] | None = None,
        query: dict[str, Any] | None = None,
        timeout: float = TIMEOUT,
    ) -> Answer:
        """Raises Problem for any status of 400 and more, Unreachable when there is no answer in time."""
        try:
            with self._open(method, path, body, content_type, headers, query, timeout) as answer:
                return Answer(answer.status, answer.headers, answer.read())
        except urllib.error.HTTPError as error:
            with error:
                document = _problem(error.read())
            if error.code in (404, 405) and "title" not in document:
                raise Stranger(self.server, f"{error.code} {error.reason}") from None
            raise Problem(error.code, document) from None
        except (urllib.error.URLError, OSError, HTTPException) as error:
            raise Unreachable(self.server, _why(error)) from None

    def _open(
        self,
        method: str,
        path: str,
        body: bytes | None,
        content_type: str,
        headers: dict[str, str] | None,
        query: dict[str, Any] | None,
        timeout: float,
    ) -> Any:
        url = self.server + path
        if query := {k: v for k, v in (query or {}).items() if v not in (None, "")}:
            url += "?" + urllib.parse.urlencode(query)
        request = urllib.request.Request(url, data=body, method=method)  # noqa: S310 (http(s) only: config._clean)
        request.add_header("Accept", "application/json, application/yaml;q=0.5, */*;q=0.1")
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        if body is not None:
            request.add_header("Content-Type", content_type)
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        return self._opener.open(request, timeout=timeout)

    def get(self, path: str, **query: Any) -> Any:
        return self._json(self.request("GET", path, query=query))

    def items(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """All objects of a list, page by page."""
        cursor, seen = None, 0
        while True:
            page = self.get(path, cursor=cursor, **query)
            for item in page["items"]:
                yield item
                seen += 1
            cursor = page.get("next")
            if not cursor or seen >= _MAX_ITEMS:
                return

    def send(self, method: str, path: str, document: Any, **options: Any) -> Any:
        """Send a JSON document; the answer's JSON."""
        return self._json(self.request(method, path, body=json.dumps(document).encode(), **options))

    def _json(self, answer: Answer) -> Any:
        try:
            return answer.json()
        except ValueError:
            raise Stranger(self.server, answer.headers.get("Content-Type", "no JSON")) from None


def _problem(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:
        return {"detail": body.decode("utf-8", "replace").strip().split("\n")[0][:300]}
    return document if isinstance(document, dict) else {"detail": str(document)[:300]}


def _why(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError) or "timed out" in str(reason):
        return "no answer in time"
    return str(getattr(reason, "strerror", None) or reason or type(reason).__name__).rstrip(".")
