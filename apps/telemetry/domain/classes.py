"""Traffic classes at the gateway: the requests of one tenant, of one priority, or of both, counted on their own.

llm-d's router labels requests, errors and durations by tenant (`fairness_id`) and priority; times to first token and
between tokens it measures of all requests together (docs/metrics.md). So a class has these three, and they are read
only for classes that somebody asked for: a page may name a thousand tenants.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from apps.telemetry.domain.exposition import Series
from apps.telemetry.domain.readings import PageReading

__all__ = ["CLASS_LINES", "PRIORITY", "TENANT", "TrafficClass", "of_class", "with_classes"]

TENANT, PRIORITY = "fairness_id", "priority"

_REQUESTS = "llm_d_epp_request_total"
_ERRORS = "llm_d_epp_request_error_total"
_DURATION = "llm_d_epp_request_duration_seconds"
CLASS_LINES = frozenset({_REQUESTS, _ERRORS, f"{_DURATION}_bucket", f"{_DURATION}_sum"})


@dataclass(frozen=True, slots=True)
class TrafficClass:
    """Requests of a tenant (llm-d's fairness id), of a priority, or of both; None: of any."""

    tenant: str | None = None
    priority: int | None = None

    @property
    def key(self) -> str:
        """How signals name it: `tenant=acme,priority=10`."""
        return ",".join(f"{label}={value}" for label, value in self._wanted("tenant", "priority"))

    @property
    def labels(self) -> tuple[tuple[str, str], ...]:
        """(label, value) of the router's series."""
        return self._wanted(TENANT, PRIORITY)

    def _wanted(self, tenant: str, priority: str) -> tuple[tuple[str, str], ...]:
        given = ((tenant, self.tenant), (priority, self.priority))
        return tuple((label, str(value)) for label, value in given if value is not None)

    def holds(self, series: Series) -> bool:
        return all(series.labels.get(label) == value for label, value in self.labels)


def with_classes(reading: PageReading, lines: Iterable[Series], classes: Sequence[TrafficClass]) -> PageReading:
    """A picker's reading with what its lines say of these classes: `gateway.requests@KEY`, `gateway.error@KEY:CODE`,
    the family `gateway.e2e@KEY`.

    A class that asked nothing yet has no series: where the picker counts requests at all, that is none of them.
    """
    counters = dict(reading.counters)
    cumulative = {family: dict(edges) for family, edges in reading.cumulative.items()}
    broken = set(reading.unreadable)
    if "gateway.requests" in reading.counters:
        for one in classes:
            counters[f"gateway.requests@{one.key}"] = 0.0
    for line in lines:
        for one in classes:
            if not one.holds(line):
                continue
            name = _name(line, one.key)
            if not math.isfinite(line.value):
                broken.add(f"gateway.e2e@{one.key}" if line.name.startswith(_DURATION) else name)
            elif line.name == f"{_DURATION}_bucket":
                edges = cumulative.setdefault(name, {})
                edge = float(line.labels.get("le", "nan"))
                edges[edge] = edges.get(edge, 0.0) + line.value
            else:
                counters[name] = counters.get(name, 0.0) + line.value
    return replace(
        reading,
        counters={name: total for name, total in counters.items() if name not in broken},
        cumulative={family: edges for family, edges in cumulative.items() if family not in broken},
        unreadable=frozenset(broken),
    )


def _name(line: Series, key: str) -> str:
    if line.name == _REQUESTS:
        return f"gateway.requests@{key}"
    if line.name == _ERRORS:
        return f"gateway.error@{key}:{line.labels.get('error_code', '')}"
    return f"gateway.e2e@{key}{'_sum' if line.name.endswith('_sum') else ''}"


def of_class(counts: Mapping[str, float], key: str) -> dict[str, float]:
    """The counts of a class under the names that all requests have: `gateway.requests`, `gateway.error:CODE`."""
    mark = f"@{key}"
    found = {}
    for name, count in counts.items():
        head, sep, tail = name.partition(mark)
        # a key may begin as another one does
        if sep and (not tail or tail[0] in ":_"):
            found[head + tail] = count
    return found
