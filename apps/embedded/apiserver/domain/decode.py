"""Reading JSON into a built-in type and writing it back, as a server does that keeps objects in Go structs.

Unknown fields are dropped (and named), null and empty optional fields vanish, mandatory ones appear, quantities take
their canonical form, and a value of the wrong type is refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from apps.embedded.apiserver.domain import quantity
from apps.embedded.apiserver.domain.schema import Schema

Object = dict[str, Any]
_GO = {"string": "string", "int32": "int32", "int64": "int64", "double": "float64", "bool": "bool", "bytes": "[]uint8"}
_GO_SCALARS = {
    "quantity": "resource.Quantity",
    "time": "v1.Time",
    "microtime": "v1.MicroTime",
    "intstr": "intstr.IntOrString",
}
_RANGES = {"int32": 2**31, "int64": 2**63}


class DecodeError(ValueError):
    """The value cannot be read as its type; the text is what the real server says."""


class Decoder:
    """Decodes one value; ``unknown`` collects the paths of fields that the schema does not know, in order."""

    def __init__(self) -> None:
        self.unknown: list[str] = []

    def decode(self, value: Any, schema: Schema, path: str = "", go: str = "", where: str = "") -> Any:
        """``path`` is for people (with indices); ``go`` is the enclosing struct, ``where`` the path without indices."""
        if schema.kind == "any":
            return value
        if value is None:
            return None
        if schema.kind == "struct":
            return self._struct(value, schema, path, go, where)
        if schema.kind == "map":
            return self._map(value, schema, path, go, where)
        if schema.kind == "list":
            if not isinstance(value, list):
                raise _mismatch(value, schema, go, where)
            element = schema.element
            assert element is not None
            decoded = (self.decode(item, element, f"{path}[{i}]", go, where) for i, item in enumerate(value))
            return [_zero(element) if item is None else item for item in decoded]
        return _scalar(value, schema, go, where)

    def _struct(self, value: Any, schema: Schema, path: str, go: str, where: str) -> Object:
        if not isinstance(value, dict):
            raise _mismatch(value, schema, go, where)
        name = schema.type_name.rsplit(".", 1)[-1]
        result: Object = {}
        for key, item in value.items():
            child = schema.fields.get(key)
            here = f"{path}.{key}" if path else key
            if child is None:
                self.unknown.append(here)
                continue
            decoded = self.decode(item, child, here, name, f"{where}.{key}" if where else key)
            if decoded is not None and not _omitted(decoded, child):
                result[key] = decoded
        add_mandatory(result, schema)
        return result

    def _map(self, value: Any, schema: Schema, path: str, go: str, where: str) -> Object:
        if not isinstance(value, dict):
            raise _mismatch(value, schema, go, where)
        element = schema.element
        assert element is not None
        result: Object = {}
        for key, item in value.items():
            decoded = self.decode(item, element, f"{path}.{key}", go, where)
            result[key] = _zero(element) if decoded is None else decoded
        return result


def add_mandatory(result: Object, schema: Schema) -> None:
    """Add the fields of a struct that are written even when nobody set them."""
    for key, child in schema.fields.items():
        if child.always and result.get(key) is None:
            result[key] = _zero(child)


def empty(schema: Schema) -> Object:
    """A new object of a struct type, with what the server writes into it: the state before any write."""
    result: Object = {}
    add_mandatory(result, schema)
    return result


def _zero(schema: Schema) -> Any:
    if schema.null:
        return None
    if schema.kind == "struct":
        return empty(schema)
    if schema.kind == "scalar":
        return {
            "string": "",
            "bytes": "",
            "int32": 0,
            "int64": 0,
            "double": 0.0,
            "bool": False,
            "quantity": "0",
            "intstr": 0,
        }.get(schema.scalar)
    return None


def _omitted(value: Any, schema: Schema) -> bool:
    """Does Go's omitempty drop this value?"""
    if schema.always:
        return False
    if schema.kind in ("list", "map"):
        return not value
    if schema.kind == "scalar":
        if value == "":
            return not schema.zero_flipped
        if value == 0 and schema.scalar in ("int32", "int64", "bool", "double"):
            return schema.zero_flipped
    return False


def _scalar(value: Any, schema: Schema, go: str, where: str) -> Any:
    kind = schema.scalar
    if kind == "quantity":
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise _mismatch(value, schema, go, where)
        try:
            return quantity.canonical(value)
        except quantity.QuantityError as error:
            raise DecodeError(str(error)) from None
    if kind == "intstr":
        fits = isinstance(value, (int, str)) and not isinstance(value, bool)
    elif kind in ("string", "time", "microtime"):
        fits = isinstance(value, str)
        if fits and kind == "microtime":
            _check_micro_time(value)
    elif kind == "bool":
        fits = isinstance(value, bool)
    elif kind == "bytes":
        fits = isinstance(value, str)
        if fits:
            try:
                base64.b64decode(value, validate=True)
            except binascii.Error as error:
                raise DecodeError(f"illegal base64 data at input byte {_bad_byte(value)}") from error
    elif kind in ("int32", "int64"):
        fits = isinstance(value, int) and not isinstance(value, bool) and -_RANGES[kind] <= value < _RANGES[kind]
    else:
        fits = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not fits:
        raise _mismatch(value, schema, go, where)
    return value


def _check_micro_time(value: str) -> None:
    layout = "2006-01-02T15:04:05.000000Z07:00"
    if not re.match(r"\d{4}", value):
        raise DecodeError(f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"')
    match = re.match(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?!\.\d{6})", value)
    if match:
        rest = value[match.end() :]
        raise DecodeError(f'parsing time "{value}" as "{layout}": cannot parse "{rest}" as ".000000"')


def _bad_byte(text: str) -> int:
    alphabet = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
    return next((i for i, letter in enumerate(text) if letter not in alphabet), len(text) - len(text) % 4)


def _mismatch(value: Any, schema: Schema, go: str, where: str) -> DecodeError:
    target = (
        f"Go struct field {go}.{where} of type {go_type(schema)}" if where else f"Go value of type {go_type(schema)}"
    )
    return DecodeError(f"json: cannot unmarshal {_json_type(value)} into {target}")


def _json_type(value: Any) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object" if isinstance(value, dict) else "null"


def go_type(schema: Schema) -> str:
    if schema.kind == "scalar":
        return _GO.get(schema.scalar) or _GO_SCALARS[schema.scalar]
    if schema.kind == "list":
        assert schema.element is not None
        return f"[]{go_type(schema.element)}"
    if schema.kind == "map":
        assert schema.element is not None
        return f"map[string]{go_type(schema.element)}"
    return f"v1.{schema.type_name.rsplit('.', 1)[-1]}"
