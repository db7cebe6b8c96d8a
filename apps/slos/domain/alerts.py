"""Burn-rate alerts: which begin and which end, from what is open and how objectives stand. Pure and repeatable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from apps.slos.domain.burn import Burn, Pair
from apps.slos.domain.standing import Standing
from apps.slos.domain.words import windows_in_words

__all__ = ["AlertKey", "Fired", "Resolved", "transitions"]

# an open alert ends when the short window burns clearly less than its factor, not a hair below it
_CLEAR = 0.9


class AlertKey(NamedTuple):
    """What an alert of an SLO is about: an objective's key and a pair's name."""

    objective: str
    pair: str


@dataclass(frozen=True, slots=True)
class Fired:
    """An alert that begins."""

    key: AlertKey
    severity: str
    promise: str
    reason: str
    factor: float
    burn_short: float
    burn_long: float


@dataclass(frozen=True, slots=True)
class Resolved:
    """An alert that ends, and why."""

    key: AlertKey
    reason: str


def transitions(standings: Sequence[Standing], open_: Iterable[AlertKey]) -> tuple[list[Fired], list[Resolved]]:
    """What changes. An open alert whose burn cannot be told stays open: silence is not recovery."""
    running = set(open_)
    now = {
        AlertKey(one.objective.key, pair.name): (one, pair, fires) for one in standings for pair, fires in one.alerts
    }
    fired = [_fired(key, one, pair) for key, (one, pair, fires) in now.items() if fires and key not in running]
    resolved = []
    for key in sorted(running):
        if key not in now:
            resolved.append(Resolved(key, f"The objective {key.objective} is no longer declared so."))
            continue
        one, pair, fires = now[key]
        why = _over(pair, one.burns) if fires is False else None
        if why is not None:
            resolved.append(Resolved(key, f"{why} {one.sentence}"))
    return fired, resolved


def _fired(key: AlertKey, one: Standing, pair: Pair) -> Fired:
    short, long = one.burns[pair.short].least or 0.0, one.burns[pair.long].least or 0.0
    last = windows_in_words(pair.name)
    both = len(last) == 2
    windows = f" over the last {last[0]} and {long:.3g} times over the last {last[1]}" if both else " over its window"
    rate = short if both else long
    # the sentence behind it says whose budget it is
    burns = f"The error budget burns {rate:.3g} times too fast{windows}"
    reason = f"{burns}; the alert is for {pair.factor:.3g} times and more. {one.sentence}"
    return Fired(key, pair.severity, one.promise, reason, pair.factor, short, long)


def _over(pair: Pair, burns: Mapping[float, Burn]) -> str | None:
    short, long = burns[pair.short], burns[pair.long]
    if short.state == "no_traffic":
        return f"Nothing was asked in the last {windows_in_words(pair.name)[0]}."
    if short.least is not None and short.least < _CLEAR * pair.factor:
        return f"The burn rate fell to {short.least:.3g}."
    if long.least is not None and long.least < _CLEAR * pair.factor:
        return f"The burn rate over the long window fell to {long.least:.3g}."
    return None
