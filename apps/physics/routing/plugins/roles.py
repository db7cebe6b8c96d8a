"""prefill-filter, decode-filter, encode-filter, by-label: candidates by the labels of their pods."""

from __future__ import annotations

from collections.abc import Sequence

from apps.physics.routing.parameters import ConfigError, Parameter, Parameters
from apps.physics.routing.plugin import PluginType, Wiring
from apps.physics.routing.types import Candidate, Cycle

ROLE = "llm-d.ai/role"


class ByLabel:
    """Keeps the candidates whose label has one of `values`, or no such label where `allow_missing`."""

    def __init__(self, label: str, values: frozenset[str], allow_missing: bool) -> None:
        self._label, self._values, self._allow_missing = label, values, allow_missing

    def keep(self, cycle: Cycle, candidates: Sequence[Candidate]) -> list[Candidate]:
        return [each for each in candidates if self._passes(each.endpoint.labels.get(self._label))]

    def _passes(self, value: str | None) -> bool:
        return self._allow_missing if value is None else value in self._values


def _by_label(parameters: Parameters, wiring: Wiring) -> ByLabel:
    if not parameters["validValues"] and not parameters["allowsNoLabel"]:
        raise ConfigError("by-label needs validValues, or allowsNoLabel: true; else no pod passes")
    return ByLabel(parameters["label"], frozenset(parameters["validValues"]), parameters["allowsNoLabel"])


PLUGINS = (
    PluginType(
        "prefill-filter",
        "filter",
        "Pods of the role prefill",
        lambda _p, _w: ByLabel(ROLE, frozenset({"prefill"}), allow_missing=False),
    ),
    PluginType(
        "decode-filter",
        "filter",
        "Pods of the role decode or both, or without a role",
        lambda _p, _w: ByLabel(ROLE, frozenset({"decode", "both", "prefill-decode"}), allow_missing=True),
    ),
    PluginType(
        "encode-filter",
        "filter",
        "Pods of the role encode",
        lambda _p, _w: ByLabel(ROLE, frozenset({"encode"}), allow_missing=False),
        releases=("current",),
    ),
    PluginType(
        "by-label",
        "filter",
        "Pods by one label",
        _by_label,
        (
            Parameter("label", "string"),
            Parameter("validValues", "strings", ()),
            Parameter("allowsNoLabel", "boolean", False),
        ),
        needs=("label",),
    ),
)
