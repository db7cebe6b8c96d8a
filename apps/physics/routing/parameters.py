"""Parameters of plugins: their names, types and bounds. What is not known is refused with a sentence, never ignored."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Parameters = Mapping[str, Any]
Kind = Literal["integer", "number", "boolean", "string", "strings", "duration", "object", "objects"]
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+")
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(k|M|G|T|Ki|Mi|Gi|Ti)?")
_POWERS = {"k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}


class ConfigError(ValueError):
    """The configuration cannot be used; the sentence says where and why."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. `least`/`most`: bounds of a number, both allowed. choices: of a string. fields: of an object;
    an object without fields takes any."""

    name: str
    kind: Kind
    default: Any = None
    least: float | None = None
    most: float | None = None
    choices: tuple[str, ...] = ()
    fields: tuple[Parameter, ...] = field(default=())


def read(where: str, given: object, known: Sequence[Parameter]) -> dict[str, Any]:
    """The values of `given` with the defaults filled in. Raises ConfigError; `where` is the place that it names."""
    if given is None:
        given = {}
    if not isinstance(given, Mapping):
        raise ConfigError(f"{where} must be a mapping, not {given!r}")
    names = {each.name: each for each in known}
    for name in given:
        if name not in names:
            raise ConfigError(_unknown(where, str(name), known))
    return {each.name: _value(where, each, given[each.name]) if given.get(each.name) is not None else _default(each)
            for each in known}  # fmt: skip


def go_duration(text: object) -> float:
    """Seconds of a Go duration such as 500ms, 60s or 1m30s. ValueError for anything else."""
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration; write it like 500ms, 60s or 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text))


def count(value: object) -> int:
    """A number of requests or bytes, as a number or with a suffix (1k, 10Gi). ValueError for anything else."""
    found = _QUANTITY.fullmatch(str(value)) if isinstance(value, int | float | str) else None
    if found is None or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a quantity: write a number with an optional suffix such as k, M, Ki or Gi")
    return int(float(found[1]) * _POWERS.get(found[2] or "", 1))


def _default(parameter: Parameter) -> Any:
    return read("", {}, parameter.fields) if parameter.kind == "object" and parameter.fields else parameter.default


def _unknown(where: str, name: str, known: Sequence[Parameter]) -> str:
    inside = [f"{each.name}.{inner.name}" for each in known for inner in each.fields if inner.name == name]
    if inside:
        return f"{where}.{name} is in the wrong place: it belongs in {inside[0]}"
    names = ", ".join(sorted(each.name for each in known))
    return f"{where}.{name} is not a parameter here; known are {names}" if names else f"{where} takes no parameters"


def _value(where: str, parameter: Parameter, value: Any) -> Any:
    name, kind = f"{where}.{parameter.name}", parameter.kind
    if kind == "object":
        if parameter.fields:
            return read(name, value, parameter.fields)
        if not isinstance(value, Mapping):
            raise ConfigError(f"{name} must be a mapping, not {value!r}")
        return dict(value)
    if kind == "objects":
        if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
            raise ConfigError(f"{name} must be a list of mappings, not {value!r}")
        return tuple(dict(each) for each in value)
    if kind == "duration":
        try:
            return go_duration(value)
        except ValueError as error:
            raise ConfigError(f"{name}: {error}") from None
    if kind == "strings":
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise ConfigError(f"{name} must be a list of strings, not {value!r}")
        return tuple(value)
    if kind == "string":
        if not isinstance(value, str) or (parameter.choices and value not in parameter.choices):
            wanted = f"one of {', '.join(parameter.choices)}" if parameter.choices else "a string"
            raise ConfigError(f"{name} must be {wanted}, not {value!r}")
        return value
    if kind == "boolean":
        if not isinstance(value, bool):
            raise ConfigError(f"{name} must be true or false, not {value!r}")
        return value
    return _number(name, parameter, value)


def _number(name: str, parameter: Parameter, value: Any) -> int | float:
    whole = parameter.kind == "integer"
    right = type(value) is int if whole else isinstance(value, int | float) and not isinstance(value, bool)
    least, most = parameter.least, parameter.most
    if not right or (least is not None and value < least) or (most is not None and value > most):
        kind = "an integer" if whole else "a number"
        if least is not None and most is not None:
            bounds = f" from {least:g} to {most:g}"
        else:
            bounds = f", at least {least:g}" if least is not None else f", at most {most:g}" if most is not None else ""
        raise ConfigError(f"{name} must be {kind}{bounds}, not {value!r}")
    return int(value) if whole else float(value)
