"""A name for each request, so that a log line, an answer and a change record can be put together."""

from __future__ import annotations

import re
import uuid
from collections.abc import Awaitable, Callable
from contextvars import ContextVar

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

_SENT = re.compile(r"[A-Za-z0-9._-]{1,64}")
_current: ContextVar[str] = ContextVar("lamplight_request_id", default="")


def request_id() -> str:
    """The id of the request being served; "" outside of one."""
    return _current.get()


class RequestIdMiddleware:
    """Takes the caller's `X-Request-Id` where it is well formed, else makes one; the answer carries it."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]) -> None:
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._is_async:
            return self._answer_async(request)
        _begin(request)
        response = self.get_response(request)
        assert isinstance(response, HttpResponseBase)
        return _end(response)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        _begin(request)
        response = self.get_response(request)
        return _end(response if isinstance(response, HttpResponseBase) else await response)


def _begin(request: HttpRequest) -> None:
    sent = request.headers.get("X-Request-Id", "")
    _current.set(sent if _SENT.fullmatch(sent) else uuid.uuid4().hex)


def _end(response: HttpResponseBase) -> HttpResponseBase:
    response.headers["X-Request-Id"] = _current.get()
    return response
