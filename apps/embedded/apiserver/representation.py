"""From an object, a list or an event to the bytes of an answer, in the form that the client asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson

from apps.embedded.apiserver.call import Call
from apps.embedded.apiserver.domain import tables
from apps.embedded.apiserver.domain.request import Representation
from apps.embedded.apiserver.domain.status import ApiError
from apps.embedded.apiserver.resources import show

Object = dict[str, Any]


def represent(call: Call, body: Object, form: Representation) -> Object:
    """A Status stays as it is; everything else is turned into the wanted form."""
    if form.form == "Object" or body.get("kind") == "Status" or call.path.subresource not in ("", "status"):
        return body
    is_list = "items" in body and body["kind"].endswith("List")
    if form.form == "Table":
        objects = [_headed(call, item) for item in body["items"]] if is_list else [body]
        metadata = body["metadata"] if is_list else {"resourceVersion": body["metadata"].get("resourceVersion", "")}
        return _table(call, objects, {key: value for key, value in metadata.items() if value != ""})
    if is_list and form.form == "PartialObjectMetadata":
        kind = f"{call.resource.group or 'core'}.{body['kind']}".replace(".k8s.io", "")
        why = f"you requested PartialObjectMetadata, but the requested object is a list (*{kind})"
        raise ApiError(406, "NotAcceptable", why)
    if not is_list:
        return tables.partial(body)
    items = [{**tables.partial(item)} for item in body["items"]]
    return {
        "kind": "PartialObjectMetadataList",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {key: value for key, value in body["metadata"].items() if value != ""},
        "items": items,
    }


class EventLines:
    """Events as lines of streams: what several watches tell of one write is made and encoded once."""

    MOST = 256

    def __init__(self) -> None:
        self._kept: dict[tuple[object, ...], bytes] = {}

    def line(self, call: Call, kind: str, obj: Object, form: Representation, *, first: bool) -> bytes:
        """``first``: of its stream; only the first table names its columns."""
        if form.form != "Object" or kind not in ("ADDED", "MODIFIED", "DELETED"):
            shown = obj if kind == "ERROR" else _event_object(call, kind, show(call.resource, obj), form, first=first)
            return _line(kind, shown)
        # a write gives its object a number that no other write has; a changed definition shows it otherwise
        key = (kind, obj["metadata"]["resourceVersion"], call.resource.api_version, call.resource.custom)
        found = self._kept.get(key)
        if found is None:
            found = self._kept[key] = _line(kind, show(call.resource, obj))
            if len(self._kept) > self.MOST:
                self._kept.pop(next(iter(self._kept)))
        return found


def _line(kind: str, shown: Object) -> bytes:
    return orjson.dumps({"type": kind, "object": shown}) + b"\n"


def _event_object(call: Call, kind: str, obj: Object, form: Representation, *, first: bool) -> Object:
    if form.form == "Object":
        return obj
    if form.form == "Table":
        shown = _table(
            call, [] if kind == "BOOKMARK" else [obj], {"resourceVersion": obj["metadata"]["resourceVersion"]}
        )
        if not first:
            shown["columnDefinitions"] = None
        return shown
    return tables.partial(obj)


def encode(body: Object, form: Representation) -> tuple[str, bytes]:
    """(content type, bytes)."""
    if form.media_type == "application/yaml":
        import yaml

        return "application/yaml", yaml.safe_dump(body, sort_keys=True).encode()
    return "application/json", orjson.dumps(body)


def _headed(call: Call, item: Object) -> Object:
    return {**item, "kind": call.resource.kind, "apiVersion": call.resource.api_version}


def _table(call: Call, objects: list[Object], metadata: Object) -> Object:
    resource = call.resource
    if resource.custom is not None:
        columns, cells = tables.custom_columns(resource.custom.columns)
    else:
        columns, cells = tables.columns_for(resource.group, resource.kind)
    include = call.query.get("includeObject") or "Metadata"
    return tables.table(objects, columns, cells, datetime.now(UTC), include, metadata)
