"""What the JSON-valued options of a `vllm serve` command line hold: connectors, events, speculation, expert balance.

vLLM's parser leaves most of it unread until the engine starts, and never reads unknown keys of a connector at all: a
misspelt key there is silently the default. So every key is held to a table of the version (data/vllm/options-*.json).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from importlib import resources
from typing import Any

from apps.catalog.domain.vllm.arguments import ParsedArgs
from apps.catalog.domain.vllm.facts import table_version

OPTION_VERSIONS = ("0.14", "0.25", "0.32")


def option_faults(parsed: ParsedArgs, version: str) -> list[str]:
    """A sentence for everything in the JSON-valued options that vLLM at `version` would refuse or overlook."""
    table = _table(table_version(version, OPTION_VERSIONS))
    found: list[str] = []
    for name, keys in table["options"].items():
        value = parsed.values.get(name)
        if name not in parsed.given or not isinstance(value, Mapping):
            continue
        flag = "--" + name.replace("_", "-")
        found += _keys(value, keys, flag)
        if name == "kv_transfer_config":
            found += _transfer(value, flag, table)
        if name == "speculative_config":
            found += _speculation(value, flag)
        if name == "kv_events_config" and not value.get("enable_kv_cache_events"):
            found.append(f"{flag} does not set enable_kv_cache_events: no event would be sent")
    return found


def _keys(value: Mapping[str, Any], known: Mapping[str, Any], what: str) -> Iterator[str]:
    for key, inner in value.items():
        if key not in known:
            close = get_close_matches(key, sorted(known), n=1)
            yield f"{what} has no key {key}" + (f"; did you mean {close[0]}?" if close else "")
        elif not _fits(inner, known[key]):
            yield f"{what}: {key} must be {_word(known[key])}, not {json.dumps(inner)}"


def tier_keys(version: str, kind: str) -> frozenset[str]:
    """What a secondary tier of that type takes at `version`; nothing where the version has no such tier."""
    return frozenset(_table(table_version(version, OPTION_VERSIONS))["tiers"].get(kind, ()))


def _transfer(value: Mapping[str, Any], what: str, table: Mapping[str, Any]) -> Iterator[str]:
    connector = value.get("kv_connector")
    if connector in table["removedConnectors"]:
        yield f"{what}: {connector} is gone from vLLM; use {table['removedConnectors'][connector]}"
        return
    if connector not in table["connectors"]:
        yield f"{what}: vLLM has no connector {connector}"
        return
    if value.get("kv_role") not in table["roles"]:
        yield f"{what}: kv_role must be one of {', '.join(table['roles'])}"
    policy = value.get("kv_load_failure_policy")
    if policy is not None and policy not in table["failurePolicies"]:
        yield f"{what}: kv_load_failure_policy must be fail or recompute, not {policy}"
    extra = value.get("kv_connector_extra_config") or {}
    known = table["connectors"][connector]
    if isinstance(known, Mapping):
        yield from _keys(extra, known, f"{connector}'s kv_connector_extra_config")
    if connector == "MultiConnector":
        for inner in extra.get("connectors") or ():
            yield from _transfer(inner, f"{what} (in MultiConnector)", table)
    if connector == "OffloadingConnector":
        yield from _offloading(extra, table)


def _offloading(extra: Mapping[str, Any], table: Mapping[str, Any]) -> Iterator[str]:
    if not extra.get("cpu_bytes_to_use") and extra.get("spec_name") not in table["specsWithoutHostMemory"]:
        yield "OffloadingConnector needs cpu_bytes_to_use: the bytes of host memory that it may take"
    if "block_size" in extra and "blocks_per_chunk" in extra:
        yield "OffloadingConnector takes block_size or blocks_per_chunk, not both"
    tiers = extra.get("secondary_tiers") or []
    if tiers and extra.get("spec_name") != "TieringOffloadingSpec":
        yield "secondary_tiers are read by TieringOffloadingSpec only: set spec_name to it"
    for tier in tiers:
        known = table["tiers"].get(tier.get("type")) if isinstance(tier, Mapping) else None
        if known is None:
            yield f"{tier.get('type') if isinstance(tier, Mapping) else tier} is no type of secondary tier"
            continue
        for key in sorted(tier.keys() - set(known)):
            yield f"a secondary tier of type {tier['type']} has no key {key}"


def _speculation(value: Mapping[str, Any], what: str) -> Iterator[str]:
    method = value.get("method")
    if method is None and value.get("model") is None:
        yield f"{what} needs a method or a model"
    if method == "ngram" and "prompt_lookup_max" not in value:
        yield f"{what}: ngram looks nothing up without prompt_lookup_max"
    if method in ("draft_model", "eagle", "eagle3") and not value.get("model"):
        yield f"{what}: {method} needs the model that drafts"


def _fits(value: Any, kind: Any) -> bool:
    if isinstance(kind, list):
        return isinstance(value, list) and all(_fits(item, kind[0]) for item in value)
    match kind:
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "bool":
            return isinstance(value, bool)
    return True


def _word(kind: Any) -> str:
    if isinstance(kind, list):
        return f"a list of {_word(kind[0])}"
    return {"int": "a whole number", "number": "a number", "string": "text", "bool": "true or false"}.get(
        kind, "a value"
    )


@functools.cache
def _table(version: str) -> dict[str, Any]:
    text = (
        resources.files("apps.catalog").joinpath("data", "vllm", f"options-{version}.json").read_text(encoding="utf-8")
    )
    return json.loads(text)
