"""What one `/metrics` page says, under our names: totals, histograms, gauges of the moment."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["PageReading", "cumulative_of", "pack_cumulative"]


@dataclass(frozen=True, slots=True)
class PageReading:
    """One scrape of one process. All data-parallel ranks of the page are added up.

    counters: totals since the process started; cumulative: family -> {upper edge: observations at or below it};
    gauges: values of the moment; started: Unix seconds at which the process started, where the page tells;
    unreadable: counters and families that were there with a value that is no number (NaN, an infinity);
    behind: counters and families carried on from an earlier page -> how many seconds earlier it was.
    What the page does not have is missing, never 0.
    """

    counters: Mapping[str, float] = field(default_factory=dict)
    cumulative: Mapping[str, Mapping[float, float]] = field(default_factory=dict)
    gauges: Mapping[str, float] = field(default_factory=dict)
    started: float | None = None
    unreadable: frozenset[str] = frozenset()
    behind: Mapping[str, float] = field(default_factory=dict)

    @property
    def found(self) -> bool:
        """Whether anything that we look for is on the page: it may be that of something else on the port."""
        return bool(self.counters or self.gauges)

    def state(self) -> dict[str, Any]:
        """What the next scrape is compared with, as JSON."""
        return {
            "started": self.started,
            "counters": dict(self.counters),
            "cumulative": {family: pack_cumulative(edges) for family, edges in self.cumulative.items()},
            **({"unreadable": sorted(self.unreadable)} if self.unreadable else {}),
            **({"behind": dict(self.behind)} if self.behind else {}),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> PageReading:
        return cls(
            counters=dict(state.get("counters", {})),
            cumulative={family: cumulative_of(packed) for family, packed in state.get("cumulative", {}).items()},
            started=state.get("started"),
            unreadable=frozenset(state.get("unreadable", ())),
            behind=dict(state.get("behind", {})),
        )


def pack_cumulative(edges: Mapping[float, float]) -> str:
    """`edge edge …|count count …`, edges rising: a fifth of the bytes of nested JSON."""
    rising = sorted(edges)
    return f"{' '.join(map(_short, rising))}|{' '.join(_short(edges[edge]) for edge in rising)}"


def cumulative_of(packed: str | Iterable[tuple[float | None, float]]) -> dict[float, float]:
    """The inverse of `pack_cumulative`; also reads [[edge or null for infinity, count], …], as was stored before."""
    if isinstance(packed, str):
        edges, _, counts = packed.partition("|")
        return dict(zip(map(float, edges.split()), map(float, counts.split()), strict=True))
    return {math.inf if edge is None else float(edge): count for edge, count in packed}


def _short(number: float) -> str:
    return str(int(number)) if number.is_integer() else repr(number)
