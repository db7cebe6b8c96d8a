"""Reading an EndpointPickerConfig document: what is declared, checked against the plugins of its llm-d release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.physics.routing.flow import FlowControl, read_flow_control
from apps.physics.routing.parameters import ConfigError, Parameters, read
from apps.physics.routing.plugin import PluginType, Wiring
from apps.physics.routing.plugins.disaggregation import Handler
from apps.physics.routing.plugins.pickers import MaxScore
from apps.physics.routing.registry import PLUGIN_TYPES, plugin_type

API_VERSIONS = {"inference.networking.x-k8s.io/v1alpha1": "0.5", "llm-d.ai/v1alpha1": "current"}
DEFAULT_PRODUCER = "approx-prefix-cache-producer"
DOCUMENT_KEYS = frozenset({
    "apiVersion", "kind", "metadata", "plugins", "schedulingProfiles", "featureGates", "flowControl", "dataLayer",
    "saturationDetector", "parser", "requestHandler",
})  # fmt: skip
DEFAULT_WEIGHTS = (("queue-scorer", 2), ("kv-cache-utilization-scorer", 2), ("prefix-cache-scorer", 3))
# handlers look deciders up, everybody else only names of producers
_ORDER = {"producer": 0, "decider": 1}


@dataclass(frozen=True, slots=True)
class Declared:
    """One plugin as it was written."""

    name: str
    kind: PluginType
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class Weighted:
    """A scorer of a profile."""

    name: str
    weight: float
    scorer: Any


@dataclass(frozen=True, slots=True)
class Profile:
    """Filters in order, scorers with weights, a picker; each with its name."""

    name: str
    filters: tuple[tuple[str, Any], ...]
    scorers: tuple[Weighted, ...]
    picker_name: str
    picker: Any


@dataclass(frozen=True, slots=True)
class PickerConfig:
    """A configuration, its plugins made. They have memories: read the document anew for each picker.

    release: llm-d's, None where the document does not say. instances: by name, in the order in which producers run.
    inflight_producer: the producer by which prompt tokens in flight are discounted; empty: none.
    """

    release: str | None
    declared: tuple[Declared, ...]
    instances: Mapping[str, Any]
    profiles: Mapping[str, Profile]
    handler: Handler
    inflight_producer: str = ""
    flow: FlowControl | None = None
    tokenizer: Parameters = field(default_factory=dict)
    """Parameters of the token-producer; empty: none is declared."""


def default_document(weights: tuple[tuple[str, float], ...] = DEFAULT_WEIGHTS) -> dict[str, Any]:
    """What an llm-d picker does without a configuration."""
    return {
        "kind": "EndpointPickerConfig",
        "plugins": [{"type": name} for name, _ in weights],
        "schedulingProfiles": [
            {"name": "default", "plugins": [{"pluginRef": name, "weight": weight} for name, weight in weights]}
        ],
    }


def read_config(document: object) -> PickerConfig:
    """The configuration that an EndpointPickerConfig (parsed YAML) describes. Raises ConfigError: a plugin or parameter
    that its release does not have is refused, never ignored."""
    if not isinstance(document, Mapping) or document.get("kind") != "EndpointPickerConfig":
        raise ConfigError("the file must be a document of kind EndpointPickerConfig")
    strange = sorted(str(key) for key in document.keys() - DOCUMENT_KEYS)
    if strange:
        raise ConfigError(f"{strange[0]} is not a field of an EndpointPickerConfig")
    release = _release(document.get("apiVersion"))
    declared = tuple(_declared(document.get("plugins") or [], release))
    if not declared and not document.get("schedulingProfiles"):
        return read_config({**default_document(), **{key: document[key] for key in document if key != "plugins"}})
    producer, declared = _prefix_producer(declared)
    counter = next((each for each in declared if each.kind.type == "inflight-load-producer"), None)
    inflight = (counter.parameters["prefixMatchInfoProducerName"] if counter else "") or producer
    made: dict[str, Any] = {}
    for each in sorted(declared, key=lambda one: _ORDER.get(one.kind.part, len(_ORDER))):
        try:
            made[each.name] = each.kind.make(each.parameters, Wiring(each.name, made, producer, inflight))
        except ConfigError as error:
            raise ConfigError(f"plugin {each.name}: {error}") from None
    kinds = {each.name: each.kind for each in declared}
    profiles = _profiles(document.get("schedulingProfiles"), kinds, made)
    handler = _handler(declared, made, profiles)
    flow = read_flow_control(document, {name: (kinds[name].type, made[name]) for name in kinds})
    tokenizer = next((each for each in declared if each.kind.type == "token-producer"), None)
    return PickerConfig(
        release,
        declared,
        made,
        profiles,
        handler,
        inflight,
        flow,
        tokenizer.parameters if tokenizer else {},
    )


def _release(version: object) -> str | None:
    if version is None:
        return None
    if version not in API_VERSIONS:
        raise ConfigError(f"apiVersion {version!r} is not known; known are {', '.join(API_VERSIONS)}")
    return API_VERSIONS[str(version)]


def _declared(listed: object, release: str | None) -> Iterator[Declared]:
    if not isinstance(listed, list):
        raise ConfigError("plugins must be a list")
    taken: set[str] = set()
    for position, plugin in enumerate(listed):
        where = f"plugins[{position}]"
        kind = plugin_type(where, plugin.get("type") if isinstance(plugin, Mapping) else None, release)
        strange = sorted(str(key) for key in plugin.keys() - {"type", "name", "parameters"})
        if strange:
            raise ConfigError(f"{where}.{strange[0]} is not a field of a plugin; its settings go under parameters")
        name = plugin.get("name") or kind.type
        if name in taken:
            raise ConfigError(f"{where}: the name {name!r} is taken; give each plugin its own name")
        taken.add(name)
        parameters = read(f"{where} ({name}).parameters", plugin.get("parameters"), kind.parameters)
        missing = [each for each in kind.needs if not parameters[each]]
        if missing:
            raise ConfigError(f"{where}: {kind.type} needs the parameter {missing[0]}")
        yield Declared(name, kind, parameters)


def _prefix_producer(declared: tuple[Declared, ...]) -> tuple[str, tuple[Declared, ...]]:
    """Where prefix matches are read from by those that name no producer; one is added where they would have none."""
    for wanted in (DEFAULT_PRODUCER, "prefix-cache-scorer", "precise-prefix-cache-scorer"):
        for each in declared:
            named = each.parameters.get("prefixMatchInfoProducerName")
            if each.kind.type == wanted and not named:
                return each.name, declared
    readers = [
        each
        for each in declared
        if any(one.name == "prefixMatchInfoProducerName" for one in each.kind.parameters)
        and not each.parameters["prefixMatchInfoProducerName"]
    ]
    if not readers:
        return "", declared
    kind = PLUGIN_TYPES[DEFAULT_PRODUCER]
    return DEFAULT_PRODUCER, (*declared, Declared(DEFAULT_PRODUCER, kind, read("", {}, kind.parameters)))


def _profiles(listed: object, kinds: Mapping[str, PluginType], made: Mapping[str, Any]) -> dict[str, Profile]:
    if not isinstance(listed, list | None):
        raise ConfigError("schedulingProfiles must be a list")
    profiles: dict[str, Profile] = {}
    everything = [{"pluginRef": name} for name, kind in kinds.items() if kind.part in ("filter", "scorer", "picker")]
    for position, profile in enumerate(listed or [{"plugins": everything}]):
        where = f"schedulingProfiles[{position}]"
        if not isinstance(profile, Mapping):
            raise ConfigError(f"{where} must be a mapping")
        name = str(profile.get("name") or "default")
        if name in profiles:
            raise ConfigError(f"{where}: the name {name!r} is taken; give each profile its own name")
        profiles[name] = _profile(where, name, profile.get("plugins") or [], kinds, made)
    return profiles


def _profile(
    where: str, name: str, references: object, kinds: Mapping[str, PluginType], made: Mapping[str, Any]
) -> Profile:
    filters: list[tuple[str, Any]] = []
    scorers: list[Weighted] = []
    picker_name, picker = "max-score-picker", None
    if not isinstance(references, list):
        raise ConfigError(f"{where}.plugins must be a list")
    for index, reference in enumerate(references):
        place = f"{where}.plugins[{index}]"
        plugin = str(reference.get("pluginRef")) if isinstance(reference, Mapping) else ""
        if plugin not in kinds:
            raise ConfigError(f"{place}: no plugin is named {plugin!r}")
        strange = sorted(str(key) for key in reference.keys() - {"pluginRef", "weight"})
        if strange:
            raise ConfigError(
                f"{place}.{strange[0]} is not a field of a reference; settings go to plugins[].parameters"
            )
        part, instance = kinds[plugin].part, made[plugin]
        if part == "scorer":
            scorers.append(Weighted(plugin, _weight(reference, plugin), instance))
        elif part == "picker":
            if picker is not None:
                raise ConfigError(f"{place}: the profile has two pickers, {picker_name} and {plugin}")
            picker_name, picker = plugin, instance
        elif hasattr(instance, "keep"):
            filters.append((plugin, instance))
    return Profile(name, tuple(filters), tuple(scorers), picker_name, picker or MaxScore())


def _handler(declared: tuple[Declared, ...], made: Mapping[str, Any], profiles: Mapping[str, Profile]) -> Handler:
    handlers = [each for each in declared if each.kind.part == "handler"]
    if len(handlers) > 1:
        raise ConfigError(f"there are two profile handlers, {handlers[0].name} and {handlers[1].name}")
    handler: Handler = made[handlers[0].name] if handlers else Handler()
    if not handler.decode:
        if len(profiles) > 1:
            raise ConfigError(
                "schedulingProfiles must list exactly one profile, or a handler must choose among them "
                "(disagg-profile-handler; pd-profile-handler in 0.5)"
            )
        return handler
    for wanted in (handler.decode, *([handler.prefill] if handler.decider else [])):
        if wanted not in profiles:
            raise ConfigError(f"{handlers[0].name}: there is no profile {wanted!r} in schedulingProfiles")
    return handler


def _weight(reference: Mapping[str, Any], name: str) -> float:
    weight = reference.get("weight", 1)
    if isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
        raise ConfigError(f"the weight of {name} must be a number that is not negative, not {weight!r}")
    return float(weight)
