"""Parameters of the query: an address takes those that its OpenAPI description names, and refuses all others."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.core.domain.refusals import Refusal

_FORMAT = "format"
# by the method that answers; a process has a hundred of them
_known: dict[Any, frozenset[str]] = {}


class QueryView(APIView):
    """A view that refuses what it does not know: a misspelt `dry_run` would be a write, a filter a list of all."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        _refuse_unknown(self, request)


def _refuse_unknown(view: APIView, request: Request) -> None:
    handler = getattr(type(view), str(request.method).lower(), None)
    if handler is None or not request.query_params:
        return
    if handler not in _known:
        _known[handler] = _described(view, handler, str(request.method))
    for name in request.query_params:
        if name not in _known[handler]:
            raise Refusal(f"{name[:60]!r} is no parameter of this address{_hint(name, _known[handler])}")


def _described(view: APIView, handler: Any, method: str) -> frozenset[str]:
    """What @extend_schema says of a method, read as the generator of /api/v1/schema reads it."""
    schema = getattr(handler, "kwargs", {}).get("schema")
    parameters: list[Any] = []
    if schema is not None:
        described = schema()
        described.view, described.method = view, method
        parameters = described.get_override_parameters()
    names = {p.name for p in parameters if isinstance(p, OpenApiParameter) and p.location == OpenApiParameter.QUERY}
    return frozenset({*names, _FORMAT})


def _hint(name: str, known: frozenset[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else f"; it takes {', '.join(sorted(known))}."
