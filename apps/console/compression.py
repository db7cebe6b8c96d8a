"""Lists and charts go compressed: a fleet of a thousand pools is a megabyte of JSON in which most repeats."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.middleware.gzip import GZipMiddleware

__all__ = ["CompressionMiddleware"]

# less fits into one packet anyhow
_LEAST = 1400


class CompressionMiddleware(GZipMiddleware):
    """Compresses answers of the API, with Django's random padding against guessing by length. Objects stay as they are:
    their strong ETag is of the very bytes."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:  # type: ignore[override]
        if not request.path.startswith("/api/") or response.streaming or response.has_header("ETag"):
            return response
        if len(response.content) < _LEAST:
            return response
        compressed = super().process_response(request, response)
        assert isinstance(compressed, HttpResponse)
        return compressed
