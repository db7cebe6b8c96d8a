"""Values with a schema: which paths they set, how two of them differ, how they merge, and how paths are taken away.

Functions never change their arguments; results may share parts with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from apps.embedded.apiserver.domain.schema import ANY, Schema
from apps.embedded.apiserver.domain.ssa import paths
from apps.embedded.apiserver.domain.ssa.paths import FieldsV1, Path, PathSet
from apps.embedded.apiserver.domain.values import same

ABSENT: Any = object()


class TypedError(ValueError):
    """The value does not fit its schema; the text names the path."""


def deduce(schema: Schema, value: Any) -> Schema:
    """What an untyped value is by its shape: maps merge by key, lists are atomic."""
    if schema.kind != "any":
        return schema
    if schema.atomic:
        return _ANY_SCALAR
    if isinstance(value, dict):
        return _ANY_MAP
    if isinstance(value, list):
        return _ANY_LIST
    return _ANY_SCALAR


_ANY_MAP = Schema("map", element=ANY)
_ANY_LIST = Schema("list", element=ANY)
_ANY_SCALAR = Schema("scalar", scalar="any")


def element_of(item: Any, schema: Schema) -> str:
    """The path element of a list item. TypedError when a key is missing or has the wrong shape."""
    if schema.list_type == "set":
        if isinstance(item, (dict, list)):
            raise TypedError("associative list without keys has an element that's a map or a list type")
        return paths.item(item)
    if not isinstance(item, dict):
        raise TypedError("associative list with keys may not have non-map elements")
    values = {}
    for name in schema.keys:
        if item.get(name) is not None:
            values[name] = item[name]
        elif name in schema.key_defaults:
            values[name] = schema.key_defaults[name]
    if not values:
        names = " or ".join(schema.keys)
        raise TypedError(f"associative list with keys has an element that omits all key fields {names!r}")
    return paths.key(values)


def is_atomic(schema: Schema) -> bool:
    if schema.kind == "list":
        return schema.atomic or schema.list_type == "atomic"
    return schema.kind == "scalar" or schema.atomic


def validate(value: Any, schema: Schema, path: Path = ()) -> Iterator[str]:
    """What keeps a value from being of its type, as sentences beginning with the path."""
    if value is None:
        return
    schema = deduce(schema, value)
    if schema.kind == "list":
        if isinstance(value, list):
            yield from _validate_list(value, schema, path)
        else:
            yield f"{paths.show(path)}: expected list, got {_go(value)}"
    elif schema.kind in ("map", "struct"):
        if not isinstance(value, dict):
            yield f"{paths.show(path)}: expected map, got {_go(value)}"
            return
        for name, child in value.items():
            if schema.kind == "struct" and name not in schema.fields and not schema.preserve_unknown:
                yield f"{paths.show(path)}.{name}: field not declared in schema"
            else:
                yield from validate(child, schema.child(name), (*path, paths.field(name)))
    elif not _scalar_fits(value, schema.scalar):
        wanted = {"bool": "boolean", "string": "string"}.get(schema.scalar, "numeric (int or float)")
        yield f"{paths.show(path)}: expected {wanted}, got {_go(value)}"


def _validate_list(value: list[Any], schema: Schema, path: Path) -> Iterator[str]:
    assert schema.element is not None
    seen: set[str] = set()
    for index, entry in enumerate(value):
        if schema.list_type == "atomic":
            step = f"i:{index}"
        else:
            try:
                step = element_of(entry, schema)
            except TypedError as error:
                yield f"{paths.show(path)}: element {index}: {error}"
                continue
            if step in seen:
                yield f"{paths.show(path)}: duplicate entries for key {paths.show((step,))}"
            seen.add(step)
        yield from validate(entry, schema.element, (*path, step))


def _scalar_fits(value: Any, scalar: str) -> bool:
    if isinstance(value, (dict, list)):
        return False
    if scalar in ("string", "bytes", "time", "microtime"):
        return isinstance(value, str)
    if scalar == "bool":
        return isinstance(value, bool)
    if scalar in ("int32", "int64", "double"):
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return True


def _go(value: Any) -> str:
    if isinstance(value, bool):
        value = "true" if value else "false"
    return f"&value.valueUnstructured{{Value:{_go_literal(value)}}}"


def _go_literal(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict):
        return "map[string]interface {}{" + ", ".join(f'"{k}":{_go_literal(v)}' for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[]interface {}{" + ", ".join(_go_literal(v) for v in value) + "}"
    return str(value)


def field_set(value: Any, schema: Schema) -> PathSet:
    """All paths that a value sets: leaves, atomic parts, items of lists, keys of maps, and empty maps."""
    found: set[Path] = set()
    _field_set(value, schema, (), found)
    return frozenset(found)


def _field_set(value: Any, schema: Schema, path: Path, found: set[Path]) -> None:
    schema = deduce(schema, value)
    if is_atomic(schema):
        found.add(path)
    elif isinstance(value, list):
        assert schema.element is not None
        for step, entries in _index(value, schema).items():
            found.add((*path, step))
            if len(entries) == 1:
                _field_set(entries[0], schema.element, (*path, step), found)
    elif isinstance(value, dict):
        for name, child in value.items():
            below = (*path, paths.field(name))
            _field_set(child, schema.child(name), below, found)
            if child is None or child == {} or name not in schema.fields:
                found.add(below)


def _index(value: Sequence[Any] | None, schema: Schema) -> dict[str, list[Any]]:
    indexed: dict[str, list[Any]] = {}
    for entry in value or ():
        indexed.setdefault(element_of(entry, schema), []).append(entry)
    return indexed


@dataclass
class Comparison:
    """How a new value differs from an old one."""

    added: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)

    def without(self, ignored: Any) -> Comparison:
        """The same, leaving out paths for which ``ignored`` is true."""
        return Comparison(*({p for p in part if not ignored(p)} for part in (self.added, self.modified, self.removed)))

    @property
    def same(self) -> bool:
        return not (self.added or self.modified or self.removed)


def compare(old: Any, new: Any, schema: Schema) -> Comparison:
    result = Comparison()
    _compare(old, new, schema, (), result)
    return result


def _compare(old: Any, new: Any, schema: Schema, path: Path, result: Comparison) -> None:
    if isinstance(old, (dict, list)) and old == new and (not schema.has_free_parts or same(old, new)):
        return
    before, after = deduce(schema, old), deduce(schema, new)
    if new is ABSENT:
        leaf = _compare_as(old, new, before, path, result)
    elif old is ABSENT or before is after:
        leaf = _compare_as(old, new, after, path, result)
    else:
        leaf = _compare_as(old, new, before, path, result)
        leaf = _compare_as(old, new, after, path, result) or leaf
    if not leaf:
        if old is ABSENT:
            result.added.add(path)
        elif new is ABSENT:
            result.removed.add(path)


def _compare_as(old: Any, new: Any, schema: Schema, path: Path, result: Comparison) -> bool:
    """Compare two values as one type; true when they were compared as a whole."""
    nothing = _is_empty(old) and _is_empty(new)
    if is_atomic(schema) or nothing:
        if old is ABSENT:
            result.added.add(path)
        elif new is ABSENT:
            result.removed.add(path)
        elif not same(old, new):
            result.modified.add(path)
        return True
    if schema.kind == "list":
        assert schema.element is not None
        left = _index(old if isinstance(old, list) else None, schema)
        right = _index(new if isinstance(new, list) else None, schema)
        for step in dict.fromkeys([*left, *right]):
            _compare_items(left.get(step, []), right.get(step, []), schema.element, (*path, step), result)
        return False
    left_map = old if isinstance(old, dict) else {}
    right_map = new if isinstance(new, dict) else {}
    for name in dict.fromkeys([*left_map, *right_map]):
        below = (*path, paths.field(name))
        _compare(left_map.get(name, ABSENT), right_map.get(name, ABSENT), schema.child(name), below, result)
    return False


def _compare_items(left: list[Any], right: list[Any], schema: Schema, path: Path, result: Comparison) -> None:
    """Items of one key. Duplicates, which only old objects can have, are compared as a whole."""
    if len(left) <= 1 and len(right) <= 1:
        _compare(left[0] if left else ABSENT, right[0] if right else ABSENT, schema, path, result)
    elif not left:
        result.added.add(path)
    elif not right:
        result.removed.add(path)
    elif not same(left, right):
        result.modified.add(path)


def _is_empty(value: Any) -> bool:
    return value is ABSENT or value is None or (isinstance(value, (dict, list)) and not value)


def merge(live: Any, config: Any, schema: Schema) -> Any:
    """``live`` with everything that ``config`` sets."""
    if config is ABSENT:
        return live
    schema = deduce(schema, config)
    if is_atomic(schema) or live is ABSENT:
        return config
    if _is_empty(config):
        return live if isinstance(live, (dict, list)) and live else config
    if not isinstance(live, type(config)):
        return config
    if schema.kind == "list":
        return _merge_lists(live, config, schema)
    merged = {}
    for name in dict.fromkeys([*live, *config]):
        merged[name] = merge(live.get(name, ABSENT), config.get(name, ABSENT), schema.child(name))
    return merged


def _merge_lists(live: list[Any], config: list[Any], schema: Schema) -> list[Any]:
    """Items of ``config`` in its order; those only in ``live`` stay where they were, relative to what they share."""
    assert schema.element is not None
    right = [element_of(entry, schema) for entry in config]
    left = [element_of(entry, schema) for entry in live]
    by_right = dict(zip(right, config, strict=True))
    by_left: dict[str, Any] = {}
    for step, entries in _index(live, schema).items():
        if len(entries) == 1:
            by_left[step] = entries[0]
    shared = [step for step in right if step in set(left)]
    next_shared = 0
    out: list[Any] = []
    done: set[str] = set()

    def both(step: str) -> Any:
        return merge(by_left.get(step, ABSENT), by_right[step], schema.element or ANY)

    i = j = 0
    while i < len(left) or j < len(right):
        if i < len(left) and j < len(right):
            step = left[i]
            if step == right[j]:
                done.add(step)
                out.append(both(step))
                i, j, next_shared = i + 1, j + 1, next_shared + 1
                continue
            if step in by_right and next_shared < len(shared) and shared[next_shared] != step:
                i += 1
                continue
        if i < len(left):
            step = left[i]
            if step not in by_right:
                out.append(live[i])
                i += 1
                continue
            if step in done:
                i += 1
        if j < len(right):
            step = right[j]
            done.add(step)
            out.append(both(step))
            j += 1
            if next_shared < len(shared) and shared[next_shared] == step:
                next_shared += 1
    return out


def remove(value: Any, schema: Schema, gone: FieldsV1) -> Any:
    """``value`` without the paths of ``gone`` (nested form); None when nothing of a map or list is left."""
    schema = deduce(schema, value)
    if not isinstance(value, (dict, list)) or not value:
        return value
    if is_atomic(schema):
        return None
    if isinstance(value, list):
        assert schema.element is not None
        kept = []
        for entry in value:
            below = gone.get(element_of(entry, schema))
            if below is not None and _is_member(below):
                continue
            kept.append(remove(entry, schema.element, below) if below else entry)
        return kept or None
    left: dict[str, Any] = {}
    for name, child in value.items():
        below = gone.get(paths.field(name))
        if below is not None and _is_member(below):
            continue
        left[name] = remove(child, schema.child(name), below) if below else child
    return left or None


def _is_member(below: FieldsV1) -> bool:
    return not below or paths.SELF in below


def with_named_fields(chosen: PathSet, schema: Schema) -> PathSet:
    """Also the struct fields on the way to each path (but not keys of maps), so that an empty struct can go too."""
    found: set[Path] = set(chosen)
    nodes: dict[Path, Schema] = {(): schema}
    for path in chosen:
        for depth in range(1, len(path)):
            prefix = path[:depth]
            if prefix in nodes:
                continue
            parent, element = nodes[path[: depth - 1]], path[depth - 1]
            if element.startswith("f:"):
                name = element[2:]
                if name in parent.fields:
                    found.add(prefix)
                nodes[prefix] = parent.child(name)
            else:
                nodes[prefix] = parent.element or ANY
    return frozenset(found)
