"""Documents as text: YAML and JSON in, with the place of every value; YAML out.

Both formats become a stream of events that one builder turns into JSON values, so that limits, duplicate keys and
positions are the same for both. What plain YAML scalars mean stands in `domain/scalars.py`. Tags, merge keys and
keys that are not text are refused; aliases are allowed as long as what they expand to stays within the limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import yaml

from apps.core import jsonevents
from apps.core.domain.documents import pointer
from apps.core.domain.refusals import Fault, Malformed, TooLarge
from apps.core.domain.scalars import is_text, resolve

# libyaml where PyYAML was built with it, which its wheels are
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@dataclass(frozen=True, slots=True)
class Limits:
    """What a text may cost: its bytes, nesting, values (aliases counted as what they expand to) and documents."""

    text_bytes: int = 1024 * 1024
    depth: int = 40
    values: int = 50_000
    documents: int = 500


DEFAULT_LIMITS = Limits()


class Place(NamedTuple):
    """Line and column in the text that was read, counted from 1."""

    line: int
    column: int


@dataclass
class Document:
    """One document of a text: its JSON value and where each key and value stands, by JSON pointer."""

    value: Any
    start: Place
    keys: dict[str, Place] = field(default_factory=dict)
    values: dict[str, Place] = field(default_factory=dict)
    prefix: str = ""

    def place(self, at: str) -> Place:
        """Where a pointer stands: its key if it has one, else its value, else what is nearest above it."""
        at = self.prefix + at
        while at:
            found = self.keys.get(at) or self.values.get(at)
            if found is not None:
                return found
            at = at.rpartition("/")[0]
        return self.values.get("", self.start)

    def part(self, at: str, value: Any) -> Document:
        """The value at a pointer as a document of its own; places stay those of the text."""
        return replace(self, value=value, prefix=self.prefix + at)

    def placed(self, fault: Fault) -> Fault:
        """The fault with line and column."""
        place = self.place(fault.pointer)
        return Fault(fault.pointer, fault.detail, place.line, place.column, fault.document)


def read(data: bytes, *, json: bool = False, limits: Limits = DEFAULT_LIMITS) -> list[Document]:
    """The documents of a UTF-8 text; empty YAML documents are left out. Raises TooLarge, Malformed."""
    if len(data) > limits.text_bytes:
        raise too_large(len(data), limits.text_bytes)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as bad:
        before = data[: bad.start].decode("utf-8", "replace")
        raise _malformed(before.count("\n") + 1, 1, f"the text is not UTF-8 at byte {bad.start}") from None
    builder = _Builder(limits)
    events = jsonevents.parse(text, limits.depth) if json else _yaml_events(text)
    try:
        for event in events:
            builder.take(event)
    except jsonevents.JsonError as bad_json:
        raise _malformed(bad_json.line, bad_json.column, bad_json.detail) from None
    return [d for d in builder.documents if json or d.value is not None]


def _yaml_events(text: str) -> Iterator[jsonevents.Event]:
    loader = _Loader(text)
    try:
        while loader.check_event():
            event = loader.get_event()
            mark = event.start_mark
            yield _translated(event, mark.line + 1, mark.column + 1)
    except yaml.MarkedYAMLError as bad:
        at = bad.problem_mark or bad.context_mark
        said = ", ".join(part for part in (bad.context, bad.problem) if part)
        if "tab character" in said or (at is not None and _stands_at(text, at.line, at.column) == "\t"):
            said += "; indent with blanks, tabs are not allowed there"
        raise _malformed(at.line + 1 if at else 1, at.column + 1 if at else 1, f"this is not YAML: {said}") from None
    except yaml.reader.ReaderError as bad_text:
        line = text.count("\n", 0, bad_text.position) + 1
        code = bad_text.character if isinstance(bad_text.character, int) else ord(bad_text.character)
        detail = f"the character U+{code:04X} is not allowed in YAML"
        raise _malformed(line, 1, detail) from None
    except yaml.YAMLError as other:
        raise _malformed(1, 1, f"this is not YAML: {other}") from None
    finally:
        loader.dispose()


def _stands_at(text: str, line: int, column: int) -> str:
    """The character there; "" behind the end, which is where a text that breaks off is wrong."""
    return "".join(text.split("\n")[line : line + 1])[column : column + 1]


def _translated(event: Any, line: int, column: int) -> jsonevents.Event:
    kind = type(event)
    tag = getattr(event, "tag", None)
    if tag is not None:
        raise _malformed(
            line, column, f"the tag {tag[:60]} is not allowed: documents hold plain text, numbers, lists and mappings"
        )
    anchor = getattr(event, "anchor", None)
    if kind is yaml.ScalarEvent:
        plain = event.implicit[0]
        try:
            value = resolve(event.value) if plain else event.value
        except ValueError as refused:
            raise _malformed(line, column, str(refused)) from None
        if plain and event.value == "<<":
            raise _malformed(line, column, "merge keys (<<) are not supported: write the fields out")
        return jsonevents.Event("scalar", line, column, value, anchor, event.value)
    names = {
        yaml.MappingStartEvent: "map",
        yaml.MappingEndEvent: "end",
        yaml.SequenceStartEvent: "list",
        yaml.SequenceEndEvent: "end",
        yaml.AliasEvent: "alias",
        yaml.DocumentStartEvent: "document",
    }
    return jsonevents.Event(names.get(kind, "nothing"), line, column, None, anchor, "")


@dataclass
class _Open:
    """A list or mapping whose end has not come yet."""

    value: Any
    at: str
    anchor: str | None
    size_before: int
    key: str | None = None
    awaits_key: bool = True


class _Builder:
    """Turns events into documents without recursion, so that nesting costs a counter, not the stack."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.documents: list[Document] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._size = 0

    def take(self, event: jsonevents.Event) -> None:
        if event.kind == "document":
            if len(self.documents) >= self.limits.documents:
                raise _malformed(
                    event.line, event.column, f"there are more than {self.limits.documents} documents in this text"
                )
            self._anchors = {}
            self.documents.append(Document(None, Place(event.line, event.column)))
        elif event.kind == "scalar":
            self._scalar(event)
        elif event.kind in ("map", "list"):
            self._begin(event)
        elif event.kind == "end":
            closed = self._open.pop()
            if closed.anchor:
                self._anchors[closed.anchor] = (closed.value, self._size - closed.size_before)
        elif event.kind == "alias":
            self._alias(event)

    def _scalar(self, event: jsonevents.Event) -> None:
        if isinstance(event.value, str) and ("\0" in event.value or _SURROGATE.search(event.value)):
            raise _malformed(
                event.line,
                event.column,
                "the text holds a NUL character or half of a surrogate pair, which cannot be stored",
            )
        if self._is_key():
            self._key(event)
            return
        self._grow(1, event)
        self._put(event.value, event)
        if event.anchor:
            self._anchors[event.anchor] = (event.value, 1)

    def _key(self, event: jsonevents.Event) -> None:
        parent = self._open[-1]
        if not isinstance(event.value, str):
            raise _malformed(event.line, event.column, f"the key {event.text[:40]} is not text: put it in quotes")
        at = parent.at + pointer(event.value)
        if event.value in parent.value:
            first = self.documents[-1].keys[at]
            raise _malformed(
                event.line,
                event.column,
                f"the key {event.value[:60]} stands here a second time; the first is in line {first.line}",
                at,
            )
        if event.anchor:
            self._anchors[event.anchor] = (event.value, 1)
        parent.value[event.value] = None
        parent.key, parent.awaits_key = event.value, False
        self.documents[-1].keys[at] = Place(event.line, event.column)

    def _begin(self, event: jsonevents.Event) -> None:
        if self._is_key():
            raise _malformed(event.line, event.column, "a key must be text, not a list or mapping")
        if len(self._open) >= self.limits.depth:
            raise _malformed(event.line, event.column, f"the nesting is deeper than {self.limits.depth} levels")
        before = self._size
        self._grow(1, event)
        value: Any = {} if event.kind == "map" else []
        at = self._put(value, event)
        self._open.append(_Open(value, at, event.anchor, before))

    def _alias(self, event: jsonevents.Event) -> None:
        if self._is_key():
            raise _malformed(event.line, event.column, "an alias cannot stand for a key: write the key out")
        if event.anchor not in self._anchors:
            raise _malformed(
                event.line,
                event.column,
                f"the alias *{event.anchor} means nothing here: its anchor is not complete or not in this document",
            )
        value, size = self._anchors[str(event.anchor)]
        self._grow(size, event)
        self._put(value, event)

    def _is_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._open[-1].awaits_key

    def _put(self, value: Any, event: jsonevents.Event) -> str:
        document = self.documents[-1]
        if not self._open:
            document.value, at = value, ""
        else:
            parent = self._open[-1]
            if isinstance(parent.value, dict):
                at = parent.at + pointer(parent.key)
                parent.value[parent.key] = value
                parent.awaits_key = True
            else:
                at = parent.at + pointer(len(parent.value))
                parent.value.append(value)
        document.values[at] = Place(event.line, event.column)
        return at

    def _grow(self, by: int, event: jsonevents.Event) -> None:
        self._size += by
        if self._size > self.limits.values:
            raise _malformed(
                event.line,
                event.column,
                f"the text holds more than {self.limits.values:,} values (aliases count as what they stand for)",
            )


