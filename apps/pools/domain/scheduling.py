"""An EndpointPickerConfig in the making: plugins, profiles, gates. Paths build it, options add to it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

from apps.catalog.domain.dialects import Dialect
from apps.catalog.domain.picker_config import misfits
from apps.pools.domain.manifests import PlanRefused

_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Plugin:
    """A plugin by its type; `name` where two are of one type."""

    type: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    name: str | None = None

    def document(self) -> dict[str, Any]:
        named = {"name": self.name} if self.name else {}
        given = {"parameters": dict(self.parameters)} if self.parameters else {}
        return {"type": self.type, **named, **given}


# a plugin of a profile by its name, and its weight where it is a scorer
Step = tuple[str, float | None]


@dataclass(frozen=True)
class Scheduling:
    """Plugins in the order in which they are declared; the steps of each profile by its name."""

    plugins: tuple[Plugin, ...]
    profiles: Mapping[str, tuple[Step, ...]]
    gates: tuple[str, ...] = ()
    flow: Mapping[str, Any] | None = None
    data_layer: Mapping[str, Any] | None = None

    def with_plugins(self, *plugins: Plugin) -> Scheduling:
        """With more plugins; one that is there already, by name, stays as it is."""
        by_name: dict[str, Plugin] = {}
        for plugin in (*self.plugins, *plugins):
            by_name.setdefault(plugin.name or plugin.type, plugin)
        return replace(self, plugins=tuple(by_name.values()))

    def with_scorer(self, plugin: Plugin, weight: float) -> Scheduling:
        """With a scorer in every profile, before its picker."""
        name = plugin.name or plugin.type
        profiles = {key: (*steps[:-1], (name, weight), steps[-1]) for key, steps in self.profiles.items()}
        return replace(self.with_plugins(plugin), profiles=profiles)

    def document(self, dialect: Dialect) -> dict[str, Any]:
        document: dict[str, Any] = {
            "apiVersion": dialect.picker_config_api_version,
            "kind": "EndpointPickerConfig",
            "plugins": [plugin.document() for plugin in self.plugins],
            "schedulingProfiles": [
                {"name": name, "plugins": [_reference(*step) for step in steps]}
                for name, steps in self.profiles.items()
            ],
        }
        if self.gates:
            document["featureGates"] = list(self.gates)
        if self.flow is not None:
            document["flowControl"] = dict(self.flow)
        if self.data_layer is not None:
            document["dataLayer"] = dict(self.data_layer)
        return document


def config_text(document: Mapping[str, Any], dialect: Dialect, *, experimental: bool = False) -> str:
    """A configuration as YAML. Raises PlanRefused for what the picker of the dialect would refuse or overlook."""
    text = yaml.dump(dict(document), Dumper=_DUMPER, sort_keys=False)
    for said in _misfits(text, dialect.name, experimental):
        raise PlanRefused(
            "PickerConfigInvalid", f"the endpoint picker would not read its configuration as meant: {said}"
        )
    return text


@functools.lru_cache(maxsize=1024)
def _misfits(text: str, dialect: str, experimental: bool) -> tuple[str, ...]:
    document = yaml.load(text, Loader=_LOADER)  # noqa: S506  (a safe loader)
    found = misfits(document, dialect, experimental=experimental)
    return tuple(f"{misfit.sentence} ({misfit.pointer})" for misfit in found)


def _reference(name: str, weight: float | None) -> dict[str, Any]:
    if weight is None:
        return {"pluginRef": name}
    return {"pluginRef": name, "weight": int(weight) if weight == int(weight) else weight}
