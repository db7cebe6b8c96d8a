"""/openapi/v3: documents made from the schemas that the server works with, as clients use them.

kubectl looks there for ``fieldValidation`` and ``dryRun`` support and for the types of fields.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import orjson

from apps.embedded.apiserver.domain.schema import Schema
from apps.embedded.apiserver.registry import Registry, Resource
from apps.embedded.apiserver.types import META, schema_of

Object = dict[str, Any]
_SCALARS: dict[str, Object] = {
    "string": {"type": "string"},
    "bytes": {"type": "string", "format": "byte"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "double": {"type": "number", "format": "double"},
    "bool": {"type": "boolean"},
    "quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "intstr": {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
    "time": {"type": "string", "format": "date-time"},
    "microtime": {"type": "string", "format": "date-time"},
}
_WRITE_PARAMETERS = ("dryRun", "fieldManager", "fieldValidation")


def index(registry: Registry) -> Object:
    """Where the document of each group and version lies; the hash changes with the document."""
    paths = {}
    for key, group, version in _groups(registry):
        digest = hashlib.sha256(_identity(registry, group, version)).hexdigest().upper()
        paths[key] = {"serverRelativeURL": f"/openapi/v3/{key}?hash={digest}"}
    return {"paths": paths}


def _identity(registry: Registry, group: str, version: str) -> bytes:
    """What the document is made of, which is much less to compute than the document."""
    return orjson.dumps(
        [
            [
                resource.plural,
                resource.kind,
                list(resource.subresources),
                resource.custom.raw if resource.custom else None,
            ]
            for resource in registry
            if (resource.group, resource.version) == (group, version)
        ]
    )


def find(registry: Registry, key: str) -> Object | None:
    """The document of an index key such as ``apis/apps/v1``."""
    for known, group, version in _groups(registry):
        if known == key:
            return document(registry, group, version)
    return None


def document(registry: Registry, group: str, version: str) -> Object:
    builder = _Builder()
    paths: Object = {}
    for resource in registry:
        if (resource.group, resource.version) == (group, version):
            paths.update(builder.paths(resource))
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.36.2"},
        "paths": paths,
        "components": {"schemas": builder.schemas},
    }


def _groups(registry: Registry) -> Iterable[tuple[str, str, str]]:
    seen = dict.fromkeys((resource.group, resource.version) for resource in registry)
    for group, version in seen:
        yield (f"apis/{group}/{version}" if group else f"api/{version}"), group, version


class _Builder:
    def __init__(self) -> None:
        self.schemas: Object = {}

    def paths(self, resource: Resource) -> Object:
        base = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
        scope = "/namespaces/{namespace}" if resource.namespaced else ""
        gvk = {"group": resource.group, "version": resource.version, "kind": resource.kind}
        body = {"application/json": {"schema": {"$ref": self._root(resource, gvk)}}}
        collection: Object = {}
        single: Object = {}
        places = {"get": (single, "get"), "list": (collection, "get"), "create": (collection, "post")}
        places |= {"update": (single, "put"), "patch": (single, "patch"), "delete": (single, "delete")}
        for verb in resource.verbs:
            if verb in places:
                where, method = places[verb]
                action = "post" if verb == "create" else {"update": "put"}.get(verb, verb)
                where[method] = _operation(action, gvk, body, writing=verb in ("create", "update", "patch"))
        found = {f"{base}{scope}/{resource.plural}": collection}
        if single:
            found[f"{base}{scope}/{resource.plural}/{{name}}"] = single
        return {path: operations for path, operations in found.items() if operations}

    def _root(self, resource: Resource, gvk: Object) -> str:
        name = f"{resource.group or 'core'}.{resource.version}.{resource.kind}"
        if name not in self.schemas:
            self.schemas[name] = {}
            shown = self._inline(schema_of(resource))
            if resource.custom is not None:
                shown["properties"]["metadata"] = {"allOf": [{"$ref": self._struct(META)}]}
            self.schemas[name] = {**shown, "x-kubernetes-group-version-kind": [gvk]}
        return f"#/components/schemas/{name}"

    def _struct(self, schema: Schema) -> str:
        name = schema.type_name
        if name not in self.schemas:
            self.schemas[name] = {}
            self.schemas[name] = self._inline(schema)
        return f"#/components/schemas/{name}"

    def _inline(self, schema: Schema) -> Object:
        properties = {field: self._show(child) for field, child in schema.fields.items()}
        return {"type": "object", "properties": properties}

    def _show(self, schema: Schema) -> Object:
        if schema.kind == "struct":
            shown: Object = {"allOf": [{"$ref": self._struct(schema)}]} if schema.type_name else self._inline(schema)
        elif schema.kind == "list":
            assert schema.element is not None
            shown = {"type": "array", "items": self._show(schema.element), "x-kubernetes-list-type": schema.list_type}
            if schema.keys:
                shown["x-kubernetes-list-map-keys"] = list(schema.keys)
        elif schema.kind == "map":
            assert schema.element is not None
            shown = {"type": "object", "additionalProperties": self._show(schema.element)}
        elif schema.kind == "any":
            shown = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        else:
            shown = dict(_SCALARS.get(schema.scalar, {"type": "string"}))
        if schema.atomic and schema.kind in ("struct", "map"):
            shown["x-kubernetes-map-type"] = "atomic"
        if schema.patch:
            shown["x-kubernetes-patch-strategy"] = ",".join(sorted(schema.patch))
            if schema.merge_key:
                shown["x-kubernetes-patch-merge-key"] = schema.merge_key
        return shown


def _operation(action: str, gvk: Object, body: Object, *, writing: bool) -> Object:
    names = _WRITE_PARAMETERS if writing else (("dryRun",) if action == "delete" else ())
    operation: Object = {
        "responses": {"200": {"description": "OK", "content": body}},
        "x-kubernetes-action": action,
        "x-kubernetes-group-version-kind": gvk,
    }
    if names:
        operation["parameters"] = [{"name": name, "in": "query", "schema": {"type": "string"}} for name in names]
    if writing:
        operation["requestBody"] = {"content": body}
    return operation
