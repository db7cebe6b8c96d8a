"""How an SLO stands: each objective judged over its window, in words for people and figures for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from apps.core.domain.conditions import Condition, format_time
from apps.slos.domain.attainment import Budget, Span, Within, budget_of, within
from apps.slos.domain.burn import MIN_KNOWN, WINDOWS, Burn, Pair, burn_of, exhausted_in, holds, pairs_of
from apps.slos.domain.slo import Objective, SLOSpec, Source, Traffic
from apps.slos.domain.words import duration_in_words, share_in_words, time_in_words, windows_in_words

__all__ = [
    "Standing", "State", "met_condition", "ready_condition", "stand", "status_of", "windows_of",
]  # fmt: skip

State = Literal["Met", "AtRisk", "Breached", "Undecided", "NoTraffic", "NoData"]
# what needs a person first, first
_ORDER: tuple[State, ...] = ("Breached", "AtRisk", "Undecided", "NoData", "NoTraffic", "Met")
_STATUS: Mapping[State, Literal["True", "False", "Unknown"]] = {"Met": "True", "AtRisk": "True", "Breached": "False"}
# with so little of the budget left, or so soon used up, somebody should know
_LITTLE_LEFT = 0.1
_SOON = 86_400.0
_NAMES = {300.0: "5m", 1800.0: "30m", 3600.0: "1h", 21_600.0: "6h", 259_200.0: "3d"}


@dataclass(frozen=True, slots=True)
class Standing:
    """One objective as it stands at a moment. `promise`: what and to whom, in words; `alerts`: the pairs of burn
    windows, with whether each alerts now."""

    objective: Objective
    promise: str
    state: State
    sentence: str
    span: Span
    within: Within | None
    budget: Budget
    burns: Mapping[float, Burn]
    alerts: tuple[tuple[Pair, bool | None], ...]
    exhausted_in: float | None


def windows_of(objective: Objective) -> tuple[float, ...]:
    """Every window (seconds) that judging the objective looks at."""
    window = objective.window.total_seconds()
    pairs = pairs_of(window)
    return tuple(sorted({window, *WINDOWS, *(p.short for p in pairs), *(p.long for p in pairs)}))


def stand(
    objective: Objective, spans: Mapping[float, Span], *, edges: Sequence[float] = (), traffic: Traffic | None = None
) -> Standing:
    """Judge an objective. `spans`: what was counted in each of `windows_of(objective)`; `edges`: the bucket grid;
    `traffic`: whose requests were counted."""
    promise = objective.sentence(traffic)
    window, fraction = objective.window.total_seconds(), float(objective.fraction)
    span = spans[window]
    share, budget = within(span.tally), budget_of(span.tally, fraction)
    burns = {seconds: burn_of(one.tally, seconds, fraction) for seconds, one in spans.items()}
    alerts = tuple((pair, holds(pair, burns[pair.short], burns[pair.long])) for pair in pairs_of(window))
    recent = next(
        (burns[s] for s in (21_600.0, 3600.0, 300.0) if s in burns and burns[s].state == "ok"), Burn("unknown")
    )
    gone = exhausted_in(budget, window, recent)
    state = _state(objective, span, share, budget, alerts, gone)
    sentence = _sentence(state, promise, objective, span, share, budget, alerts, gone, edges)
    return Standing(objective, promise, state, sentence, span, share, budget, burns, alerts, gone)


def _state(
    objective: Objective,
    span: Span,
    share: Within | None,
    budget: Budget,
    alerts: Sequence[tuple[Pair, bool | None]],
    gone: float | None,
) -> State:
    if share is None:
        return "NoTraffic" if span.known_share >= MIN_KNOWN else "NoData"
    fraction = float(objective.fraction)
    if share.high < fraction:
        return "Breached"
    if share.low < fraction:
        return "Undecided"
    if span.known_share < MIN_KNOWN:
        return "NoData"
    soon = gone is not None and gone <= min(_SOON, objective.window.total_seconds() / 4)
    little = budget.left is not None and budget.left < _LITTLE_LEFT
    return "AtRisk" if soon or little or any(firing for _, firing in alerts) else "Met"


def _sentence(
    state: State,
    promise: str,
    objective: Objective,
    span: Span,
    share: Within | None,
    budget: Budget,
    alerts: Sequence[tuple[Pair, bool | None]],
    gone: float | None,
    edges: Sequence[float],
) -> str:
    if share is None:
        if state == "NoTraffic":
            return f"Nothing was asked that the promise could be kept for: {promise}."
        return f"Nothing was measured that would tell whether {promise}."
    got = share_in_words(share.low) if share.exact else f"{share_in_words(share.low)} to {share_in_words(share.high)}"
    first = f"{got} against the promise that {promise}"
    if state == "Undecided":
        return f"{first}: the threshold lies inside of a bucket{_nearest(objective, edges)}."
    if state == "NoData":
        return f"{first}, but only {share_in_words(span.known_share)} of the time was measured."
    parts = [first]
    if budget.left is not None:
        parts.append(
            f"{share_in_words(budget.left)} of the error budget is left"
            if budget.left >= 0
            else f"the error budget is overspent {1 - budget.left:.1f} times"
        )
    firing = [pair for pair, fires in alerts if fires]
    if firing:
        last = windows_in_words(firing[0].name)
        over = f"the last {last[0]} and the last {last[1]}" if len(last) == 2 else "its window"
        parts.append(f"burning at least {firing[0].factor:.3g} times too fast over {over}")
    if gone and state != "Breached":
        parts.append(f"at this rate it is used up in {time_in_words(gone)}")
    if span.known_share < 0.99:
        parts.append(f"{share_in_words(span.known_share)} of the time was measured")
    return "; ".join(parts) + "."


def _nearest(objective: Objective, edges: Sequence[float]) -> str:
    threshold = objective.seconds
    if threshold is None or not edges:
        return ""
    below = max((edge for edge in edges if edge <= threshold), default=None)
    above = min((edge for edge in edges if edge >= threshold), default=None)
    near = " or ".join(duration_in_words(timedelta(seconds=edge)) for edge in (below, above) if edge is not None)
    return f"; {near} would be counted exactly"


def status_of(
    standings: Sequence[Standing], *, source: Source, at: float, pools: Sequence[str] | None = None
) -> dict[str, Any]:
    """What an SLO's status says: figures null where they are not known, shares 0..1, times in RFC 3339. `pools`: whose
    counts were added up, for an SLO on an Endpoint."""
    worst = min(standings, key=_urgency)
    return {
        "state": worst.state,
        "measuredAt": source,
        **({"pools": list(pools)} if pools is not None else {}),
        "evaluatedAt": _time(at),
        "summary": _summary(worst),
        "objectives": [{**_summary(one), **_details(one, at)} for one in standings],
    }


def _urgency(one: Standing) -> tuple[int, float]:
    return _ORDER.index(one.state), one.budget.left if one.budget.left is not None else 1.0


def _summary(one: Standing) -> dict[str, Any]:
    objective, share = one.objective, one.within
    burn = one.burns.get(3600.0)
    return {
        "key": objective.key,
        "metric": objective.metric,
        "threshold": objective.seconds,
        "fraction": float(objective.fraction),
        "window": objective.window.total_seconds(),
        "promise": one.promise,
        "state": one.state,
        "message": one.sentence,
        "attained": _short(share.low) if share else None,
        "attainedHigh": _short(share.high) if share else None,
        "exact": share.exact if share else None,
        "budgetLeft": _short(one.budget.left),
        "burnRate": _short(burn.rate) if burn else None,
        "firing": sum(1 for _, fires in one.alerts if fires),
    }


def _details(one: Standing, at: float) -> dict[str, Any]:
    tally = one.span.tally
    return {
        "events": _short(tally.total),
        "bad": _short(one.budget.spent),
        "knownShare": _short(one.span.known_share),
        "budget": {
            "events": _short(one.budget.events),
            "spent": _short(one.budget.spent),
            "left": _short(one.budget.left),
            "leftHigh": _short(one.budget.left_most),
            "exhaustedAt": _time(at + one.exhausted_in) if one.exhausted_in is not None else None,
        },
        "burn": [
            {
                "window": _NAMES.get(seconds, f"{seconds:g}s"),
                "seconds": seconds,
                "state": burn.state,
                "rate": _short(burn.rate),
                "rateLow": _short(burn.least),
                "events": _short(burn.events),
            }
            for seconds, burn in sorted(one.burns.items())
            if seconds in WINDOWS or len(one.alerts) == 1
        ],
        "alerts": [
            {
                "pair": pair.name,
                "short": pair.short,
                "long": pair.long,
                "factor": _short(pair.factor),
                "severity": pair.severity,
                "firing": fires,
            }
            for pair, fires in one.alerts
        ],
    }


def met_condition(standings: Sequence[Standing], generation: int) -> Condition:
    """The condition `Met`: its reason is the state of the worst objective, its message that one's sentence."""
    worst = min(standings, key=_urgency)
    others = sum(one.state != "Met" for one in standings) - (worst.state != "Met")
    more = f" {others} more of {len(standings)} objectives are not met." if others > 0 else ""
    return Condition("Met", _STATUS.get(worst.state, "Unknown"), worst.state, worst.sentence + more, generation)


