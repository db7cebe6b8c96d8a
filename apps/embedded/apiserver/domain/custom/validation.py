"""Checking a custom object against its structural schema, worded as the real server words it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from apps.embedded.apiserver.domain import checks
from apps.embedded.apiserver.domain.custom.structural import INT_OR_STRING
from apps.embedded.apiserver.domain.status import Cause

Object = dict[str, Any]


def validate(value: Any, raw: Mapping[str, Any], path: str = "") -> Iterator[Cause]:
    """Everything in which ``value`` breaks its schema, in a fixed order."""
    if value is None and raw.get("nullable"):
        return
    wrong = _wrong_type(value, raw)
    if wrong:
        shown = _json_type(value)
        why = f'{path} in body must be of type {wrong}: "{shown}"'
        yield Cause("FieldValueTypeInvalid", f'Invalid value: "{shown}": {why}', path)
        return
    yield from _enum(value, raw, path)
    if isinstance(value, dict):
        yield from _object(value, raw, path)
    elif isinstance(value, list):
        yield from _array(value, raw, path)
    elif isinstance(value, str):
        yield from _string(value, raw, path)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield from _number(value, raw, path)
    yield from _combined(value, raw, path)


def _wrong_type(value: Any, raw: Mapping[str, Any]) -> str:
    """The type that the value should have; "" when it has it."""
    if raw.get(INT_OR_STRING):
        return "" if isinstance(value, (int, str)) and not isinstance(value, bool) else "integer,string"
    wanted = raw.get("type")
    if wanted is None:
        return ""
    fits = {
        "object": isinstance(value, dict),
        "array": isinstance(value, list),
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": (isinstance(value, int) and not isinstance(value, bool))
        or (isinstance(value, float) and value.is_integer()),
        "number": isinstance(value, (int, float)) and not isinstance(value, bool),
    }
    return "" if fits.get(wanted, True) else str(wanted)


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    names = {dict: "object", list: "array", str: "string", int: "integer", float: "number", type(None): "null"}
    return names[type(value)]


def _enum(value: Any, raw: Mapping[str, Any], path: str) -> Iterator[Cause]:
    allowed = raw.get("enum")
    if allowed is not None and value not in allowed:
        listed = ", ".join(checks.show(option) for option in allowed)
        yield Cause(
            "FieldValueNotSupported", f"Unsupported value: {checks.show(value)}: supported values: {listed}", path
        )


def _object(value: Object, raw: Mapping[str, Any], path: str) -> Iterator[Cause]:
    most, least = raw.get("maxProperties"), raw.get("minProperties")
    if most is not None and len(value) > most:
        yield Cause("FieldValueTooMany", f"Too many: {len(value)}: must have at most {most} items", path)
    if least is not None and len(value) < least:
        yield checks.invalid(path, len(value), f"{path} in body should have at least {least} properties")
    properties, extra = raw.get("properties", {}), raw.get("additionalProperties")
    for name in sorted(value):
        here = f"{path}.{name}" if path else name
        if name in properties:
            yield from validate(value[name], properties[name], here)
        elif isinstance(extra, Mapping):
            yield from validate(value[name], extra, here)
    for name in raw.get("required", ()):
        if name not in value:
            yield checks.required(f"{path}.{name}" if path else name)


def _array(value: list[Any], raw: Mapping[str, Any], path: str) -> Iterator[Cause]:
    most, least = raw.get("maxItems"), raw.get("minItems")
    if most is not None and len(value) > most:
        yield Cause("FieldValueTooMany", f"Too many: {len(value)}: must have at most {most} items", path)
    if least is not None and len(value) < least:
        yield checks.invalid(path, len(value), f"{path} in body should have at least {least} items")
    items = raw.get("items") or {}
    for index, item in enumerate(value):
        yield from validate(item, items, f"{path}[{index}]")


def _string(value: str, raw: Mapping[str, Any], path: str) -> Iterator[Cause]:
    most, least = raw.get("maxLength"), raw.get("minLength")
    if most is not None and len(value) > most:
        yield Cause("FieldValueTooLong", f"Too long: may not be more than {most} bytes", path)
    if least is not None and len(value) < least:
        yield checks.invalid(path, value, f"{path} in body should be at least {least} chars long")
    pattern = raw.get("pattern")
    if pattern is not None and not _compiled(pattern).search(value):
        yield checks.invalid(path, value, f"{path} in body should match '{pattern}'")
    if raw.get("format") == "date-time" and not _DATE_TIME.fullmatch(value):
        yield checks.invalid(path, value, f"{path} in body must be of type date-time: {checks.show(value)}")


_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Go's patterns are nearly Python's: only the end of text is written in another way."""
    return re.compile(pattern.replace(r"\z", r"\Z"))


def _number(value: float, raw: Mapping[str, Any], path: str) -> Iterator[Cause]:
    most, least, step = raw.get("maximum"), raw.get("minimum"), raw.get("multipleOf")
    if most is not None and (value >= most if raw.get("exclusiveMaximum") else value > most):
        bound = "less than" if raw.get("exclusiveMaximum") else "less than or equal to"
        yield checks.invalid(path, value, f"{path} in body should be {bound} {most}")
    if least is not None and (value <= least if raw.get("exclusiveMinimum") else value < least):
        bound = "greater than" if raw.get("exclusiveMinimum") else "greater than or equal to"
        yield checks.invalid(path, value, f"{path} in body should be {bound} {least}")
    if step and value % step:
        yield checks.invalid(path, value, f"{path} in body should be a multiple of {step}")


def _combined(value: Any, raw: Mapping[str, Any], path: str) -> Iterator[Cause]:
    for branch in raw.get("allOf", ()):
        yield from validate(value, branch, path)
    if raw.get(INT_OR_STRING):
        return
    shown = f'"{path}"'
    if "anyOf" in raw and not any(_fits(value, branch) for branch in raw["anyOf"]):
        why = f"{shown} must validate at least one schema (anyOf)"
        yield Cause("FieldValueInvalid", f'Invalid value: "": {why}', path)
    if "oneOf" in raw and sum(_fits(value, branch) for branch in raw["oneOf"]) != 1:
        why = f"{shown} must validate one and only one schema (oneOf)"
        yield Cause("FieldValueInvalid", f'Invalid value: "": {why}', path)
    if "not" in raw and _fits(value, raw["not"]):
        why = f"{shown} must not validate the schema (not)"
        yield Cause("FieldValueInvalid", f'Invalid value: "": {why}', path)


def _fits(value: Any, branch: Mapping[str, Any]) -> bool:
    return next(validate(value, branch), None) is None


def list_types(value: Any, raw: Mapping[str, Any], path: str = "") -> Iterator[Cause]:
    """Sets and list maps may hold each item, or each key, once."""
    if isinstance(value, dict):
        properties, extra = raw.get("properties", {}), raw.get("additionalProperties")
        for name in sorted(value):
            child = properties.get(name, extra)
            if isinstance(child, Mapping):
                yield from list_types(value[name], child, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        items = raw.get("items") or {}
        kind, keys = raw.get("x-kubernetes-list-type"), raw.get("x-kubernetes-list-map-keys", ())
        seen: list[Any] = []
        for index, item in enumerate(value):
            where = f"{path}[{index}]"
            if kind in ("set", "map"):
                identity = {key: item.get(key) for key in keys} if kind == "map" and isinstance(item, dict) else item
                if identity in seen:
                    yield checks.duplicate(where, identity)
                seen.append(identity)
            yield from list_types(item, items, where)
