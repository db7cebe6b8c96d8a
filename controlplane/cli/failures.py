"""How `lamp` fails: exit codes that scripts can trust, and sentences on stderr.

0 done · 1 the server refused, or the condition failed · 2 usage · 3 not found · 4 conflict or stale · 5 unreachable ·
124 a wait ran out of time
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any

import click

__all__ = [
    "CONFLICT",
    "NOT_FOUND",
    "REFUSED",
    "TIMED_OUT",
    "UNREACHABLE",
    "USAGE",
    "Failure",
    "Problem",
    "Stranger",
    "Unreachable",
]

REFUSED = 1
USAGE = 2
NOT_FOUND = 3
CONFLICT = 4
UNREACHABLE = 5
TIMED_OUT = 124


class Failure(click.ClickException):
    """Sentences for stderr and the exit code."""

    def __init__(self, message: str | Iterable[str], exit_code: int = REFUSED) -> None:
        lines = [message] if isinstance(message, str) else list(message)
        super().__init__("\n".join(lines))
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it for the class, and reads it here

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(self.message, err=True, file=file)


class Unreachable(Failure):
    def __init__(self, server: str, why: str) -> None:
        super().__init__(
            f"{server} cannot be reached: {why}. Is it running (`make up`), and is LAMPLIGHT_SERVER or --server right?",
            UNREACHABLE,
        )


class Stranger(Failure):
    """Somebody else's server stands at the address."""

    def __init__(self, server: str, said: str) -> None:
        super().__init__(
            f"{server} answers, but not as Lamplight does ({said}): is LAMPLIGHT_SERVER or --server right?", UNREACHABLE
        )


class Problem(Failure):
    """What the server answered instead of doing it: an RFC 9457 problem document, or whatever stood in its place."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        self.status = status
        self.document = document
        super().__init__(self._lines(status, document), _exit_code(status, document))

    @staticmethod
    def _lines(status: int, document: dict[str, Any]) -> list[str]:
        detail = str(document.get("detail") or document.get("title") or f"The server answered {status}.")
        errors = [error for error in document.get("errors") or [] if isinstance(error, dict)]
        if status == 401:
            return [f"{detail} Log in with `lamp login`, or set LAMPLIGHT_TOKEN."]
        lines = [sentence(error) for error in errors]
        return lines if lines else [detail]


def sentence(error: dict[str, Any], *, place: str = "") -> str:
    """One error of a problem document as `place: sentence (pointer)`."""
    pointer = error.get("pointer") or ""
    text = str(error.get("detail") or "invalid")
    where = f" ({pointer})" if pointer and pointer not in text else ""
    return f"{place}: {text}{where}" if place else f"{text}{where}"


def _exit_code(status: int, document: dict[str, Any]) -> int:
    if status == 404:
        return NOT_FOUND
    if status in (409, 412, 428):
        return CONFLICT
    # a gateway's error page stands for a server that is not there; its own 502 is about a cluster behind it
    if status == 503 or (status in (502, 504) and "type" not in document):
        return UNREACHABLE
    return REFUSED
