"""Reading JSON and YAML bodies as a server must: duplicate keys are noticed, and refusals say where."""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

Object = dict[str, Any]
MAX_PARTS = 100_000


class BodyError(ValueError):
    """The body is not JSON (or YAML); the text is close to what the real server says."""


def parse_json(body: bytes) -> tuple[Any, list[str]]:
    """The value, and the paths of keys that occur twice (the last one wins). BodyError when it is not JSON."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyError(complaint(body, error)) from None
    if not _may_repeat(body, value):
        return value, []
    repeated: dict[int, list[str]] = {}

    def build(pairs: list[tuple[str, Any]]) -> Object:
        built = dict(pairs)
        if len(built) < len(pairs):
            names = [name for name, _ in pairs]
            repeated[id(built)] = sorted({name for name in names if names.count(name) > 1})
        return built

    value = json.loads(body, object_pairs_hook=build)
    found: list[str] = []
    _locate(value, "", repeated, found)
    return value, found


def _may_repeat(body: bytes, value: Any) -> bool:
    """A cheap test first: fewer keys in the result than colons outside of strings could be would be a repetition."""
    return body.count(b":") > _count_keys(value)


def _count_keys(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(_count_keys(child) for child in value.values())
    if isinstance(value, list):
        return sum(_count_keys(child) for child in value)
    return 0


def _locate(value: Any, path: str, repeated: dict[int, list[str]], found: list[str]) -> None:
    if isinstance(value, dict):
        for name in repeated.get(id(value), ()):
            found.append(f"{path}.{name}" if path else name)
        for name, child in value.items():
            _locate(child, f"{path}.{name}" if path else name, repeated, found)
    elif isinstance(value, list):
        for index, child in enumerate(value):
            _locate(child, f"{path}[{index}]", repeated, found)


def parse_yaml(body: bytes) -> Any:
    """One YAML document (or JSON, which is tried first for speed). BodyError when it is neither."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    import yaml

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[valid-type, misc]
        """YAML 1.1 as the real server reads it: y and n are booleans too."""

        bool_values = {**base.bool_values, "y": True, "n": False}

    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^[yYnN]$"), list("yYnN"))
    try:
        value = yaml.load(body, Loader=Loader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at_end = mark is not None and (mark.index or 0) >= len(body)
        line = body.count(b"\n") + 1 if mark is None or at_end else mark.line + 1
        problem = getattr(error, "problem", None) or str(error)
        raise BodyError(f"error converting YAML to JSON: yaml: line {line}: {problem}") from None
    _check_expansion(value)
    return value


def _check_expansion(value: Any) -> None:
    """Aliases can make a short text into an endless object: BodyError when it has too many parts."""
    budget = MAX_PARTS
    pending = [value]
    while pending:
        part = pending.pop()
        budget -= 1
        if budget < 0:
            raise BodyError(f"the document has more than {MAX_PARTS} parts once its aliases are expanded")
        if isinstance(part, dict):
            pending.extend(part.values())
        elif isinstance(part, list):
            pending.extend(part)


def complaint(body: bytes, error: orjson.JSONDecodeError) -> str:
    """What the real server says of a body that is not JSON."""
    text = body.decode(errors="replace")
    if not text.strip() or error.pos >= len(text.rstrip()):
        return "unexpected end of JSON input"
    letter = text[error.pos]
    shown = letter if letter.isprintable() else f"\\x{ord(letter):02x}"
    return f"invalid character '{shown}' looking for beginning of value"