_SURROGATE = re.compile("[\ud800-\udfff]")


def too_large(count: int, limit: int) -> TooLarge:
    """The refusal of a text of `count` bytes."""
    return TooLarge(
        f"The text has {_mebibytes(count)} MiB; the limit is {_mebibytes(limit)} MiB: "
        "split it into several files and apply them one after the other."
    )


def _malformed(line: int, column: int, detail: str, at: str = "") -> Malformed:
    return Malformed(f"Line {line}, column {column}: {detail}.", [Fault(at, detail, line, column)])


def _mebibytes(count: int) -> str:
    return f"{count / 1024 / 1024:.1f}".removesuffix(".0")


class _Writer(_Dumper):
    """Quotes every text that our own or another YAML reader would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _write_text(dumper: Any, text: str) -> Any:
    plain = is_text(text) and text == text.strip() and text != "<<"
    style = None if plain else '"'
    if plain and "\n" in text:
        style = "|" if _BLOCK.fullmatch(text) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


# a literal block keeps exactly these; anything else (tabs, trailing blanks, control characters) goes into quotes
_BLOCK = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?\n)*[!-~](?:[ -~]*[!-~])?")
_Writer.add_representer(str, _write_text)


def write(documents: Sequence[Mapping[str, Any]]) -> str:
    """YAML of one or more JSON values, in the order of their keys, without aliases; `read` gives them back equal."""
    return str(
        yaml.dump_all(
            documents, Dumper=_Writer, sort_keys=False, allow_unicode=True, width=100, explicit_start=len(documents) > 1
        )
    )
