"""Request bodies: YAML or JSON, with the place of every value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from apps.core import yamlio
from apps.core.domain.refusals import Malformed

_JSON = ("application/json", "application/merge-patch+json")


class DocumentParser(BaseParser):
    """`request.data` is the list of `yamlio.Document`s of the body: JSON for JSON's media types, YAML for any other."""

    media_type = "*/*"

    def parse(  # type: ignore[override]
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> list[yamlio.Document]:
        limit = yamlio.DEFAULT_LIMITS.text_bytes
        data = stream.read(limit + 1)
        if len(data) > limit:
            # what is too large is not read to its end: the sender's own word on its size is good enough for a sentence
            sent = str((parser_context or {})["request"].META.get("CONTENT_LENGTH") or "")
            raise yamlio.too_large(int(sent) if sent.isdigit() and len(sent) < 16 else len(data), limit)
        plain = (media_type or "").split(";")[0].strip().lower()
        return yamlio.read(data, json=plain in _JSON)


def only_document(request: Request) -> yamlio.Document:
    """The one document of a body. Raises Malformed where there is none or more."""
    documents = request.data if isinstance(request.data, list) else []
    if len(documents) != 1:
        raise Malformed(f"The body must hold one document; this one holds {len(documents)}.")
    return documents[0]
