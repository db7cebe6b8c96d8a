"""Attainment as it went: equal steps of time, each with what was counted in it."""

from __future__ import annotations

from typing import Any

from apps.slos.domain.attainment import within
from apps.slos.domain.burn import MIN_KNOWN
from apps.slos.domain.tally import Tally

__all__ = ["MAX_STEPS", "boundaries", "budget_left", "cell"]

MAX_STEPS = 1000


def boundaries(start: float, end: float, step: float) -> list[float]:
    """Where the steps from `start` to `end` begin and end (Unix seconds): multiples of `step`, and `end` itself.

    `start` is rounded down to a whole step: days are days of UTC.
    """
    first = start // step * step
    edges = [first + n * step for n in range(int((end - first) // step) + 1)]
    return edges if edges[-1] >= end else [*edges, end]


def cell(start: float, end: float, tally: Tally, fraction: float, *, began: float | None) -> dict[str, Any]:
    """One step over REST. `state`: met | breached | undecided | no_traffic | unknown (less than half was measured)."""
    share = within(tally)
    measured_from = start if began is None else min(max(start, began), end)
    seconds = end - measured_from
    known = min(1.0, tally.known / seconds) if seconds > 0 else 0.0
    if known < MIN_KNOWN:
        state = "unknown"
    elif share is None:
        state = "no_traffic"
    elif share.low >= fraction:
        state = "met"
    else:
        state = "breached" if share.high < fraction else "undecided"
    return {
        "start": start,
        "end": end,
        "state": state,
        "attained": _short(share.low) if share else None,
        "attainedHigh": _short(share.high) if share else None,
        "events": _short(tally.total),
        "bad": _short(tally.total - tally.good),
        "knownShare": _short(known),
    }


def budget_left(tally: Tally, fraction: float) -> float | None:
    """Share of the window's error budget that is left, None without events."""
    allowed = tally.total * (1.0 - fraction)
    return _short(1.0 - (tally.total - tally.good) / allowed) if allowed > 0 else None


def _short(value: float) -> float:
    return float(f"{value:.6g}")