# the shortest window of a burn rate: before it is over, a new SLO has not been measured, and nothing is wrong
FIRST_MINUTES = 300.0


def ready_condition(spec: SLOSpec, source: Source, newest: Burn, generation: int, *, age: float) -> Condition:
    """The condition `Ready`: whether the SLO is being measured; `newest`: what the last five minutes said; `age`:
    seconds since it was declared. One that is younger than what it is judged by is given its five minutes."""
    ref = spec.target_ref
    endpoint = ref.kind == "Endpoint"
    where = f"the endpoint picker of {ref.kind} {ref.name}" if source == "gateway" else f"the engines of {ref.name}"
    if endpoint:
        where = f"the endpoint picker of a pool that Endpoint {ref.name} names"
    if newest.state != "unknown":
        sentence = f"{ref.kind} {ref.name} is there; its objectives are measured at the {source}."
        return Condition("Ready", "True", "TargetFound", sentence, generation)
    if 0 <= age < FIRST_MINUTES:
        sentence = f"{ref.kind} {ref.name} is there; the first five minutes of measuring at the {source} are not over."
        return Condition("Ready", "True", "TargetFound", sentence, generation)
    mend = f"`lamp integrity {ref.kind.lower()} {ref.name}` says why"
    if endpoint:
        mend = "`lamp integrity pool NAME` of each says why"
    elif source == "gateway":
        mend += "; measuredAt: engine would judge by the engines alone"
    return Condition(
        "Ready", "False", "NotMeasured", f"Nothing of {where} was read in the last five minutes: {mend}.", generation
    )


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _time(at: float) -> str:
    return format_time(datetime.fromtimestamp(at, UTC).replace(microsecond=0))
