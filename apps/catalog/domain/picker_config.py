"""Is an EndpointPickerConfig what the picker of a release reads as it was meant?

Pickers ignored for long what they did not know: a parameter in the wrong place fell back to its default and scored
nothing. Here every field, plugin, parameter and reference is held to the table of the release
(data/llm-d/plugins.json).
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from typing import Any

_DURATION = re.compile(r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+")
_QUANTITY = re.compile(r"\d+(\.\d+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?")
# roles that do nothing unless a profile names the plugin
_IN_PROFILES = ("scorer", "filter", "picker")
# what a reference may point at, by the name of the field that holds it
_ROLE_OF_FIELD = {
    "fairnessPolicyRef": "fairness",
    "orderingPolicyRef": "ordering",
    "usageLimitPolicyPluginRef": "usage-limit",
}


@dataclass(frozen=True, slots=True)
class Misfit:
    """One fault of a configuration: where (JSON pointer) and a sentence with its mend."""

    pointer: str
    sentence: str


@dataclass(frozen=True, slots=True)
class PluginType:
    """A plugin of a release. `parameters`: field to type, or "any". `profiles`: how many a handler can handle, None:
    any number. `renamed`: what the current release calls it."""

    name: str
    role: str
    parameters: Mapping[str, Any] | str
    alpha: bool = False
    profiles: int | None = None
    renamed: str | None = None
    deprecated: str | None = None


@dataclass(frozen=True, slots=True)
class PickerRelease:
    """What the picker of a release reads. `whole_weights`: weights are integers there."""

    name: str
    api_version: str
    whole_weights: bool
    feature_gates: tuple[str, ...]
    document: Mapping[str, Any]
    plugins: Mapping[str, PluginType]


@functools.cache
def picker_release(name: str) -> PickerRelease:
    """The table of a dialect (`0.5`, `current`); KeyError for another."""
    text = resources.files("apps.catalog").joinpath("data", "llm-d", "plugins.json").read_text(encoding="utf-8")
    row = json.loads(text)["dialects"][name]
    return PickerRelease(
        name=name,
        api_version=row["apiVersion"],
        whole_weights=row["weights"] == "int",
        feature_gates=tuple(row["featureGates"]),
        document=row["document"],
        plugins={kind: PluginType(name=kind, **plugin) for kind, plugin in row["plugins"].items()},
    )


def misfits(document: object, dialect: str, *, experimental: bool = False) -> list[Misfit]:
    """Everything in which a configuration (parsed YAML) does not fit the picker of a dialect; empty when it fits.

    `experimental`: the picker is started with --allow-experimental-plugins.
    """
    release = picker_release(dialect)
    if not isinstance(document, Mapping):
        return [Misfit("", "the configuration must be a document of kind EndpointPickerConfig")]
    return [*_head(document, release), *_Reader(document, release, experimental).all()]


def _head(document: Mapping[str, Any], release: PickerRelease) -> Iterator[Misfit]:
    if document.get("kind") != "EndpointPickerConfig":
        yield Misfit("/kind", "kind must be EndpointPickerConfig")
    if document.get("apiVersion") != release.api_version:
        yield Misfit(
            "/apiVersion",
            f"llm-d {release.name} reads {release.api_version}, not {document.get('apiVersion')}: write that",
        )


class _Reader:
    def __init__(self, document: Mapping[str, Any], release: PickerRelease, experimental: bool) -> None:
        self._document, self._release, self._experimental = document, release, experimental
        self._names: dict[str, PluginType] = {}
        self._used: set[str] = set()

    def all(self) -> list[Misfit]:
        known = {"apiVersion", "kind", *self._release.document}
        found = [
            Misfit(f"/{name}", f"{name} is no field of an EndpointPickerConfig of llm-d {self._release.name}"
                   + _hint(name, known))
            for name in self._document
            if name not in known
        ]  # fmt: skip
        found += self._gates()
        found += self._declared()
        for name, kind in self._release.document.items():
            if name not in ("plugins", "schedulingProfiles", "featureGates") and name in self._document:
                found += self._typed(self._document[name], kind, f"/{name}", name)
        found += self._parameters()
        found += self._profiles()
        found += self._idle()
        return found

    def _gates(self) -> Iterator[Misfit]:
        for i, gate in enumerate(self._document.get("featureGates") or []):
            if str(gate).partition("=")[0] not in self._release.feature_gates:
                listed = ", ".join(self._release.feature_gates)
                yield Misfit(
                    f"/featureGates/{i}", f"llm-d {self._release.name} has no feature gate {gate}; it has {listed}"
                )

    def _declared(self) -> Iterator[Misfit]:
        for i, plugin in enumerate(self._document.get("plugins") or []):
            at = f"/plugins/{i}"
            if not isinstance(plugin, Mapping):
                yield Misfit(at, "a plugin is an object with type, name and parameters")
                continue
            for extra in plugin.keys() - {"type", "name", "parameters"}:
                yield Misfit(f"{at}/{extra}", f"{extra} belongs under parameters: beside type it would be ignored")
            kind = str(plugin.get("type"))
            name = str(plugin.get("name") or kind)
            if name in self._names:
                yield Misfit(f"{at}/name", f"two plugins are named {name}: give each its own name")
            known = self._release.plugins.get(kind)
            if known is None:
                yield Misfit(f"{at}/type", self._unknown(kind))
                continue
            if known.alpha and not self._experimental:
                yield Misfit(
                    f"{at}/type", f"{kind} is experimental: start the picker with --allow-experimental-plugins"
                )
            self._names[name] = known

    def _unknown(self, kind: str) -> str:
        here = f"llm-d {self._release.name} has no plugin {kind}"
        for other in ("0.5", "current"):
            row = picker_release(other).plugins.get(kind)
            if other != self._release.name and row is not None:
                said = f": there it is {row.renamed}" if row.renamed else ""
                return f"{here}; it is one of llm-d {other}{said}"
        return here + _hint(kind, self._release.plugins)

    def _parameters(self) -> Iterator[Misfit]:
        for i, plugin in enumerate(self._document.get("plugins") or []):
            if not isinstance(plugin, Mapping):
                continue
            known = self._release.plugins.get(str(plugin.get("type")))
            if known is None or plugin.get("parameters") is None:
                continue
            at = f"/plugins/{i}/parameters"
            yield from self._typed(plugin["parameters"], known.parameters, at, f"{known.name}", whole=known.parameters)

    def _typed(self, value: Any, kind: Any, at: str, what: str, whole: Any = None) -> Iterator[Misfit]:
        if isinstance(kind, Mapping):
            if not isinstance(value, Mapping):
                yield Misfit(at, f"{what} must be an object, not {json.dumps(value)}")
                return
            for name, inner in value.items():
                if name not in kind:
                    yield Misfit(f"{at}/{name}", self._misplaced(str(name), what, kind, whole))
                else:
                    yield from self._typed(inner, kind[name], f"{at}/{name}", str(name), whole)
        elif isinstance(kind, list):
            if not isinstance(value, list):
                yield Misfit(at, f"{what} must be a list, not {json.dumps(value)}")
                return
            for i, item in enumerate(value):
                yield from self._typed(item, kind[0], f"{at}/{i}", what, whole)
        elif kind == "ref":
            yield from self._reference(value, at, what)
        elif kind != "any" and not _fits(value, kind):
            yield Misfit(at, f"{what} must be {_WORDS[kind]}, not {json.dumps(value)}")

    def _misplaced(self, name: str, what: str, kind: Mapping[str, Any], whole: Any) -> str:
        said = f"{what} has no parameter {name}"
        if isinstance(whole, Mapping):
            right = next(iter(_paths_to(name, whole)), None)
            if right:
                return f"{said} here: it would be ignored; it belongs into {right}"
        owners = [row.name for row in self._release.plugins.values() if _has(name, row.parameters)]
        if owners:
            return f"{said}: it would be ignored; it is a parameter of {', '.join(sorted(owners)[:3])}"
        return f"{said}: it would be ignored" + _hint(name, kind)

    def _reference(self, value: Any, at: str, what: str) -> Iterator[Misfit]:
        name = str(value)
        self._used.add(name)
        wanted = _ROLE_OF_FIELD.get(what)
        if name in self._names:
            row = self._names[name]
            if wanted and row.role != wanted:
                yield Misfit(at, f"{what} names {name}, which is a {row.role} plugin, not one for {wanted}")
        elif not (name in self._release.plugins and self._release.plugins[name].role in _INJECTED):
            yield Misfit(at, f"{what} names {name}, but no plugin of this document is called so: add it under plugins")

    def _profiles(self) -> Iterator[Misfit]:
        profiles = self._document.get("schedulingProfiles") or []
        for i, profile in enumerate(profiles):
            yield from self._profile(profile, f"/schedulingProfiles/{i}")
        handlers = {name: row for name, row in self._names.items() if row.role == "profile-handler"}
        self._used |= handlers.keys()
        if len(handlers) > 1:
            yield Misfit("/plugins", f"{' and '.join(sorted(handlers))} both choose profiles: keep one")
        most = next((row.profiles for row in handlers.values()), 1)
        if most is not None and len(profiles) > most:
            yield Misfit(
                "/schedulingProfiles",
                f"{len(profiles)} profiles, but {next(iter(handlers), 'single-profile-handler')} handles {most}: "
                "add a profile handler for several",
            )
        names = [str(profile.get("name")) for profile in profiles if isinstance(profile, Mapping)]
        for twice in sorted({name for name in names if names.count(name) > 1}):
            yield Misfit("/schedulingProfiles", f"two profiles are named {twice}: give each its own name")

    def _profile(self, profile: Any, at: str) -> Iterator[Misfit]:
        if not isinstance(profile, Mapping):
            yield Misfit(at, "a profile is an object with name and plugins")
            return
        for extra in profile.keys() - {"name", "plugins"}:
            yield Misfit(f"{at}/{extra}", f"{extra} is no field of a scheduling profile: it would be ignored")
        pickers = []
        for k, reference in enumerate(profile.get("plugins") or []):
            here = f"{at}/plugins/{k}"
            name = str(reference.get("pluginRef")) if isinstance(reference, Mapping) else ""
            self._used.add(name)
            row = self._names.get(name)
            if row is None:
                yield Misfit(f"{here}/pluginRef", f"no plugin of this document is called {name}: add it under plugins")
                continue
            for extra in reference.keys() - {"pluginRef", "weight"}:
                yield Misfit(
                    f"{here}/{extra}", f"{extra} is ignored here: parameters belong to the plugin, under plugins"
                )
            if row.role == "picker":
                pickers.append(name)
            elif row.role not in _IN_PROFILES:
                yield Misfit(
                    f"{here}/pluginRef", f"{name} is a {row.role} plugin: a profile runs filters, scorers, a picker"
                )
            yield from self._weight(reference, row, name, here)
        if len(pickers) > 1:
            yield Misfit(f"{at}/plugins", f"{' and '.join(pickers)} both pick in one profile: keep one")

    def _weight(self, reference: Mapping[str, Any], row: PluginType, name: str, at: str) -> Iterator[Misfit]:
        if "weight" not in reference:
            return
        weight = reference["weight"]
        if row.role != "scorer":
            yield Misfit(f"{at}/weight", f"{name} is a {row.role}: only scorers have a weight")
        elif isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
            yield Misfit(f"{at}/weight", f"the weight of {name} must be a number that is not negative, not {weight!r}")
        elif self._release.whole_weights and weight != int(weight):
            yield Misfit(
                f"{at}/weight",
                f"llm-d {self._release.name} takes whole numbers as weights, not {weight}: multiply all weights of the "
                "profile until they are whole",
            )

    def _idle(self) -> Iterator[Misfit]:
        for i, plugin in enumerate(self._document.get("plugins") or []):
            name = str(plugin.get("name") or plugin.get("type")) if isinstance(plugin, Mapping) else ""
            row = self._names.get(name)
            if row is not None and row.role in (*_IN_PROFILES, "decider") and name not in self._used:
                yield Misfit(f"/plugins/{i}", f"{name} is declared, but nothing refers to it: it would do nothing")


# the picker adds plugins of these roles by itself where none is declared
_INJECTED = ("fairness", "ordering", "saturation", "producer")
_WORDS = {
    "int": "a whole number",
    "number": "a number",
    "string": "text",
    "bool": "true or false",
    "duration": "a duration, as 30s",
    "quantity": "a quantity, as 10Gi or 1k",
    "map": "an object of texts",
}


def _fits(value: Any, kind: str) -> bool:
    match kind:
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "string":
            return isinstance(value, str)
        case "bool":
            return isinstance(value, bool)
        case "duration":
            return isinstance(value, str) and _DURATION.fullmatch(value) is not None
        case "quantity":
            return (isinstance(value, int) and not isinstance(value, bool)) or (
                isinstance(value, str) and _QUANTITY.fullmatch(value) is not None
            )
    return isinstance(value, Mapping)


def _paths_to(name: str, kind: Any, path: str = "") -> Iterator[str]:
    if isinstance(kind, Mapping):
        for field, inner in kind.items():
            if field == name:
                yield path.lstrip(".") or "parameters"
            yield from _paths_to(name, inner, f"{path}.{field}")
    elif isinstance(kind, list):
        yield from _paths_to(name, kind[0], path)


def _has(name: str, kind: Any) -> bool:
    return next(iter(_paths_to(name, kind)), None) is not None


def _hint(name: str, known: Any) -> str:
    close = get_close_matches(name, sorted(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""
