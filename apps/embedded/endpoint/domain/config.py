"""Reading `endpoint.json`: which public model is served by which pools, and what each consumer key may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

DEFAULT = "default"


class ConfigError(ValueError):
    """The configuration cannot be used; the sentence says where and why."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A pool behind a public model. url: its address. model: the name that it is asked for. weight: its share; 0 stands
    by for fail-over."""

    pool: str
    url: str
    model: str
    weight: float = 0.0


@dataclass(frozen=True, slots=True)
class PublicModel:
    """backends by weight; failover: asked in turn when none of them has a replica that serves."""

    name: str
    backends: tuple[Backend, ...]
    failover: tuple[Backend, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What one key may do; None: as much as it likes. band: the priority band that its requests are of at a pool."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    band: str | None = None


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """limits: by key name; `default` holds for every other."""

    endpoint: str
    models: Mapping[str, PublicModel]
    limits: Mapping[str, Limits] = field(default_factory=dict)

    def limits_of(self, key: str) -> Limits:
        return self.limits.get(key) or self.limits.get(DEFAULT) or Limits()


def read_config(document: object) -> EndpointConfig:
    """The configuration that `endpoint.json` describes. Raises ConfigError; what is not known is refused."""
    top = _mapping("the document", document, {"endpoint", "models", "limits"})
    models = {}
    for name, value in _mapping("models", top.get("models") or {}, None).items():
        where = f"models.{name}"
        model = _mapping(where, value, {"backends", "failover"})
        backends = _backends(f"{where}.backends", model.get("backends"), weighted=True)
        if not backends:
            raise ConfigError(f"{where} needs at least one backend")
        models[str(name)] = PublicModel(
            str(name), backends, _backends(f"{where}.failover", model.get("failover"), weighted=False)
        )
    if not models:
        raise ConfigError("models must name at least one model")
    limits = {
        str(key): _limits(f"limits.{key}", value)
        for key, value in _mapping("limits", top.get("limits") or {}, None).items()
    }
    return EndpointConfig(str(top.get("endpoint") or ""), models, limits)


def order(model: PublicModel, chance: float) -> tuple[Backend, ...]:
    """The backends in the order in which to ask: one drawn by weight with `chance` in [0, 1), the others by weight,
    those that stand by, then the fail-over."""
    weighted = [backend for backend in model.backends if backend.weight > 0]
    rest = [backend for backend in model.backends if backend.weight <= 0]
    drawn: list[Backend] = []
    at = chance * sum(backend.weight for backend in weighted)
    for backend in weighted:
        at -= backend.weight
        if at < 0:
            drawn = [backend]
            break
    others = sorted((each for each in weighted if each not in drawn), key=lambda each: -each.weight)
    return (*drawn, *others, *rest, *model.failover)


def _backends(where: str, value: object, *, weighted: bool) -> tuple[Backend, ...]:
    if not isinstance(value, list | None):
        raise ConfigError(f"{where} must be a list")
    found = []
    for index, entry in enumerate(value or []):
        place = f"{where}[{index}]"
        row = _mapping(place, entry, {"pool", "url", "model", "weight"})
        for name in ("pool", "url", "model"):
            if not isinstance(row.get(name), str) or not row[name]:
                raise ConfigError(f"{place}.{name} must be a string")
        if urlsplit(row["url"]).scheme not in ("http", "https"):
            raise ConfigError(f"{place}.url must be an http URL, not {row['url']!r}")
        weight = row.get("weight", 1 if weighted else 0)
        if isinstance(weight, bool) or not isinstance(weight, int | float) or weight < 0:
            raise ConfigError(f"{place}.weight must be a number that is not negative, not {weight!r}")
        found.append(Backend(row["pool"], row["url"].rstrip("/"), row["model"], float(weight)))
    return tuple(found)


def _limits(where: str, value: object) -> Limits:
    row = _mapping(where, value, {"requestsPerMinute", "tokensPerMinute", "band"})
    band = row.get("band")
    if band is not None and (not isinstance(band, str) or not band):
        raise ConfigError(f"{where}.band must be the name of a band, not {band!r}")
    for name, number in row.items():
        if name == "band":
            continue
        if number is not None and (type(number) is not int or number < 1):
            raise ConfigError(f"{where}.{name} must be a positive integer, not {number!r}")
    return Limits(row.get("requestsPerMinute"), row.get("tokensPerMinute"), band)


def _mapping(where: str, value: object, known: set[str] | None) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigError(f"{where} must be a mapping, not {value!r}")
    strange = sorted(str(key) for key in value.keys() - known) if known is not None else []
    if strange:
        raise ConfigError(f"{where}: {strange[0]} is not known; known are {', '.join(sorted(known or ()))}")
    return value
