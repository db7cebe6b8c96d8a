"""What is said when a request is refused: sentences for the person who must act, with the place they are about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a document.

    `pointer` is a JSON pointer (RFC 6901) into the document, "" for the whole. `line` and `column` count from 1 in
    the text that was sent, where it is known. `document` counts the documents of a bundle from 0.
    """

    pointer: str
    detail: str
    line: int | None = None
    column: int | None = None
    document: int | None = None

    def to_json(self) -> dict[str, Any]:
        placed = {"line": self.line, "column": self.column, "document": self.document}
        return {"pointer": self.pointer, "detail": self.detail, **{k: v for k, v in placed.items() if v is not None}}


class Refusal(Exception):
    """A request that is not carried out. `status` is the HTTP status, `type` the last part of the problem's URI."""

    status = 400
    type = "bad-request"
    title = "The request cannot be understood"

    def __init__(self, detail: str, faults: Iterable[Fault] = (), *, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)
        self.headers = headers or {}
        self.extra: dict[str, Any] = {}

    def to_json(self) -> dict[str, Any]:
        """The problem document of RFC 9457."""
        return {
            "type": f"urn:lamplight:problem:{self.type}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "errors": [fault.to_json() for fault in self.faults],
            **self.extra,
        }


class Malformed(Refusal):
    """The text is not a document: not YAML or JSON, or over a limit of the reader."""

    type = "malformed-document"
    title = "The document cannot be read"


class TooLarge(Refusal):
    status = 413
    type = "too-large"
    title = "The document is too large"


class Invalid(Refusal):
    """The document can be read, but says something that it may not say."""

    status = 422
    type = "invalid-document"
    title = "The document is not valid"

    @classmethod
    def of(cls, faults: Iterable[Fault]) -> Invalid:
        """An Invalid whose detail is the first fault's sentence and the number of others."""
        held = tuple(faults)
        more = f" (and {len(held) - 1} more)" if len(held) > 1 else ""
        return cls(f"{held[0].detail}{more}", held)


class Forbidden(Refusal):
    status = 403
    type = "forbidden"
    title = "Your role does not allow this"


class Missing(Refusal):
    status = 404
    type = "not-found"
    title = "There is no such object"


class Clash(Refusal):
    """The state of an object stands against the request: name taken, object in use, object going away."""

    status = 409
    type = "conflict"
    title = "The object's state does not allow this"


class Stale(Refusal):
    status = 412
    type = "stale"
    title = "The object has changed since you read it"


class VersionNeeded(Refusal):
    status = 428
    type = "version-needed"
    title = "The request must name the version it was made on"


class TooMany(Refusal):
    status = 429
    type = "too-many-requests"
    title = "Too many requests"
