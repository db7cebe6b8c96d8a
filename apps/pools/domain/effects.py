"""What a change of an object does to what runs: nothing is replaced, pods are, or the object itself must be."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any, Literal

from apps.pools.domain.fieldpaths import Path

Effect = Literal["inPlace", "restart", "recreate"]
_ORDER: tuple[Effect, ...] = ("inPlace", "restart", "recreate")
# `spec.selector: Invalid value: {…}: field is immutable`, as every validation of Kubernetes words it
_IMMUTABLE = re.compile(r"([A-Za-z][A-Za-z0-9_.\[\]]*): (?:Invalid value|Forbidden)[^\n]*?immutable")


def effect_of(kind: str, path: Path) -> Effect:
    """What changing one field of an object of a kind does."""
    table = _table()
    if any(path[: len(field)] == tuple(field) for field in table["fields"].get(kind, ())):
        return "recreate"
    template = table["templates"].get(kind)
    return "restart" if template is not None and path[: len(template)] == tuple(template) else "inPlace"


def worst(effects: Iterable[Effect]) -> Effect:
    """The most disruptive of some effects; in place when there is none."""
    return max(effects, key=_ORDER.index, default="inPlace")


def immutable_fields(message: str) -> tuple[str, ...]:
    """Fields that a server's refusal calls immutable, as it writes them; () when it refuses for something else."""
    return tuple(dict.fromkeys(_IMMUTABLE.findall(message)))


@functools.cache
def _table() -> Mapping[str, Any]:
    text = resources.files("apps.pools").joinpath("data", "immutable-fields.json").read_text(encoding="utf-8")
    return json.loads(text)
