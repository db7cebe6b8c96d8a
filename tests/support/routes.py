"""The endpoints of the API, from the URL conf."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver


def api_routes(resolver: URLResolver | None = None, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(route below /api/v1/, view) of every endpoint."""
    for entry in (resolver or get_resolver()).url_patterns:
        route = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from api_routes(entry, route)
        elif isinstance(entry, URLPattern) and route.startswith("api/v1/"):
            yield route.removeprefix("api/v1/"), entry.callback


def methods_of(view: Any) -> list[str]:
    """The HTTP methods that a view has; a plain function counts as GET."""
    of_class = getattr(view, "cls", None) or getattr(view, "view_class", None)
    if of_class is None:
        return ["GET"]
    return [m.upper() for m in ("get", "post", "put", "patch", "delete") if hasattr(of_class, m)]
