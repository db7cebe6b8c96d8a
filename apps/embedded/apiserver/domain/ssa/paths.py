"""Sets of field paths, and their form in ``metadata.managedFields`` (FieldsV1).

A path is a tuple of elements in FieldsV1 notation: ``f:name`` (a field or a key of a map), ``k:{"name":"main"}`` (an
item of a list map, by its keys), ``v:"x"`` (an item of a set), ``i:0`` (an index).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

Path = tuple[str, ...]
PathSet = frozenset[Path]
EMPTY: PathSet = frozenset()
FieldsV1 = dict[str, Any]
SELF = "."


def field(name: str) -> str:
    return f"f:{name}"


def key(values: Mapping[str, Any]) -> str:
    return "k:" + _compact(dict(sorted(values.items())))


def item(value: Any) -> str:
    return "v:" + _compact(value)


def _compact(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # an integer of more than 64 bits
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def to_fields_v1(paths: Iterable[Path]) -> FieldsV1:
    """The nested form: a path that has others below it carries ``"."``."""
    root: FieldsV1 = {}
    for path in sorted(paths):
        node = root
        for element in path[:-1]:
            node = node.setdefault(element, {})
        node.setdefault(path[-1], {})
    chosen = set(paths)
    _mark_members(root, (), chosen)
    return root


def _mark_members(node: FieldsV1, prefix: Path, chosen: set[Path]) -> None:
    for element, below in list(node.items()):
        path = (*prefix, element)
        if below:
            _mark_members(below, path, chosen)
            if path in chosen:
                below[SELF] = {}


def from_fields_v1(fields: FieldsV1) -> PathSet:
    """Read the nested form. ValueError when it is not one."""
    found: set[Path] = set()
    _collect(fields, (), found)
    return frozenset(found)


def _collect(node: Any, prefix: Path, found: set[Path]) -> None:
    if not isinstance(node, dict):
        raise ValueError(f"fieldsV1 must be nested objects, and {'/'.join(prefix) or 'the top'} is not")
    for element, below in node.items():
        if element == SELF:
            found.add(prefix)
        elif element[:2] not in ("f:", "k:", "v:", "i:"):
            raise ValueError(f"{element!r} is not an element of a field path")
        elif not below:
            found.add((*prefix, element))
        else:
            _collect(below, (*prefix, element), found)


def show(path: Path) -> str:
    """A path for people: ``.spec.containers[name="main"].image``."""
    shown = ""
    for element in path:
        kind, rest = element[:1], element[2:]
        if kind == "f":
            shown += f".{rest}"
        elif kind == "k":
            pairs = ",".join(f"{name}={_compact(value)}" for name, value in json.loads(rest).items())
            shown += f"[{pairs}]"
        elif kind == "v":
            shown += f"[={rest}]"
        else:
            shown += f"[{rest}]"
    return shown
