"""Every plugin type that we know, by name. A new one is a file in `plugins` and a line here."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from apps.physics.routing.parameters import ConfigError
from apps.physics.routing.plugin import PluginType
from apps.physics.routing.plugins import (
    active_request,
    disaggregation,
    kv_usage,
    latency,
    load,
    load_aware,
    lora,
    no_hit_lru,
    passive,
    pickers,
    precise,
    prefix,
    prefix_affinity,
    roles,
    session,
    token_load,
    utilization,
)

_MODULES = (
    active_request, disaggregation, kv_usage, latency, load, load_aware, lora, no_hit_lru, passive, pickers, precise,
    prefix, prefix_affinity, roles, session, token_load, utilization,
)  # fmt: skip

PLUGIN_TYPES: Mapping[str, PluginType] = {each.type: each for module in _MODULES for each in module.PLUGINS}


def plugin_type(where: str, name: object, release: str | None) -> PluginType:
    """The type of this name in an llm-d release (None: any). Raises ConfigError with what to write instead."""
    found = PLUGIN_TYPES.get(name) if isinstance(name, str) else None
    if found is None:
        near = difflib.get_close_matches(str(name), PLUGIN_TYPES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(PLUGIN_TYPES))}"
        raise ConfigError(f"{where}: unknown plugin type {name!r}; {hint}")
    if release is not None and release not in found.releases:
        instead = f"; there it is {found.instead}" if found.instead else ""
        raise ConfigError(f"{where}: {name} is not a plugin of llm-d {release}{instead}")
    return found
