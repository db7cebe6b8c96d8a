"""Attainment of an objective over its window, and what is left of its error budget.

Error budget: the share 1 - fraction of the window's events may be bad. Source of the terms: Google SRE workbook,
chapters 2 and 5 ("Implementing SLOs", "Alerting on SLOs").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.slos.domain.tally import Tally

__all__ = ["Budget", "Span", "Within", "budget_of", "together", "within"]


@dataclass(frozen=True, slots=True)
class Span:
    """What was counted in `seconds` of time; `seconds` begins no earlier than the measuring did."""

    seconds: float
    tally: Tally

    @property
    def known_share(self) -> float:
        """Share 0..1 of the time that was measured."""
        return min(1.0, self.tally.known / self.seconds) if self.seconds > 0 else 0.0


def together(spans: Sequence[Span]) -> Span:
    """What several pools did in one span of time, which may have begun later for some; of none it is nothing.

    Events add up. Time counts as measured where it was for every pool: of gaps whose place within the span is not
    known it is assumed that they coincide, as those of a source that failed do, so the longest one counts.
    """
    if len(spans) == 1:
        return spans[0]
    seconds = max((span.seconds for span in spans), default=0.0)
    unknown = max((max(0.0, span.seconds - span.tally.known) for span in spans), default=0.0)
    known = seconds - unknown
    tallies = [span.tally for span in spans]
    idle = min((tally.idle for tally in tallies), default=0.0)
    return Span(
        seconds,
        Tally(
            sum(tally.total for tally in tallies),
            sum(tally.good for tally in tallies),
            sum(tally.good_most for tally in tallies),
            known,
            min(idle, known),
        ),
    )


@dataclass(frozen=True, slots=True)
class Within:
    """Share of events that were good, 0..1: `low` for certain, `high` at most; equal where it is exact."""

    low: float
    high: float

    @property
    def exact(self) -> bool:
        return self.low == self.high


def within(tally: Tally) -> Within | None:
    """None where there was no event."""
    if tally.total <= 0:
        return None
    return Within(min(1.0, tally.good / tally.total), min(1.0, tally.good_most / tally.total))


@dataclass(frozen=True, slots=True)
class Budget:
    """Events that may be bad in the window, and that were (for certain `spent_least`, at most `spent`).

    `left` is 1 for an untouched budget, 0 for one that is used up, negative beyond it; it rests on `spent`.
    """

    events: float
    spent: float
    spent_least: float

    @property
    def left(self) -> float | None:
        return 1.0 - self.spent / self.events if self.events > 0 else None

    @property
    def left_most(self) -> float | None:
        return 1.0 - self.spent_least / self.events if self.events > 0 else None


def budget_of(tally: Tally, fraction: float) -> Budget:
    """The budget of a window with these events."""
    return Budget(tally.total * (1.0 - fraction), tally.total - tally.good, tally.total - tally.good_most)
