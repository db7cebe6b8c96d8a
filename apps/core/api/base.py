"""What every view of the API shares: who asks, in what form to answer, what the query says."""

from __future__ import annotations

from typing import Any

from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import access
from apps.core.api.query import QueryView
from apps.core.api.renderers import JSONRenderer, YAMLRenderer
from apps.core.domain.access import Actor
from apps.core.domain.refusals import Refusal
from apps.core.middleware import request_id
from apps.core.writes import By

_MAX_REASON = 500


class _Negotiation(BaseContentNegotiation):
    """`?format=` decides; else the first form that Accept names; else JSON: an answer is better than a 406."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return parsers[0]

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        wanted = request.query_params.get("format")
        for renderer in renderers:
            if wanted == renderer.format:
                return renderer, renderer.media_type
        if wanted:
            raise Refusal(f"format is one of {', '.join(r.format for r in renderers)}, not {wanted[:40]}.")
        accepted = [part.split(";")[0].strip() for part in request.headers.get("Accept", "").split(",")]
        for media_type in accepted:
            for renderer in renderers:
                if media_type == renderer.media_type:
                    return renderer, renderer.media_type
        return renderers[0], renderers[0].media_type


class ApiView(QueryView):
    """A view that answers JSON, and YAML with `?format=yaml`."""

    renderer_classes = [JSONRenderer, YAMLRenderer]
    content_negotiation_class = _Negotiation


def by(request: Request) -> By:
    """Who writes, with the reason from `?reason=`. Raises Refusal where that is too long."""
    reason = request.query_params.get("reason", "")
    if len(reason) > _MAX_REASON or "\0" in reason:
        raise Refusal(f"reason is at most {_MAX_REASON} characters of text.")
    return By(actor_of(request), request_id(), reason)


def actor_of(request: Request) -> Actor:
    return access.actor_of(request)


def flag(request: Request, name: str) -> bool:
    """A boolean of the query: true or false. Raises Refusal for anything else: a typo must not turn a dry run real."""
    text = request.query_params.get(name, "false").lower()
    if text not in ("true", "false", "1", "0", ""):
        raise Refusal(f"{name} is true or false, not {text[:40]}.")
    return text in ("true", "1")


def etags(request: Request) -> tuple[str, ...]:
    """The entity tags of If-Match; weak ones can never match."""
    sent = request.headers.get("If-Match", "")
    return tuple(tag for part in sent.split(",") if (tag := part.strip()) and not tag.startswith("W/"))


def answer(data: Any, *, status: int = 200, etag: str | None = None, exports: list[Any] | None = None) -> Response:
    """An answer; `exports` are the documents that it is in YAML."""
    response = Response(data, status=status, headers={"ETag": etag} if etag else None)
    response.exports = exports  # type: ignore[attr-defined]
    return response
