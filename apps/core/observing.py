"""Each request is measured by the route that answered it: names in addresses never become labels."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

from apps.core import tracing
from apps.core.instruments import http_seconds
from apps.core.middleware import request_id

__all__ = ["MeasureMiddleware"]

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class MeasureMiddleware:
    """Seconds until an answer begins, by method, route and status."""

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
        started = time.perf_counter()
        with tracing.span("request", method=_method(request), request_id=request_id()):
            response = self.get_response(request)
        assert isinstance(response, HttpResponseBase)
        return _observed(request, response, started)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        started = time.perf_counter()
        with tracing.span("request", method=_method(request), request_id=request_id()):
            response = self.get_response(request)
            answer = response if isinstance(response, HttpResponseBase) else await response
        return _observed(request, answer, started)


def _method(request: HttpRequest) -> str:
    return request.method if request.method in _METHODS else "other"


def _observed(request: HttpRequest, response: HttpResponseBase, started: float) -> HttpResponseBase:
    match = request.resolver_match
    http_seconds.labels(
        method=_method(request),
        # what no route answered is the console's page or one of its files
        route=match.route if match is not None else "console",
        status=str(response.status_code),
    ).observe(time.perf_counter() - started)
    return response
