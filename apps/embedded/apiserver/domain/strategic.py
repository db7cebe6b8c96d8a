"""Strategic merge patch: lists merge by the key that the type names, directives begin with ``$``.

Directives: ``$patch: replace|delete|merge``, ``$retainKeys``, ``$setElementOrder/<field>``,
``$deleteFromPrimitiveList/<field>``. Rules of k8s.io/apimachinery/pkg/util/strategicpatch.
"""

from __future__ import annotations

import copy
from typing import Any

from apps.embedded.apiserver.domain.schema import Schema

Object = dict[str, Any]
ORDER, FROM_PRIMITIVE = "$setElementOrder/", "$deleteFromPrimitiveList/"


class StrategicError(ValueError):
    """The patch is malformed; the text says how. ``code`` and ``reason`` are those of the Status."""

    code, reason = 500, ""
    details: Object | None = None


def strategic_merge(target: Object, patch: Object, schema: Schema) -> Object:
    """The patched object; the arguments are not changed. StrategicError when a directive cannot be used."""
    return _merge_map(copy.deepcopy(target), copy.deepcopy(patch), schema)


def _merge_map(target: Object, patch: Object, schema: Schema) -> Object:
    directive = patch.pop("$patch", None)
    if directive == "replace":
        return patch
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise StrategicError(f"Unknown patch type found: {directive}")
    retained = patch.pop("$retainKeys", None)
    if retained is not None:
        target = {key: value for key, value in target.items() if key in retained}
    orders = {key[len(ORDER) :]: patch.pop(key) for key in list(patch) if key.startswith(ORDER)}
    for key in [key for key in patch if key.startswith(FROM_PRIMITIVE)]:
        field, gone = key[len(FROM_PRIMITIVE) :], patch.pop(key)
        if isinstance(target.get(field), list):
            target[field] = [value for value in target[field] if value not in gone]
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
            continue
        child = schema.child(key)
        if isinstance(value, dict):
            below = target.get(key)
            target[key] = _merge_map(below if isinstance(below, dict) else {}, value, child)
        elif isinstance(value, list) and "merge" in child.patch and child.kind == "list":
            below = target.get(key)
            target[key] = _merge_list(below if isinstance(below, list) else [], value, child, orders.pop(key, value))
        else:
            target[key] = value
    for key, order in orders.items():
        child = schema.child(key)
        if isinstance(target.get(key), list):
            target[key] = _ordered(target[key], order, child, target[key])
    return {key: value for key, value in target.items() if value is not None}


def _merge_list(target: list[Any], patch: list[Any], schema: Schema, order: list[Any]) -> list[Any]:
    before = list(target)
    if not schema.merge_key:
        merged = target + [value for value in patch if value not in target]
        return _ordered(list(dict.fromkeys(merged)), order, schema, before)
    key = schema.merge_key
    assert schema.element is not None
    if any(isinstance(item, dict) and item.get("$patch") == "replace" for item in patch):
        return [item for item in patch if "$patch" not in item]
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            shown = (
                " ".join(f"{name}:{value}" for name, value in sorted(item.items())) if isinstance(item, dict) else item
            )
            raise StrategicError(f"map: map[{shown}] does not contain declared merge key: {key}")
        same = [index for index, known in enumerate(target) if known.get(key) == item[key]]
        if item.get("$patch") == "delete":
            target = [known for known in target if known.get(key) != item[key]]
        elif same:
            target[same[0]] = _merge_map(target[same[0]], item, schema.element)
        else:
            target.append(_merge_map({}, item, schema.element))
    return _ordered(target, order, schema, before)


def _ordered(items: list[Any], order: list[Any], schema: Schema, before: list[Any]) -> list[Any]:
    """Items named in ``order`` in that order; the server's others stay next to what they stood behind."""
    key = schema.merge_key

    def name(item: Any) -> Any:
        return item.get(key) if key and isinstance(item, dict) else item

    wanted = [name(item) for item in order]
    listed = sorted((item for item in items if name(item) in wanted), key=lambda item: wanted.index(name(item)))
    others = [item for item in items if name(item) not in wanted]
    places = [name(item) for item in before]
    result: list[Any] = []
    while listed or others:
        if not others:
            result.append(listed.pop(0))
        elif not listed:
            result.append(others.pop(0))
        else:
            first, other = name(listed[0]), name(others[0])
            ahead = first in places and other in places and places.index(other) < places.index(first)
            result.append(others.pop(0) if ahead else listed.pop(0))
    return result
