"""Flow control: how requests are held that no replica can serve yet, in which order they go, and which are dropped.

Bands of priority are strict: the higher one goes first. Within a band `global-strict-fairness-policy` looks at order
alone, `round-robin-fairness-policy` lets tenants (fairness ids) take turns; order is by arrival (fcfs), by the end of
the time that a request may be held (edf), or by the end of the TTFT that its client allows (slo-deadline).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, TypeVar

from apps.physics.routing.parameters import ConfigError, count, go_duration
from apps.physics.routing.plugins.utilization import Concurrency, Utilization

GATE = "flowControl"
KEYS = frozenset({
    "maxBytes", "maxRequests", "defaultRequestTTL", "noEndpointRequestTTL", "saturationDetector", "priorityBands",
    "defaultPriorityBand",
})  # fmt: skip
BAND_KEYS = frozenset({"priority", "maxBytes", "maxRequests", "fairnessPolicyRef", "orderingPolicyRef"})
FCFS, STRICT = "fcfs-ordering-policy", "global-strict-fairness-policy"
ROUND_ROBIN = "round-robin-fairness-policy"
ORDERINGS = (FCFS, "edf-ordering-policy", "slo-deadline-ordering-policy")
FAIRNESS = (STRICT, ROUND_ROBIN)
Ticket = TypeVar("Ticket")


class Outcome(StrEnum):
    """How a request left the queue: the values of the label `outcome` in llm-d's metrics."""

    DISPATCHED = "Dispatched"
    REJECTED_CAPACITY = "RejectedCapacity"
    EVICTED_TTL = "EvictedTTL"
    EVICTED_NO_ENDPOINTS = "EvictedNoEndpoints"
    EVICTED_CANCELLED = "EvictedContextCancelled"
    EVICTED_OTHER = "EvictedOther"


@dataclass(frozen=True, slots=True)
class Band:
    """One priority's bounds and policies; None: no bound of its own."""

    max_requests: int | None = None
    max_bytes: int | None = None
    fairness: str = STRICT
    ordering: str = FCFS


@dataclass(frozen=True, slots=True)
class FlowControl:
    """Bounds of the queue.

    max_requests, max_bytes: more than this is refused. request_ttl, no_endpoint_ttl: seconds that a request is held
    while there are replicas that serve (but are full), and while there is none. max_concurrency: requests in flight per
    replica up to which held ones are let go. bands: by priority; any other priority is a `default` band. detector: what
    tells that the pool is full, where the configuration names one; None: it is never full.
    """

    max_requests: int = 1000
    max_bytes: int = 2**30
    request_ttl: float = 60.0
    no_endpoint_ttl: float = 60.0
    max_concurrency: int = 100
    bands: Mapping[int, Band] = field(default_factory=dict)
    default: Band = field(default_factory=Band)
    detector: Concurrency | Utilization | None = field(default=None, compare=False)

    def band(self, priority: int) -> Band:
        return self.bands.get(priority, self.default)


@dataclass(frozen=True, slots=True)
class Waiting(Generic[Ticket]):
    """A request that waits. size: bytes. since: when it came. until: when it may be held no longer. slo_until: when its
    first token is due; infinite where its client says nothing. Seconds on the caller's clock."""

    ticket: Ticket
    priority: int
    fairness: str
    size: int
    since: float
    until: float
    slo_until: float = float("inf")


class FlowQueue(Generic[Ticket]):
    """The requests that wait, in the order in which they go."""

    def __init__(self, limits: FlowControl) -> None:
        self._limits = limits
        self._bands: dict[int, OrderedDict[str, list[Waiting[Ticket]]]] = {}
        self._count = 0
        self.bytes = 0

    def __len__(self) -> int:
        return self._count

    def held(self, priority: int) -> tuple[int, int]:
        """Requests and bytes that wait in a band."""
        waiting = [each for flow in self._bands.get(priority, {}).values() for each in flow]
        return len(waiting), sum(each.size for each in waiting)

    def fits(self, priority: int, size: int) -> bool:
        """Whether one more of `size` bytes may wait."""
        limits, band = self._limits, self._limits.band(priority)
        if self._count >= limits.max_requests or self.bytes + size > limits.max_bytes:
            return False
        if band.max_requests is None and band.max_bytes is None:
            return True
        requests, held = self.held(priority)
        return (band.max_requests is None or requests < band.max_requests) and (
            band.max_bytes is None or held + size <= band.max_bytes
        )

    def add(self, waiting: Waiting[Ticket]) -> None:
        self._bands.setdefault(waiting.priority, OrderedDict()).setdefault(waiting.fairness, []).append(waiting)
        self._count += 1
        self.bytes += waiting.size

    def remove(self, waiting: Waiting[Ticket]) -> bool:
        """Take a request out; False when it is not here any more."""
        flows = self._bands.get(waiting.priority, OrderedDict())
        flow = flows.get(waiting.fairness, [])
        if not any(each is waiting for each in flow):
            return False
        flow[:] = [each for each in flow if each is not waiting]
        if not flow:
            del flows[waiting.fairness]
        if not flows:
            del self._bands[waiting.priority]
        self._count -= 1
        self.bytes -= waiting.size
        return True

    def next(self) -> Waiting[Ticket] | None:
        """The request whose turn it is; None when nothing waits. It is taken out, and its tenant goes to the back."""
        if not self._bands:
            return None
        priority = max(self._bands)
        band, flows = self._limits.band(priority), self._bands[priority]
        if band.fairness == ROUND_ROBIN:
            tenant = next(iter(flows))
            chosen = min(flows[tenant], key=lambda each: _order(band.ordering, each))
            flows.move_to_end(tenant)
        else:
            chosen = min(
                (each for flow in flows.values() for each in flow), key=lambda each: _order(band.ordering, each)
            )
        self.remove(chosen)
        return chosen

    def everybody(self) -> list[Waiting[Ticket]]:
        """All that wait, in no order."""
        return [each for flows in self._bands.values() for flow in flows.values() for each in flow]


