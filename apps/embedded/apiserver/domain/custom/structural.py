"""A structural schema (the openAPIV3Schema of a CRD) at work: merging, pruning and defaults.

Rules: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from apps.embedded.apiserver.domain.schema import ANY, Schema

Object = dict[str, Any]
_SCALARS = {"string": "string", "integer": "int64", "number": "double", "boolean": "bool"}
PRESERVE, EMBEDDED, INT_OR_STRING = (
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-embedded-resource",
    "x-kubernetes-int-or-string",
)
HEAD = ("apiVersion", "kind", "metadata")


def merge_schema(raw: Mapping[str, Any], metadata: Schema | None = None) -> Schema:
    """How objects of a schema merge. ``metadata`` is the type of the field of that name at the top."""
    kind = raw.get("type")
    if raw.get(INT_OR_STRING) or (kind is None and "anyOf" in raw and not raw.get("properties")):
        return Schema("scalar", scalar="intstr")
    if kind == "array":
        items = raw.get("items") or {}
        properties = items.get("properties", {})
        keys = tuple(raw.get("x-kubernetes-list-map-keys", ()))
        defaults = {key: properties[key]["default"] for key in keys if "default" in properties.get(key, {})}
        return Schema(
            "list",
            element=merge_schema(items),
            list_type=raw.get("x-kubernetes-list-type", "atomic"),
            keys=keys,
            key_defaults=defaults,
        )
    atomic = raw.get("x-kubernetes-map-type") == "atomic"
    if kind == "object" or "properties" in raw:
        return _object_schema(raw, metadata, atomic)
    if kind in _SCALARS:
        return Schema("scalar", scalar=_SCALARS[kind])
    return ANY


def _object_schema(raw: Mapping[str, Any], metadata: Schema | None, atomic: bool) -> Schema:
    preserve = bool(raw.get(PRESERVE))
    properties = raw.get("properties")
    extra = raw.get("additionalProperties")
    if properties is None and isinstance(extra, Mapping):
        return Schema("map", element=merge_schema(extra), atomic=atomic)
    if properties is None and (preserve or extra is True):
        return Schema("map", element=ANY, atomic=atomic)

    def fields() -> Mapping[str, Schema]:
        found = {name: merge_schema(child) for name, child in (properties or {}).items()}
        if metadata is not None or raw.get(EMBEDDED):
            found["apiVersion"] = found["kind"] = Schema("scalar", scalar="string")
            found["metadata"] = metadata or ANY
        return found

    element = ANY if preserve else None
    return Schema("struct", resolve_fields=fields, atomic=atomic, preserve_unknown=preserve, element=element)


def prune(value: Any, raw: Mapping[str, Any], path: str, unknown: list[str], *, top: bool = False) -> Any:
    """``value`` without what the schema does not know; paths of dropped fields go to ``unknown``."""
    if isinstance(value, list):
        items = raw.get("items") or {}
        return [prune(item, items, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
    if not isinstance(value, dict):
        return value
    properties, extra = raw.get("properties", {}), raw.get("additionalProperties")
    head = HEAD if top or raw.get(EMBEDDED) else ()
    kept: Object = {}
    for name, child in value.items():
        here = f"{path}.{name}" if path else name
        if name in properties and not (top and name in HEAD):
            kept[name] = prune(child, properties[name], here, unknown)
        elif name in head:
            kept[name] = child
        elif isinstance(extra, Mapping):
            kept[name] = prune(child, extra, here, unknown)
        elif raw.get(PRESERVE) or extra is True:
            kept[name] = child
        else:
            unknown.append(here)
    return kept


def set_defaults(value: Any, raw: Mapping[str, Any]) -> None:
    """Fill in defaults, in place; nulls that the schema does not allow count as absent."""
    if isinstance(value, list):
        for item in value:
            set_defaults(item, raw.get("items") or {})
        return
    if not isinstance(value, dict):
        return
    properties, extra = raw.get("properties", {}), raw.get("additionalProperties")
    for name, child in properties.items():
        if name in value and value[name] is None and not child.get("nullable"):
            del value[name]
        if name not in value and "default" in child:
            value[name] = copy.deepcopy(child["default"])
        if name in value:
            set_defaults(value[name], child)
    if isinstance(extra, Mapping):
        for name, child in value.items():
            if name not in properties:
                set_defaults(child, extra)
