"""The three plain kinds of PATCH: JSON patch (RFC 6902), JSON merge patch (RFC 7386), strategic merge patch."""

from __future__ import annotations

import copy
from functools import cache
from types import MappingProxyType
from typing import Any

from apps.embedded.apiserver.domain.schema import Schema
from apps.embedded.apiserver.domain.strategic import StrategicError, strategic_merge

Object = dict[str, Any]


class PatchError(ValueError):
    """The patch cannot be applied; ``code`` and ``reason`` are those of the Status."""

    def __init__(self, code: int, reason: str, message: str, details: Object | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details


def patched(obj: Object, patch: Any, content_type: str, schema: Schema, *, custom: bool = False) -> Object:
    """The patched object. PatchError when the patch does not fit; the arguments are not changed."""
    if content_type == "application/json-patch+json":
        return json_patch(obj, patch)
    if content_type == "application/merge-patch+json":
        if not isinstance(patch, dict):
            raise PatchError(400, "BadRequest", "error decoding patch: json: cannot unmarshal into an object")
        return merge_patch(obj, patch)
    if content_type == "application/strategic-merge-patch+json" and not custom:
        try:
            return strategic_merge(obj, patch, schema)
        except StrategicError as error:
            raise PatchError(error.code, error.reason, str(error), error.details) from None
    if custom:
        accepted = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
        why = f"the body of the request was in an unknown format - accepted media types include: {accepted}"
        raise PatchError(415, "UnsupportedMediaType", why)
    raise PatchError(415, "UnsupportedMediaType", "415: Unsupported Media Type", {})


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7386; neither argument is changed."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def json_patch(obj: Object, operations: Any) -> Object:
    """RFC 6902; ``obj`` is not changed."""
    import jsonpatch

    if not isinstance(operations, list):
        why = "json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"
        raise PatchError(400, "BadRequest", f"error decoding patch: {why}")
    try:
        return _patch_class()(operations).apply(obj)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError):
        why = "the server rejected our request due to an error in our request"
        raise PatchError(422, "Invalid", why, {}) from None


@cache
def _patch_class() -> Any:
    """The library's patch, with one liberty of the real server: replace also sets a key that is not there yet."""
    import jsonpatch

    class Replace(jsonpatch.ReplaceOperation):
        def apply(self, obj: Any) -> Any:
            parent, part = self.pointer.to_last(obj)
            if part is not None and isinstance(parent, dict):
                parent[part] = self.operation["value"]
                return obj
            return super().apply(obj)

    class Patch(jsonpatch.JsonPatch):
        operations = MappingProxyType({**jsonpatch.JsonPatch.operations, "replace": Replace})

    return Patch
