"""Headers that every answer carries, and problem documents where Django would answer the API with a page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from typing import cast

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse

__all__ = ["ConsoleMiddleware"]

# The console needs no inline script or style and talks to its own server only. uPlot and React set styles through the
# DOM, which a policy on inline style attributes does not touch.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
_TITLES = {400: "The request cannot be understood", 403: "This is not allowed", 404: "There is no such address"}
_DETAILS = {
    400: "The server could not make sense of the request.",
    403: "The request was refused: a session needs its CSRF token in the X-CSRFToken header.",
    404: "Nothing answers at this address; /api/v1/schema lists what there is.",
    500: "Something went wrong in the server; its log says more under this request's X-Request-Id.",
}


class ConsoleMiddleware:
    """Security headers on all answers; HTML errors below /api/ become problem documents."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        served_async = isinstance(request, ASGIRequest)
        if served_async and isinstance(response, StreamingHttpResponse) and not response.is_async:
            response.streaming_content = _in_a_thread(cast(Iterable[bytes], response.streaming_content))
        return _finish(request, response)


async def _in_a_thread(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """A file that WhiteNoise serves, read without holding up the event loop."""

    def read() -> list[bytes]:
        return list(chunks)

    for chunk in await sync_to_async(read)():
        yield chunk


def _finish(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    is_page = response.headers.get("Content-Type", "").startswith("text/html")
    if request.path.startswith("/api/") and response.status_code >= 400 and is_page:
        response = _problem(response.status_code)
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.path.startswith("/api/"):
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _problem(status: int) -> JsonResponse:
    title = _TITLES.get(status, "The request failed")
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": _DETAILS.get(status, title),
        "errors": [],
    }
    return JsonResponse(body, status=status, content_type="application/problem+json")
