"""The schema of every served resource, and reading a request's object by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from apps.embedded.apiserver.call import Call
from apps.embedded.apiserver.domain import jsonbody, protobuf
from apps.embedded.apiserver.domain.decode import DecodeError, Decoder, empty
from apps.embedded.apiserver.domain.schema import Schema, TypeTable
from apps.embedded.apiserver.domain.status import ApiError, bad_request
from apps.embedded.apiserver.registry import Resource

Object = dict[str, Any]
TABLE = TypeTable(orjson.loads((Path(__file__).parent / "data" / "types.json").read_bytes()))
PROTOBUF = "application/vnd.kubernetes.protobuf"
META = TABLE.parse("ObjectMeta !")


def schema_of(resource: Resource) -> Schema:
    if resource.custom is not None:
        schema: Schema = resource.custom.schema
        return schema
    return TABLE.root(resource.group, resource.version, resource.kind)


def blank(resource: Resource) -> Object:
    """The object before any write, as it counts for field ownership."""
    head = {"apiVersion": resource.api_version, "kind": resource.kind}
    return {**head, "metadata": {}} if resource.custom is not None else {**empty(schema_of(resource)), **head}


def read_object(call: Call, body: bytes, *, resource: Resource | None = None) -> Object:
    """The object in a request's body, decoded. ApiError 400 says what is wrong; warnings go to the call."""
    resource = resource or call.resource
    if call.content_type not in ("", "application/json", "application/yaml", "*/*", PROTOBUF):
        message = "the body of the request was in an unknown format - accepted media types include: "
        accepted = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
        raise ApiError(415, "UnsupportedMediaType", message + accepted)
    must = f"the object provided is unrecognized (must be of type {resource.kind}): couldn't get version/kind; "
    repeated: list[str] = []
    try:
        if call.content_type == PROTOBUF:
            value = protobuf.decode(body)
        elif call.content_type == "application/yaml":
            value = jsonbody.parse_yaml(body)
        else:
            value, repeated = jsonbody.parse_json(body)
    except protobuf.ProtobufError as error:
        why = (
            f"the embedded cluster reads JSON and YAML, and of protobuf only what kubectl create sends for namespaces, "
            f"config maps, secrets and service accounts, and kubectl auth for its questions ({error}): send a manifest "
            f"(kubectl apply -f, create -f)"
        )
        raise ApiError(415, "UnsupportedMediaType", why) from None
    except jsonbody.BodyError as error:
        raise bad_request(f"{must}json parse error: {error} ({_excerpt(body)})") from None
    if not isinstance(value, dict):
        fields = '{ APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }'
        shape = "array" if isinstance(value, list) else "string"
        go = f"json: cannot unmarshal {shape} into Go value of type struct {fields}"
        raise bad_request(f"{must}json parse error: {go} ({_excerpt(body)})")
    _check_type(value, resource, body)
    decoded, unknown = decode(value, resource)
    report_unknown(
        call, resource, [f'unknown field "{p}"' for p in unknown] + [f'duplicate field "{p}"' for p in repeated]
    )
    return decoded


def decode(value: Any, resource: Resource) -> tuple[Object, list[str]]:
    """The object in the form that is stored, and the paths of fields that its type does not have."""
    try:
        if not isinstance(value, dict):
            raise DecodeError("the object must be a JSON object")
        if resource.custom is not None:
            decoded, unknown = resource.custom.decode(value)
        else:
            decoder = Decoder()
            decoded, unknown = decoder.decode(value, schema_of(resource)), decoder.unknown
    except DecodeError as error:
        raise bad_request(_cannot_handle(resource, str(error))) from None
    decoded["apiVersion"], decoded["kind"] = resource.api_version, resource.kind
    decoded.setdefault("metadata", {})
    return decoded, unknown


def report_unknown(call: Call, resource: Resource, complaints: list[str]) -> None:
    """Refuse, warn or stay silent, as fieldValidation says."""
    if not complaints:
        return
    validation = call.query.get("fieldValidation") or "Warn"
    if validation == "Strict":
        raise bad_request(_cannot_handle(resource, f"strict decoding error: {', '.join(complaints)}"))
    if validation == "Warn":
        call.warnings.extend(complaints)


def _cannot_handle(resource: Resource, why: str) -> str:
    return f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {why}'


def _check_type(value: Object, resource: Resource, body: bytes) -> None:
    kind, version = value.get("kind") or "", value.get("apiVersion") or ""
    if not (isinstance(kind, str) and isinstance(version, str)):
        raise bad_request(_cannot_handle(resource, "apiVersion and kind must be strings"))
    if resource.custom is not None and not (kind and version):
        missing = "Kind" if not kind else "apiVersion"
        why = f"Object '{missing}' is missing in '{body.decode(errors='replace')}'"
        raise bad_request(
            f"the object provided is unrecognized (must be of type {resource.kind}): {why} ({_excerpt(body)})"
        )
    wanted = resource.api_version
    if version and version != wanted:
        group = version.rpartition("/")[0]
        if group == resource.group and "/" in version:
            why = f"the API version in the data ({version}) does not match the expected API version ({wanted})"
            raise bad_request(why)
        scheme = "pkg/runtime/scheme.go:111"
        why = f'no kind "{kind or resource.kind}" is registered for version "{version}" in scheme "{scheme}"'
        raise bad_request(
            f'{kind} in version "{version.rpartition("/")[2]}" cannot be handled as a {resource.kind}: {why}'
        )
    if kind and kind != resource.kind:
        internal = resource.group or "core"
        why = f"converting (v1.{kind}) to ({internal}.{resource.kind}): unknown conversion"
        raise bad_request(f'{kind} in version "{resource.version}" cannot be handled as a {resource.kind}: {why}')


def _excerpt(body: bytes) -> str:
    if not body:
        return "<empty>"
    text = body.decode(errors="replace")
    if not text.startswith("{"):
        return body.hex() if len(body) <= 16 else body[:16].hex() + " ..."
    return text if len(text) <= 30 else text[:30] + " ..."
