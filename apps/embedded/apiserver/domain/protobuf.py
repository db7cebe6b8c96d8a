"""Bodies in Kubernetes' protobuf form, for the few kinds that kubectl sends so: `kubectl create` of namespaces, config
maps, secrets and service accounts, and the questions of `kubectl auth`. Field numbers are those of the API's
generated.proto files (k8s.io/api core/v1, authorization/v1, authentication/v1, apimachinery meta/v1).

A body is the four bytes `k8s\\0` and a runtime.Unknown message: type (1) and the object's own bytes (2).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import Any

MAGIC = b"k8s\x00"
Object = dict[str, Any]
Field = tuple[str, str]
_TIME_NOBODY_SET = ("", "ignored")
_META: Mapping[int, Field] = {
    1: ("name", "string"), 2: ("generateName", "string"), 3: ("namespace", "string"), 4: ("selfLink", "string"),
    5: ("uid", "string"), 6: ("resourceVersion", "string"), 7: ("", "ignored"), 8: _TIME_NOBODY_SET,
    11: ("labels", "map:string"), 12: ("annotations", "map:string"), 14: ("finalizers", "[]string"),
}  # fmt: skip
_ASKED: Mapping[int, Field] = {
    1: ("namespace", "string"), 2: ("verb", "string"), 3: ("group", "string"), 4: ("version", "string"),
    5: ("resource", "string"), 6: ("subresource", "string"), 7: ("name", "string"),
}  # fmt: skip
_PARTS: Mapping[str, Mapping[int, Field]] = {
    "meta": _META,
    "access": {1: ("resourceAttributes", "resource"), 2: ("nonResourceAttributes", "path")},
    "resource": _ASKED,
    "path": {1: ("path", "string"), 2: ("verb", "string")},
    "rules": {1: ("namespace", "string")},
}
_CORE, _AUTHORIZATION, _AUTHENTICATION = "v1", "authorization.k8s.io/v1", "authentication.k8s.io/v1"
_VERSIONS: Mapping[str, str] = {
    "SelfSubjectAccessReview": _AUTHORIZATION,
    "SelfSubjectRulesReview": _AUTHORIZATION,
    "SelfSubjectReview": _AUTHENTICATION,
}
_KINDS: Mapping[str, Mapping[int, Field]] = {
    "Namespace": {1: ("metadata", "meta"), 2: ("", "ignored"), 3: ("", "ignored")},
    "ConfigMap": {
        1: ("metadata", "meta"), 2: ("data", "map:string"), 3: ("binaryData", "map:bytes"), 4: ("immutable", "bool"),
    },
    "Secret": {
        1: ("metadata", "meta"), 2: ("data", "map:bytes"), 3: ("type", "string"), 4: ("stringData", "map:string"),
        5: ("immutable", "bool"),
    },
    "ServiceAccount": {1: ("metadata", "meta"), 4: ("automountServiceAccountToken", "bool")},
    "SelfSubjectAccessReview": {1: ("metadata", "meta"), 2: ("spec", "access"), 3: ("", "ignored")},
    "SelfSubjectRulesReview": {1: ("metadata", "meta"), 2: ("spec", "rules"), 3: ("", "ignored")},
    "SelfSubjectReview": {1: ("metadata", "meta"), 2: ("", "ignored")},
}  # fmt: skip


class ProtobufError(ValueError):
    """The body is not protobuf, or of a kind or with a field that is not read in this form."""


def decode(body: bytes) -> Object:
    """The object in a body, as JSON would have it. Raises ProtobufError."""
    if not body.startswith(MAGIC):
        raise ProtobufError("it does not begin with the four bytes of Kubernetes' protobuf")
    envelope = dict(_fields(body[len(MAGIC) :]))
    head = dict(_fields(_bytes(envelope.get(1, b""))))
    version, kind = _text(head.get(1, b"")), _text(head.get(2, b""))
    if kind not in _KINDS or version != _VERSIONS.get(kind, _CORE):
        raise ProtobufError(f"{kind or 'this kind'} ({version}) is not read in this form")
    return {"apiVersion": version, "kind": kind, **_message(_bytes(envelope.get(2, b"")), _KINDS[kind])}


def _message(data: bytes, table: Mapping[int, Field]) -> Object:
    found: Object = {}
    for number, value in _fields(data):
        if number not in table:
            raise ProtobufError(f"field {number} is not read in this form")
        name, form = table[number]
        match form:
            case "string":
                text = _text(value)
                if text:
                    found[name] = text
            case "bool":
                found[name] = bool(value)
            case "[]string":
                found.setdefault(name, []).append(_text(value))
            case part if part in _PARTS:
                found[name] = _message(_bytes(value), _PARTS[part])
            case "map:string" | "map:bytes":
                entry = dict(_fields(_bytes(value)))
                raw = _bytes(entry.get(2, b""))
                shown = base64.b64encode(raw).decode() if form == "map:bytes" else _text(raw)
                found.setdefault(name, {})[_text(entry.get(1, b""))] = shown
    return found


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of each field: an integer for a varint, the bytes of anything else."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == 2:
            length, position = _varint(data, position)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ProtobufError(f"wire type {wire} does not exist")
        if position + length > len(data):
            raise ProtobufError("it is cut off")
        yield number, data[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, position
        shift += 7
    raise ProtobufError("it is cut off")


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ProtobufError("a number stands where a message or text belongs")
    return value


def _text(value: int | bytes) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError:
        raise ProtobufError("a text is not UTF-8") from None
