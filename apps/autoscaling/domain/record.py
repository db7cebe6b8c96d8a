"""The records of the domain as JSON and back, equal in every bit."""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from array import array
from collections.abc import Callable, Hashable, Mapping
from typing import Any, TypeVar, cast

from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.samples import Known, NoTraffic, Unknown

__all__ = ["from_json", "to_json"]

T = TypeVar("T")
# how the members of a union are told apart
_TAGS: Mapping[type, str] = {Known: "known", NoTraffic: "no_traffic", Unknown: "unknown"}
_TAG = "is"
# what JSON has as it is
_PLAIN = frozenset({str, int, float, bool, type(None)})


def to_json(value: Any) -> Any:
    """Dataclasses as objects, tuples and arrays as lists, histograms as their rows; samples carry their state in
    `is`."""
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    if kind is tuple or kind is list:
        return [item if type(item) in _PLAIN else to_json(item) for item in value]
    if isinstance(value, Histogram):
        # in the order in which the sums over it run
        return [[*(edge if math.isfinite(edge) else None for edge in k), n] for k, n in value.counts.items()]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        tag = _TAGS.get(kind)
        found = {_TAG: tag} if tag else {}
        for name in _names(kind):
            item = getattr(value, name)
            found[name] = item if type(item) in _PLAIN else to_json(item)
        return found
    if isinstance(value, Mapping):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, array):
        return value.tolist()
    if isinstance(value, tuple | list):
        return [to_json(item) for item in value]
    return value


def from_json(kind: type[T], data: Any) -> T:
    """The record of type `kind` that `to_json` wrote. Raises KeyError or TypeError for what is none."""
    result: T = _reader(cast(Hashable, kind))(data)
    return result


@functools.cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


@functools.cache
def _reader(hint: Any) -> Callable[[Any], Any]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Histogram:
        return Histogram.from_json
    if hint is float:
        return float
    if hint is array:
        return lambda data: array("d", data)
    if origin in (typing.Union, types.UnionType):
        return _union(arguments)
    if origin is tuple:
        return _tuple(arguments)
    if origin is not None and issubclass(origin if isinstance(origin, type) else object, Mapping):
        item = _reader(arguments[1])
        return lambda data: {key: item(value) for key, value in data.items()}
    if dataclasses.is_dataclass(hint):
        return _record(typing.cast(type, hint))
    return lambda data: data


def _tuple(arguments: tuple[Any, ...]) -> Callable[[Any], Any]:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        item = _reader(arguments[0])
        return lambda data: tuple(item(value) for value in data)
    items = [_reader(argument) for argument in arguments]
    return lambda data: tuple(read(value) for read, value in zip(items, data, strict=True))


def _record(kind: type) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)

    def read(data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise TypeError(f"a {kind.__name__} is written as an object, not as {data!r}")
        return kind(**{name: _reader(hints[name])(data[name]) for name in _names(kind) if name in data})

    return read


def _union(arguments: tuple[Any, ...]) -> Callable[[Any], Any]:
    tagged = {_TAGS[kind]: _reader(kind) for kind in arguments if kind in _TAGS}
    plain = [_reader(kind) for kind in arguments if kind not in _TAGS and kind is not type(None)]

    def read(data: Any) -> Any:
        if data is None:
            return None
        if isinstance(data, Mapping) and data.get(_TAG) in tagged:
            return tagged[data[_TAG]]({key: value for key, value in data.items() if key != _TAG})
        return plain[0](data)

    return read
