"""Places in an object, as server-side apply knows them: fields by name, items of keyed lists by their key."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$-]*")

# maps that are one value (x-kubernetes-map-type: atomic): a key that somebody added changes what we declared
ATOMIC_MAPS = frozenset({"selector", "matchLabels", "nodeSelector"})


@dataclass(frozen=True, slots=True)
class ItemKey:
    """An item of a keyed list: its key fields and their values, as (("name", "vllm"),)."""

    fields: tuple[tuple[str, Any], ...]

    def __str__(self) -> str:
        return "/".join(str(value) for _, value in self.fields)

    def matches(self, item: object) -> bool:
        return isinstance(item, Mapping) and all(
            item.get(name) == value or (name == "protocol" and value == "TCP" and name not in item)
            for name, value in self.fields
        )


Part = str | ItemKey
Path = tuple[Part, ...]


def shown(path: Path) -> str:
    """The path as people write it: `spec.template.spec.containers[vllm].image`, `metadata.labels["a/b"]`."""
    text = ""
    for part in path:
        if isinstance(part, ItemKey):
            text += f"[{part}]"
        elif _PLAIN.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part, ensure_ascii=False)}]"
    return text


def list_keys(field: str, *lists: Sequence[Any]) -> tuple[str, ...] | None:
    """By which fields the items of a list are known, None for a list that is one value as a whole.

    A candidate counts only where every item of the lists has it and no two items of one list share it.
    """
    for candidate in _candidates().get(field, ()):
        if any(lists) and all(_keyed(items, candidate) for items in lists):
            return candidate
    return None


def key_of(item: Mapping[str, Any], names: tuple[str, ...]) -> ItemKey:
    return ItemKey(tuple((name, _value(item, name)) for name in names))


def _keyed(items: Sequence[Any], names: tuple[str, ...]) -> bool:
    if not all(isinstance(item, Mapping) and all(_plain(_value(item, name)) for name in names) for item in items):
        return False
    keys = [key_of(item, names) for item in items]
    return len(set(keys)) == len(keys)


def _plain(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _value(item: Mapping[str, Any], name: str) -> Any:
    # the one key field that has a default
    return item.get(name, "TCP") if name == "protocol" else item.get(name)


@functools.cache
def _candidates() -> Mapping[str, tuple[tuple[str, ...], ...]]:
    text = resources.files("apps.pools").joinpath("data", "list-keys.json").read_text(encoding="utf-8")
    return {field: tuple(tuple(names) for names in held) for field, held in json.loads(text)["keys"].items()}
