"""A trace through a fleet under a controller, and what it came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from apps.physics.fleet.fleet import Fleet, Observation, Phase
from apps.physics.fleet.types import Arrival, Seen

REVERSAL = 600.0

Controller = Callable[[Observation], Mapping[str, tuple[int, int]] | None]
"""At a tick: variant -> (replicas awake, asleep beside them) to be; None or a variant left out: as it is."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a request needs to count as well served. Seconds.

    length_factor, prefill_rate: with a factor, a long prompt may take `length_factor * prompt / prefill_rate` to its
    first token (rate in tokens/s), where that is more than `ttft`.
    """

    ttft: float
    tpot: float
    length_factor: float = 0.0
    prefill_rate: float = 30_000.0

    def met(self, seen: Seen) -> bool:
        """Both limits, jointly; a request without an answer meets none."""
        return seen.finished and seen.ttft <= self.first(seen.arrival) and seen.tpot <= self.tpot

    def first(self, arrival: Arrival) -> float:
        """The limit of this request's time to first token."""
        return max(self.ttft, self.length_factor * arrival.prompt_tokens / self.prefill_rate)


@dataclass(frozen=True, slots=True)
class Moment:
    """The fleet at one tick: replicas by variant as wanted and as ready, in all phases that hold accelerators."""

    at: float
    desired: int
    ready: int
    held: int
    arrived: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to. attainment: joint share of requests within the limits; lengthwise: with the limit that grows
    with the prompt. Times in seconds. accelerator_hours: from placement to end, standby included; standby_hours are
    those asleep. actions: changes of the target; reversals: of them, those against one less than 10 minutes before."""

    requests: int
    attainment: float
    lengthwise: float
    failed: int
    ttft: tuple[float, float, float]
    tpot: tuple[float, float, float]
    hit: float
    accelerator_hours: float
    standby_hours: float
    cost: float
    actions: int
    reversals: int
    seconds: float
    curve: tuple[Moment, ...]


def run(
    fleet: Fleet,
    trace: Sequence[Arrival],
    controller: Controller | None,
    limits: Limits,
    *,
    tick: float = 10.0,
    ask: float | None = None,
    horizon: float | None = None,
    grace: float = 300.0,
) -> Outcome:
    """Play `trace` (sorted by time) to `horizon` seconds (default: its last arrival), a tick every `tick` seconds.
    `ask`: seconds between looks at who waits while no replica is to be there, at which the controller decides at once.

    Accelerators are counted to the horizon. Ticks go on for up to `grace` seconds after it while requests are in
    flight; then they are played to their end on what is there.
    """
    end = horizon if horizon is not None else (trace[-1].time if trace else 0.0)
    fleet.stop_charging(end)
    curve: list[Moment] = []
    changes: list[tuple[float, int]] = []
    position, at, last = 0, tick, 0.0
    while at <= end + grace and (at <= end or fleet.busy):
        empty = controller is not None and ask is not None and not sum(fleet.desired.values())
        now = min(at, last + ask) if empty and ask is not None else at
        while position < len(trace) and trace[position].time < now:
            fleet.send(trace[position])
            position += 1
        fleet.advance(now)
        last = now
        if now < at and not fleet.held:
            continue
        observation = fleet.observe()
        before = sum(fleet.desired.values())
        if controller is not None:
            for variant, (replicas, asleep) in (controller(observation) or {}).items():
                if (replicas, asleep) != (fleet.desired[variant], fleet.asleep[variant]):
                    fleet.scale(variant, replicas, asleep)
        after = sum(fleet.desired.values())
        if after != before and now <= end:
            changes.append((now, 1 if after > before else -1))
        ready = observation.count(Phase.READY)
        curve.append(Moment(now, after, ready, observation.held, len(observation.arrived)))
        if now >= at:
            at += tick
    for arrival in trace[position:]:
        fleet.send(arrival)
    fleet.advance(max(at, end))
    fleet.close()
    return outcome(fleet, limits, end, changes, curve)


def outcome(
    fleet: Fleet, limits: Limits, seconds: float, changes: Sequence[tuple[float, int]], curve: Sequence[Moment]
) -> Outcome:
    """Sums a closed fleet up."""
    seen = fleet.seen
    total = max(1, len(seen))
    lengthwise = Limits(limits.ttft, limits.tpot, limits.length_factor or 5.0, limits.prefill_rate)
    answered = [each for each in seen if each.finished]
    prompt = sum(each.arrival.prompt_tokens for each in answered)
    hours = {name: value / 3600 for name, value in fleet.accelerator_seconds.items()}
    reversals = sum(
        1
        for index, (at, direction) in enumerate(changes)
        if any(direction != other and at - when <= REVERSAL for when, other in changes[:index][-1:])
    )
    return Outcome(
        requests=len(seen),
        attainment=sum(map(limits.met, seen)) / total,
        lengthwise=sum(map(lengthwise.met, seen)) / total,
        failed=sum(1 for each in seen if not each.finished),
        ttft=quantiles([each.ttft for each in answered]),
        tpot=quantiles([each.tpot for each in answered if each.arrival.output_tokens > 1]),
        hit=sum(each.hit_tokens for each in answered) / prompt if prompt else 0.0,
        accelerator_hours=sum(hours.values()),
        standby_hours=sum(fleet.standby_seconds.values()) / 3600,
        cost=sum(hours[name] * fleet.variants[name].price for name in hours),
        actions=len(changes),
        reversals=reversals,
        seconds=seconds,
        curve=tuple(curve),
    )


def quantiles(values: Sequence[float]) -> tuple[float, float, float]:
    """p50, p90, p99; zeros of nothing."""
    if not values:
        return 0.0, 0.0, 0.0
    p50, p90, p99 = np.quantile(values, (0.5, 0.9, 0.99))
    return float(p50), float(p90), float(p99)
