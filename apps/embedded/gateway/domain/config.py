"""Reading an EndpointPickerConfig document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.embedded.gateway.domain.flow import DETECTORS, FlowControl, read_flow_control
from apps.embedded.gateway.domain.scorers import SCORERS

PICKERS = frozenset({"max-score-picker", "weighted-random-picker", "random-picker"})
FILTERS = frozenset({"decode-filter", "by-label"})
# accepted because they decide nothing here: there is one profile, and the index and counters are always kept
PASSIVE = frozenset({"single-profile-handler", "approx-prefix-cache-producer", "inflight-load-producer"})
DEFAULT_WEIGHTS = (("queue-scorer", 2.0), ("kv-cache-utilization-scorer", 2.0), ("prefix-cache-scorer", 3.0))


class ConfigError(ValueError):
    """The configuration cannot be used; the sentence says why."""


@dataclass(frozen=True, slots=True)
class WeightedScorer:
    type: str
    weight: float
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelFilter:
    """Keeps the endpoints whose label has one of `values`, or no such label where `allow_missing`."""

    label: str
    values: frozenset[str]
    allow_missing: bool


@dataclass(frozen=True, slots=True)
class PickerConfig:
    scorers: tuple[WeightedScorer, ...]
    picker: str = "max-score-picker"
    filters: tuple[LabelFilter, ...] = ()
    block_tokens: int = 64
    most_blocks: int = 2048
    """Blocks of a prompt that are looked up: 131,072 tokens."""
    flow: FlowControl | None = None
    """How requests are held that no replica can serve; None: they are refused."""


DEFAULT = PickerConfig(tuple(WeightedScorer(name, weight) for name, weight in DEFAULT_WEIGHTS))


def read_config(document: object) -> PickerConfig:
    """The configuration that an EndpointPickerConfig (parsed YAML) describes. Raises ConfigError; a plugin that we do
    not know is refused, never ignored."""
    if not isinstance(document, Mapping) or document.get("kind") != "EndpointPickerConfig":
        raise ConfigError("the file must be a document of kind EndpointPickerConfig")
    plugins = _plugins(document.get("plugins") or [])
    profiles = document.get("schedulingProfiles") or []
    if not isinstance(profiles, list) or len(profiles) > 1:
        raise ConfigError("schedulingProfiles must list exactly one profile; profiles per role are not supported here")
    chosen = profiles[0].get("plugins") or [] if profiles else []
    scorers, filters, picker = [], [], "max-score-picker"
    for position, reference in enumerate(chosen):
        name = reference.get("pluginRef")
        if name not in plugins:
            raise ConfigError(f"schedulingProfiles[0].plugins[{position}]: no plugin is named {name!r}")
        kind, parameters = plugins[name]
        if kind in SCORERS:
            scorers.append(WeightedScorer(kind, _weight(reference, name), parameters))
        elif kind in PICKERS:
            picker = kind
        elif kind in FILTERS:
            filters.append(_filter(kind, parameters))
    prefix = next((parameters for kind, parameters in plugins.values() if "prefix-cache" in kind and parameters), {})
    try:
        flow = read_flow_control(document, plugins)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return PickerConfig(
        tuple(scorers) if chosen else DEFAULT.scorers,
        picker,
        tuple(filters),
        block_tokens=_positive(prefix, "blockSizeTokens", "blockSize", default=DEFAULT.block_tokens),
        most_blocks=_positive(prefix, "maxPrefixBlocksToMatch", default=DEFAULT.most_blocks),
        flow=flow,
    )


def _plugins(listed: Any) -> dict[str, tuple[str, Mapping[str, Any]]]:
    known = {*SCORERS, *PICKERS, *FILTERS, *PASSIVE, *DETECTORS}
    plugins: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for position, plugin in enumerate(listed):
        kind = plugin.get("type") if isinstance(plugin, Mapping) else None
        if kind not in known:
            raise ConfigError(
                f"plugins[{position}]: unknown plugin type {kind!r}; known are {', '.join(sorted(known))}"
            )
        name = plugin.get("name") or kind
        if name in plugins:
            raise ConfigError(f"plugins[{position}]: the name {name!r} is taken; give each plugin its own name")
        plugins[name] = (kind, plugin.get("parameters") or {})
    return plugins


def _weight(reference: Mapping[str, Any], name: str) -> float:
    weight = reference.get("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
        raise ConfigError(f"the weight of {name} must be a number that is not negative, not {weight!r}")
    return float(weight)


def _filter(kind: str, parameters: Mapping[str, Any]) -> LabelFilter:
    if kind == "decode-filter":
        return LabelFilter("llm-d.ai/role", frozenset({"decode", "both", "prefill-decode"}), allow_missing=True)
    if not parameters.get("label"):
        raise ConfigError("by-label needs the parameter label")
    return LabelFilter(
        str(parameters["label"]), frozenset(parameters.get("validValues") or ()), bool(parameters.get("allowsNoLabel"))
    )


def _positive(parameters: Mapping[str, Any], *names: str, default: int) -> int:
    for name in names:
        value = parameters.get(name)
        if value is None:
            continue
        if type(value) is not int or value < 1:
            raise ConfigError(f"{name} must be a positive integer, not {value!r}")
        return value
    return default
