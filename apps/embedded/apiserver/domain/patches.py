"""JSON merge patch (RFC 7386) and JSON patch (RFC 6902)."""

from __future__ import annotations

import copy
from typing import Any

Object = dict[str, Any]


def merge_patch(target: Any, patch: Any) -> Any:
    """The patched value; neither argument is changed."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def apply_json_patch(target: Object, operations: Any) -> Object:
    import jsonpatch

    return jsonpatch.apply_patch(target, operations)
