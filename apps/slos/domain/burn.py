"""Burn rates: how fast an error budget is spent. 1 spends it exactly by the end of the window.

Pairs of windows and the shares of budget at which they alert: Google SRE workbook, chapter 5, "Multiwindow,
Multi-Burn-Rate Alerts" (table 5-8). There 14.4, 6 and 1 are worked out for 30 days; here the factor follows from the
objective's own window: share of the budget x window / long window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from apps.slos.domain.attainment import Budget
from apps.slos.domain.tally import Tally

__all__ = ["MIN_EVENTS", "MIN_KNOWN", "WINDOWS", "Burn", "Pair", "burn_of", "exhausted_in", "holds", "pairs_of"]

Severity = Literal["page", "ticket"]
# seconds: all windows that burn rates are told of
WINDOWS = (300.0, 1800.0, 3600.0, 21_600.0, 259_200.0)
# one bad request of three is no trend
MIN_EVENTS = 10
# of less known time than this share of a window nothing is concluded
MIN_KNOWN = 0.5
_SHORTEST = 60.0


@dataclass(frozen=True, slots=True)
class Pair:
    """Alerts while both windows (seconds) burn `factor` times too fast or more."""

    name: str
    short: float
    long: float
    factor: float
    severity: Severity


_TABLE: tuple[tuple[str, float, float, float, Severity], ...] = (
    ("5m/1h", 300.0, 3600.0, 0.02, "page"),
    ("30m/6h", 1800.0, 21_600.0, 0.05, "page"),
    ("6h/3d", 21_600.0, 259_200.0, 0.10, "ticket"),
)


def pairs_of(window: float) -> tuple[Pair, ...]:
    """The pairs for an objective over `window` seconds: those whose long window fits into it.

    A burn below 1 is never alerted on. A window shorter than an hour has one pair of its own.
    """
    fitting = tuple(
        Pair(name, short, long, max(1.0, share * window / long), severity)
        for name, short, long, share, severity in _TABLE
        if long <= window
    )
    return fitting or (Pair("window", max(_SHORTEST, window / 12), window, 1.0, "page"),)


@dataclass(frozen=True, slots=True)
class Burn:
    """`rate` at most, `least` for certain; both None where nothing was asked or nothing is known.

    `state`: ok | no_traffic | unknown.
    """

    state: Literal["ok", "no_traffic", "unknown"]
    rate: float | None = None
    least: float | None = None
    events: float = 0.0


def burn_of(tally: Tally, seconds: float, fraction: float) -> Burn:
    """The burn rate over a window of `seconds`."""
    if tally.known < MIN_KNOWN * seconds:
        return Burn("unknown", events=tally.total)
    if tally.total <= 0:
        return Burn("no_traffic")
    allowed = 1.0 - fraction
    return Burn(
        "ok",
        (tally.total - tally.good) / tally.total / allowed,
        (tally.total - tally.good_most) / tally.total / allowed,
        tally.total,
    )


def holds(pair: Pair, short: Burn, long: Burn) -> bool | None:
    """Whether the pair alerts: True, False, or None where it cannot be told.

    Only what is certain alerts; without traffic the budget does not burn.
    """
    if short.state == "no_traffic" or (short.least is not None and short.least < pair.factor):
        return False
    if short.least is None or long.least is None:
        return None
    return long.least >= pair.factor and long.events >= MIN_EVENTS


def exhausted_in(budget: Budget, window: float, burn: Burn) -> float | None:
    """Seconds until nothing is left at this burn rate; 0 when it is used up, None where it will not be.

    The earliest time: bad events that leave the rolling window meanwhile give budget back and are not counted.
    """
    left = budget.left
    if left is None:
        return None
    if left <= 0:
        return 0.0
    if burn.rate is None or burn.rate <= 1:
        return None
    return left * window / burn.rate
