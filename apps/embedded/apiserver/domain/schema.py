"""Types of Kubernetes objects: enough to decode, to merge and to say who owns what.

Built-in types come from ``data/types.json``, where a field's type is one short expression::

    string int32 int64 double bool bytes quantity intstr time microtime any     scalars, and JSON of any shape
    Container          the struct of that name            []T  list of T            {}T  map of string to T

followed by words: ``set``, ``map:key,key=default`` (how a list merges; lists are atomic without), ``atomic`` (a map or
struct that has one owner), ``merge``, ``merge:key``, ``replace``, ``retainKeys`` (strategic merge patch), ``!`` (the
server writes the field even when it is empty), ``!null`` (it writes null then), ``?`` (the other way round than usual:
a zero number or false is dropped, an empty string is kept).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

Kind = Literal["struct", "map", "list", "scalar", "any"]


@dataclass
class Schema:
    """One node. ``scalar`` names the scalar type; ``list_type`` is atomic, set or map (by ``keys``)."""

    kind: Kind
    scalar: str = ""
    type_name: str = ""
    resolve_fields: Callable[[], Mapping[str, Schema]] | None = None
    element: Schema | None = None
    list_type: str = "atomic"
    keys: tuple[str, ...] = ()
    key_defaults: Mapping[str, Any] = field(default_factory=dict)
    atomic: bool = False
    always: bool = False
    null: bool = False
    zero_flipped: bool = False
    patch: frozenset[str] = frozenset()
    merge_key: str = ""
    preserve_unknown: bool = False

    @cached_property
    def fields(self) -> Mapping[str, Schema]:
        return self.resolve_fields() if self.resolve_fields is not None else {}

    def child(self, name: str) -> Schema:
        """The schema of a field of a struct or of a value of a map; ANY for what the schema does not know."""
        found = self.fields.get(name)
        return found if found is not None else (self.element or ANY)

    @cached_property
    def has_free_parts(self) -> bool:
        """Whether values of any type may lie in it."""
        seen: set[int] = set()
        pending = [self]
        while pending:
            node = pending.pop()
            if node.kind == "any" or node.scalar == "any" or node.preserve_unknown:
                return True
            fields = node.fields
            if id(fields) in seen:
                continue
            if fields:
                seen.add(id(fields))
            pending += [*fields.values(), *([node.element] if node.element is not None else [])]
        return False


ANY = Schema("any")
STRING = Schema("scalar", scalar="string")


class TypeTable:
    """The built-in types by name. Nodes are made when first asked for."""

    def __init__(self, table: Mapping[str, Any]) -> None:
        self._types: Mapping[str, Any] = table["types"]
        self._roots: Mapping[str, str] = table["roots"]
        self._structs: dict[str, Mapping[str, Schema]] = {}

    def root(self, group: str, version: str, kind: str) -> Schema:
        return self.parse(self._roots[f"{group}/{version}/{kind}"])

    def parse(self, expression: str) -> Schema:
        """Read one type expression. KeyError names a type that the table does not have."""
        base, *words = expression.split()
        options: dict[str, Any] = {}
        patch = set()
        for word in words:
            name, _, value = word.partition(":")
            if name == "map":
                options |= {"list_type": "map"} | _keys(value)
            elif name == "set":
                options["list_type"] = "set"
            elif name == "atomic":
                options["atomic"] = True
            elif name == "!":
                options["always"] = True
            elif name == "!null":
                options |= {"always": True, "null": True}
            elif name == "?":
                options["zero_flipped"] = True
            else:
                patch.add(name)
                options["merge_key"] = value or options.get("merge_key", "")
        return self._node(base, patch=frozenset(patch), **options)

    def _node(self, base: str, **options: Any) -> Schema:
        if base.startswith("[]"):
            return Schema("list", element=self._node(base[2:]), **options)
        if base.startswith("{}"):
            return Schema("map", element=self._node(base[2:]), **options)
        if base == "any":
            return Schema("any", **options)
        if base in self._types:
            if self._types[base].get("atomic"):
                options["atomic"] = True
            return Schema("struct", type_name=base, resolve_fields=lambda: self._struct(base), **options)
        if base[0].isupper() or "." in base:
            raise KeyError(base)
        return Schema("scalar", scalar=base, **options)

    def _struct(self, name: str) -> Mapping[str, Schema]:
        if name not in self._structs:
            fields = self._types[name]["fields"]
            self._structs[name] = {key: self.parse(expression) for key, expression in fields.items()}
        return self._structs[name]


def _keys(text: str) -> dict[str, Any]:
    """``a,b=TCP`` as the keys of a list map and the values that a key has when it is left out."""
    names: list[str] = []
    defaults: dict[str, Any] = {}
    for part in text.split(","):
        name, has_default, value = part.partition("=")
        names.append(name)
        if has_default:
            defaults[name] = int(value) if value.isdecimal() else value
    return {"keys": tuple(names), "key_defaults": defaults}
