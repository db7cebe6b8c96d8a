"""JSON as a stream of events with positions. The standard reader is recursive, keeps the last of two equal keys and
knows no columns; this one feeds the same builder as YAML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]
from typing import Any, NamedTuple

from apps.core.domain.scalars import number


class Event(NamedTuple):
    """kind: document | scalar | map | list | end | alias | nothing; `text` is a scalar as it was written."""

    kind: str
    line: int
    column: int
    value: Any = None
    anchor: str | None = None
    text: str = ""


class JsonError(ValueError):
    """`detail` is a sentence; line and column count from 1."""

    def __init__(self, detail: str, line: int, column: int) -> None:
        super().__init__(detail)
        self.detail, self.line, self.column = detail, line, column


_BLANK = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?(?![0-9A-Za-z.+-])")
_WORD = re.compile(r"[^\s,:\[\]{}\"]{1,40}")
_WORDS = {"true": True, "false": False, "null": None}


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self._line_start = 0
        self._line = 1
        self._counted = 0

    def place(self) -> tuple[int, int]:
        """Line and column of the current position; positions only grow, so each character is counted once."""
        newlines = self.text.count("\n", self._counted, self.at)
        if newlines:
            self._line += newlines
            self._line_start = self.text.rindex("\n", self._counted, self.at) + 1
        self._counted = self.at
        return self._line, self.at - self._line_start + 1

    def fail(self, detail: str) -> JsonError:
        return JsonError(f"this is not JSON: {detail}", *self.place())

    def skip(self) -> str:
        """The next character that is not blank, "" at the end."""
        self.at = _BLANK.match(self.text, self.at).end()  # type: ignore[union-attr]
        return self.text[self.at : self.at + 1]

    def scalar(self) -> Event:
        line, column = self.place()
        start = self.at
        if self.text[start] == '"':
            try:
                value, self.at = scanstring(self.text, start + 1, True)
            except JSONDecodeError as bad:
                self.at = bad.pos
                raise self.fail(bad.msg[0].lower() + bad.msg[1:]) from None
        elif match := _NUMBER.match(self.text, start):
            self.at = match.end()
            try:
                value = number(match[0])
            except ValueError as refused:
                raise JsonError(str(refused), line, column) from None
        else:
            word = _WORD.match(self.text, start)
            shown = word[0] if word else self.text[start]
            if shown not in _WORDS:
                raise self.fail(f"{shown} is neither a value nor text in double quotes")
            value = _WORDS[shown]
            self.at += len(shown)
        return Event("scalar", line, column, value, None, self.text[start : self.at])


def parse(text: str, depth: int) -> Iterator[Event]:
    """Events of the one value that a JSON text holds; raises JsonError at the first thing wrong.

    Nesting beyond `depth` is left to the consumer to refuse; it is refused here only some levels later.
    """
    reader = _Reader(text)
    reader.skip()
    yield Event("document", *reader.place())
    if not reader.skip():
        raise reader.fail("there is nothing in it")
    closers: list[str] = []
    while True:
        char = reader.skip()
        if char in ("{", "["):
            yield Event("map" if char == "{" else "list", *reader.place())
            closers.append("}" if char == "{" else "]")
            if len(closers) > depth + 1:
                raise reader.fail(f"the nesting is deeper than {depth} levels")
            reader.at += 1
            if reader.skip() != closers[-1]:
                yield from _key(reader, closers)
                continue
        elif char:
            yield reader.scalar()
        else:
            raise reader.fail("the text ends in the middle")
        while closers and reader.skip() == closers[-1]:
            closers.pop()
            yield Event("end", *reader.place())
            reader.at += 1
        if not closers:
            break
        if reader.skip() != ",":
            raise reader.fail(f"here should be a comma or {closers[-1]}")
        reader.at += 1
        if reader.skip() == closers[-1]:
            raise reader.fail("there is nothing after the comma")
        yield from _key(reader, closers)
    if reader.skip():
        raise reader.fail("there is more text after the end of the document")


def _key(reader: _Reader, closers: list[str]) -> Iterator[Event]:
    if closers[-1] != "}":
        return
    if reader.skip() != '"':
        raise reader.fail("here should be a key in double quotes")
    yield reader.scalar()
    if reader.skip() != ":":
        raise reader.fail("here should be a colon after the key")
    reader.at += 1