def read_flow_control(document: Mapping[str, Any], plugins: Mapping[str, tuple[str, Any]]) -> FlowControl | None:
    """The flow control that a configuration asks for; None when its feature gate is off. Raises ConfigError.

    `plugins`: type and instance of each declared plugin, by name.
    """
    gates = document.get("featureGates") or []
    if not isinstance(gates, list) or GATE not in gates:
        return None
    section = document.get("flowControl") or {}
    if not isinstance(section, Mapping):
        raise ConfigError("flowControl must be a mapping")
    unknown = sorted(section.keys() - KEYS)
    if unknown:
        raise ConfigError(f"flowControl.{unknown[0]} is not supported here; supported are {', '.join(sorted(KEYS))}")
    default = FlowControl()
    ttl = _seconds(section, "defaultRequestTTL", default.request_ttl)
    listed = section.get("priorityBands") or []
    if not isinstance(listed, list):
        raise ConfigError("flowControl.priorityBands must be a list")
    bands = {}
    for position, band in enumerate(listed):
        where = f"flowControl.priorityBands[{position}]"
        if not isinstance(band, Mapping) or type(band.get("priority")) is not int:
            raise ConfigError(f"{where} needs priority, an integer")
        if band["priority"] in bands:
            raise ConfigError(f"{where}: the priority {band['priority']} has a band already")
        bands[band["priority"]] = _band(where, band, plugins)
    detector = _detector(section.get("saturationDetector"), plugins)
    return FlowControl(
        max_requests=_count("flowControl", section, "maxRequests") or default.max_requests,
        max_bytes=_count("flowControl", section, "maxBytes") or default.max_bytes,
        request_ttl=ttl,
        no_endpoint_ttl=_seconds(section, "noEndpointRequestTTL", ttl),
        max_concurrency=detector.most if isinstance(detector, Concurrency) else default.max_concurrency,
        bands=bands,
        default=_band("flowControl.defaultPriorityBand", section.get("defaultPriorityBand") or {}, plugins),
        detector=detector,
    )


def _order(policy: str, waiting: Waiting[Ticket]) -> tuple[float, float]:
    if policy == "edf-ordering-policy":
        return waiting.until, waiting.since
    if policy == "slo-deadline-ordering-policy":
        return waiting.slo_until, waiting.since
    return waiting.since, waiting.since


def _band(where: str, band: object, plugins: Mapping[str, tuple[str, Any]]) -> Band:
    if not isinstance(band, Mapping):
        raise ConfigError(f"{where} must be a mapping")
    unknown = sorted(band.keys() - BAND_KEYS)
    if unknown:
        raise ConfigError(f"{where}.{unknown[0]} is not supported here; supported are {', '.join(sorted(BAND_KEYS))}")
    return Band(
        _count(where, band, "maxRequests"),
        _count(where, band, "maxBytes"),
        _policy(where, band, "fairnessPolicyRef", plugins, FAIRNESS),
        _policy(where, band, "orderingPolicyRef", plugins, ORDERINGS),
    )


def _policy(
    where: str, band: Mapping[str, Any], name: str, plugins: Mapping[str, tuple[str, Any]], known: tuple[str, ...]
) -> str:
    reference = band.get(name)
    if reference is None:
        return known[0]
    kind = plugins.get(reference, (reference, None))[0] if isinstance(reference, str) else None
    if kind not in known:
        raise ConfigError(f"{where}.{name} is {reference!r}; known are {', '.join(known)}")
    return str(kind)


def _seconds(section: Mapping[str, Any], name: str, default: float) -> float:
    if section.get(name) is None:
        return default
    try:
        seconds = go_duration(section[name])
    except ValueError as error:
        raise ConfigError(f"flowControl.{name}: {error}") from None
    if seconds <= 0:
        raise ConfigError(f"flowControl.{name} must be longer than nothing")
    return seconds


def _count(where: str, section: Mapping[str, Any], name: str) -> int | None:
    value = section.get(name)
    if value is None:
        return None
    try:
        number = count(value)
    except ValueError as error:
        raise ConfigError(f"{where}.{name}: {error}") from None
    if number < 1:
        raise ConfigError(f"{where}.{name} must be at least 1, not {value!r}")
    return number


def _detector(reference: object, plugins: Mapping[str, tuple[str, Any]]) -> Concurrency | Utilization | None:
    if reference is None:
        return None
    name = str(reference.get("pluginRef")) if isinstance(reference, Mapping) else ""
    detector = plugins.get(name, ("", None))[1]
    if not isinstance(detector, Concurrency | Utilization):
        raise ConfigError(f"flowControl.saturationDetector: no plugin of a detector is named {name!r}")
    return detector
