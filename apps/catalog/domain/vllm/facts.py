"""The flag and metric tables of the vLLM versions that we know."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

TABLE_VERSIONS = ("0.14", "0.32", "0.33")
"""Versions whose metrics we have."""
FLAG_VERSIONS = ("0.14", "0.25", "0.32", "0.33")
"""Versions whose options we have, each read from its own parser (tests/vllm/flag_table.py)."""
# releases of llm-d's own engine images, and the vLLM in them
_BUNDLED = {"0.5": "0.14"}


@dataclass(frozen=True, slots=True)
class Flag:
    """One option of `vllm serve`.

    `kind`: "bool" (has spellings that set it and spellings that clear it), "switch" (present or not), "value".
    `type` of a value: "str", "int", "float", "json", "json_or_str" (JSON where it is in braces), "size"
    (integer with k/m/g/K/M/G), "size_or_auto".
    `nargs`: None (one value), "?", "+", or "append" (may be repeated). `default` is the parser's default as text.
    """

    name: str
    kind: str
    aliases: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    type: str = "str"
    nargs: str | None = None
    choices: tuple[str, ...] = ()
    default: str | None = None

    @property
    def destination(self) -> str:
        """The name under which the parsed value is found: `--max-model-len` is `max_model_len`."""
        return self.name.lstrip("-").replace("-", "_")

    @property
    def spellings(self) -> tuple[str, ...]:
        return (self.name, *self.aliases, *self.negative)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric family as the engine's /metrics page names it (counters with their `_total`).

    `label_values` lists the values of labels that the engine enumerates from its start. `buckets` are upper bounds
    without +Inf. `bucket_family` is the key of `--custom-histogram-buckets` that replaces them. `created`: the page
    has a `_created` gauge beside it. `when` names what must be configured for the metric to exist (None: always).
    """

    name: str
    type: str
    help: str
    unit: str | None = None
    labels: tuple[str, ...] = ()
    label_values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    buckets: tuple[float, ...] = ()
    bucket_family: str | None = None
    created: bool = False
    when: str | None = None


@functools.lru_cache(maxsize=256)
def version_of_image(image: str) -> str | None:
    """vLLM's version by an image's tag (`vllm/vllm-openai:v0.33.0` is 0.33.0), None where the tag does not say it. The
    tags of llm-d's own images name releases of llm-d."""
    name, _, tag = image.rpartition("/")[2].partition(":")
    found = re.match(r"v?((\d+\.\d+)(?:\.\d+)?)", tag)
    if found is None or "gaudi" in name:
        return None
    return _BUNDLED.get(found[2]) if name.startswith("llm-d-") else found[1]


def table_version(version: str, known: Sequence[str] = FLAG_VERSIONS) -> str:
    """The table that describes `version` ("0.33.0", "v0.32.1", "0.33"): its own minor version's, else the newest one
    that is not newer, else the oldest that we have. Raises ValueError when `version` is not a version."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if found is None:
        raise ValueError(f"{version!r} is not a vLLM version; write it like 0.33.0")
    wanted = (int(found[1]), int(found[2]))
    ordered = sorted(known, key=_minor)
    not_newer = [name for name in ordered if _minor(name) <= wanted]
    return not_newer[-1] if not_newer else ordered[0]


def _minor(version: str) -> tuple[int, int]:
    major, minor = version.split(".")
    return int(major), int(minor)


@functools.cache
def flags(version: str) -> Mapping[str, Flag]:
    """The options of `vllm serve` at `version`, by their first spelling."""
    rows = _table("flags", table_version(version))["flags"]
    return {row["name"]: Flag(**_tuples(row, "aliases", "negative", "choices")) for row in rows}


@functools.cache
def metrics(version: str) -> Mapping[str, Metric]:
    """The metric families of an engine at `version`, by name, in the order of its /metrics page."""
    table: dict[str, Metric] = {}
    for row in _table("metrics", table_version(version, TABLE_VERSIONS))["metrics"]:
        values = {label: tuple(known) for label, known in row.get("label_values", {}).items()}
        table[row["name"]] = Metric(**{**_tuples(row, "labels", "buckets"), "label_values": values})
    return table


def _table(kind: str, version: str) -> dict[str, Any]:
    name = f"{kind}-{version}.json"
    text = resources.files("apps.catalog").joinpath("data", "vllm", name).read_text(encoding="utf-8")
    return json.loads(text)


def _tuples(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {**row, **{name: tuple(row.get(name, ())) for name in names}}
