"""Flow control of an EndpointPickerConfig: how many requests are held, and for how long, while no replica can serve."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from apps.embedded.domain.quantity import parse_quantity

GATE = "flowControl"
DETECTORS = frozenset({"concurrency-detector", "utilization-detector"})
KEYS = frozenset({"maxBytes", "maxRequests", "defaultRequestTTL", "noEndpointRequestTTL", "saturationDetector"})
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+")


class Outcome(StrEnum):
    """How a request left the queue: the values of the label `outcome` in llm-d's metrics."""

    DISPATCHED = "Dispatched"
    REJECTED_CAPACITY = "RejectedCapacity"
    EVICTED_TTL = "EvictedTTL"
    EVICTED_NO_ENDPOINTS = "EvictedNoEndpoints"
    EVICTED_CANCELLED = "EvictedContextCancelled"
    EVICTED_OTHER = "EvictedOther"


@dataclass(frozen=True, slots=True)
class FlowControl:
    """Bounds of the queue.

    max_requests, max_bytes: more than this is refused. request_ttl, no_endpoint_ttl: seconds that a request is held
    while there are replicas that serve (but are full), and while there is none. max_concurrency: requests in flight per
    replica up to which held ones are let go.
    """

    max_requests: int = 1000
    max_bytes: int = 2**30
    request_ttl: float = 60.0
    no_endpoint_ttl: float = 60.0
    max_concurrency: int = 100


def read_flow_control(
    document: Mapping[str, Any], plugins: Mapping[str, tuple[str, Mapping[str, Any]]]
) -> FlowControl | None:
    """The flow control that a configuration asks for; None when its feature gate is off. ValueError with a sentence.

    `plugins`: type and parameters of each declared plugin, by name.
    """
    gates = document.get("featureGates") or []
    if not isinstance(gates, list) or GATE not in gates:
        return None
    section = document.get("flowControl") or {}
    if not isinstance(section, Mapping):
        raise ValueError("flowControl must be a mapping")
    unknown = sorted(section.keys() - KEYS)
    if unknown:
        raise ValueError(f"flowControl.{unknown[0]} is not supported here; supported are {', '.join(sorted(KEYS))}")
    default = FlowControl()
    ttl = _seconds(section, "defaultRequestTTL", default.request_ttl)
    return FlowControl(
        max_requests=_count(section, "maxRequests", default.max_requests),
        max_bytes=_count(section, "maxBytes", default.max_bytes),
        request_ttl=ttl,
        no_endpoint_ttl=_seconds(section, "noEndpointRequestTTL", ttl),
        max_concurrency=_concurrency(section.get("saturationDetector"), plugins, default.max_concurrency),
    )


def go_duration(text: object) -> float:
    """Seconds of a Go duration such as 500ms, 60s or 1m30s. ValueError for anything else."""
    if not isinstance(text, str) or not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration; write it like 500ms, 60s or 1m30s")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text))


def saturation(loads: list[tuple[int, float]]) -> float:
    """Mean over the replicas of max(queue / 5, KV usage / 0.8), from (waiting requests, KV usage 0..1) of each.

    1 without any, as llm-d's utilization detector says: what is not known counts as full.
    """
    return sum(max(waiting / 5, usage / 0.8) for waiting, usage in loads) / len(loads) if loads else 1.0


def _seconds(section: Mapping[str, Any], name: str, default: float) -> float:
    if section.get(name) is None:
        return default
    try:
        seconds = go_duration(section[name])
    except ValueError as error:
        raise ValueError(f"flowControl.{name}: {error}") from None
    if seconds <= 0:
        raise ValueError(f"flowControl.{name} must be longer than nothing")
    return seconds


def _count(section: Mapping[str, Any], name: str, default: int) -> int:
    value = section.get(name)
    if value is None:
        return default
    try:
        count = int(parse_quantity(value))
    except (ValueError, TypeError) as error:
        raise ValueError(f"flowControl.{name}: {error}") from None
    if count < 1:
        raise ValueError(f"flowControl.{name} must be at least 1, not {value!r}")
    return count


def _concurrency(reference: object, plugins: Mapping[str, tuple[str, Mapping[str, Any]]], default: int) -> int:
    if reference is None:
        return default
    name = str(reference.get("pluginRef")) if isinstance(reference, Mapping) else ""
    if name not in plugins or plugins[name][0] not in DETECTORS:
        raise ValueError(f"flowControl.saturationDetector: no plugin of a detector is named {name!r}")
    value = plugins[name][1].get("maxConcurrency", default)
    if type(value) is not int or value < 1:
        raise ValueError(f"maxConcurrency of {name} must be a positive integer, not {value!r}")
    return value
