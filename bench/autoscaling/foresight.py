"""What could have been: the cheapest schedule of replicas for a trace that is known beforehand.

1. For every fleet size the trace is played once; of each slot of 30 s it is noted how many of its arrivals missed.
2. Dynamic programming over slots: replicas, misses times a price, and for every replica added the start-up during which
   it costs and does not serve (it is started so much earlier). One price of a miss gives one point of the frontier.
3. The schedule is played (queues carry over from slot to slot, which 2 cannot know), and improved by local search: runs
   of slots one replica down, kept where the target is still attained for fewer hours.
4. Of everything that was played, the cheapest that attains a level is the bound there: each point is a schedule that
   the same physics played, at the attainment that it reached.

It knows arrivals, lengths and the engine; what it does not search is a better routing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.physics.fleet.fleet import Fleet, Observation
from apps.physics.fleet.run import Limits, Outcome, run
from apps.physics.fleet.types import Arrival
from bench.autoscaling.scenarios import Scenario

SLOT = 30.0
LOWEST, HIGHEST, BEYOND = 0.05, 400.0, 3200.0
"""Replica-seconds that one miss is worth: between the first two is tried first, and the last for those who miss
nothing."""
REFINED = 3
TARGETS = (0.90, 0.95, 0.98, 0.99, 0.995, 0.998, 0.9995)
"""Shares attained that are searched for: as far as policies get, who attain more than they are asked for."""
LEVELS = (0.90, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.985, 0.99, 0.9925, 0.995, 0.9965, 0.998, 0.999, 0.9995)
"""Shares attained that the bound is told at."""
ENOUGH = 0.002
"""Share of misses from which on a larger fixed fleet is not tried."""
Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Point:
    """One schedule: replicas ready in each slot, and what playing it came to. price: of a miss, replica-seconds;
    infinite for a fixed fleet."""

    price: float
    schedule: tuple[int, ...]
    outcome: Outcome


@dataclass(frozen=True)
class Fixed:
    """Fixed fleets by size. misses (sizes + 1, slots): arrivals of each slot that missed with so many replicas, all of
    them with none; outcomes: of each size from one."""

    misses: Counts
    outcomes: Mapping[int, Outcome]


class Scheduled:
    """Gives the orders that make a schedule true: replicas are ordered one start-up before they are to be ready."""

    tick = 5.0

    def __init__(self, variant: str, schedule: Sequence[int], lead: float) -> None:
        self._variant = variant
        self._ahead = int(-(-lead // SLOT))
        self._schedule = schedule

    def __call__(self, seen: Observation) -> Mapping[str, tuple[int, int]]:
        slot = int((seen.now + 1e-6) // SLOT)
        coming = self._schedule[slot : slot + self._ahead + 1]
        return {self._variant: (max(coming, default=self._schedule[-1]), 0)}


def foresight(
    scenario: Scenario,
    trace: Sequence[Arrival],
    targets: Sequence[float] = TARGETS,
    *,
    seed: int = 0,
    search: int = 8,
    played: Fixed | None = None,
) -> list[Point]:
    """All schedules played on the way to `targets`, fixed fleets among them, that no other beats in both hours and
    attainment, by rising hours; one variant only. search: plays of local search per target. played: what `fixed_fleets`
    gave, where it was played already.
    """
    if len(scenario.variants) != 1:
        raise ValueError("the foresight bound is computed for one variant; the mix is a second search")
    fixed = played or fixed_fleets(scenario, trace, seed)
    misses, slots = fixed.misses, fixed.misses.shape[1]
    prices = [*np.geomspace(LOWEST, HIGHEST, 6 if search <= 2 else 9), BEYOND]
    tried = [_priced(scenario, trace, misses, float(price), seed) for price in prices]
    every = [Point(math.inf, (size,) * slots, outcome) for size, outcome in fixed.outcomes.items()]
    for target in targets:
        found = _at(scenario, trace, misses, target, tried, seed)
        if found is not None:
            every += _improved(scenario, trace, found, target, seed, search)
    return _undominated(every + tried)


def cheapest(points: Sequence[Point], level: float) -> Point | None:
    """Of what was played the one with the fewest hours that attains `level`."""
    enough = [point for point in points if point.outcome.attainment >= level]
    return min(enough, key=lambda point: point.outcome.accelerator_hours, default=None)


def _undominated(points: Sequence[Point]) -> list[Point]:
    best: list[Point] = []
    for point in sorted(points, key=lambda each: (each.outcome.accelerator_hours, -each.outcome.attainment)):
        if not best or point.outcome.attainment > best[-1].outcome.attainment:
            best.append(point)
    return best


def _priced(scenario: Scenario, trace: Sequence[Arrival], misses: Counts, price: float, seed: int) -> Point:
    return _played(scenario, trace, price, _schedule(scenario, misses, price), seed)


def _at(
    scenario: Scenario, trace: Sequence[Arrival], misses: Counts, target: float, tried: list[Point], seed: int
) -> Point | None:
    """The cheapest of those tried that attains the target, the price of a miss refined around it."""
    for _ in range(REFINED):
        best = cheapest(tried, target)
        if best is None:
            return None
        below = [point.price for point in tried if point.price < best.price]
        if not below:
            break
        tried.append(_priced(scenario, trace, misses, (best.price * max(below)) ** 0.5, seed))
    return cheapest(tried, target)


def fixed_fleets(scenario: Scenario, trace: Sequence[Arrival], seed: int) -> Fixed:
    """Fleets of one replica and more, until hardly a request misses."""
    slots = int(-(-scenario.seconds // SLOT))
    limits = Limits(scenario.ttft, scenario.tpot)
    rows, outcomes = [np.zeros(slots, dtype=np.int64)], {}
    for each in trace:
        rows[0][min(int(each.time // SLOT), slots - 1)] += 1
    for size in range(1, scenario.most + 1):
        fleet = _fleet(scenario, size, seed)
        outcomes[size] = run(fleet, trace, None, limits, tick=SLOT, horizon=scenario.seconds)
        missed = np.zeros(slots, dtype=np.int64)
        for seen in fleet.seen:
            if not limits.met(seen):
                missed[min(int(seen.arrival.time // SLOT), slots - 1)] += 1
        rows.append(missed)
        if missed.sum() <= ENOUGH * len(trace):
            break
    return Fixed(np.stack(rows), outcomes)


def _schedule(scenario: Scenario, misses: Counts, price: float) -> tuple[int, ...]:
    """The cheapest path; price: replica-seconds that one miss is worth."""
    sizes, slots = misses.shape
    lead = scenario.variants[0].startup.p50
    count = np.arange(sizes)
    climb = np.maximum(count[None, :] - count[:, None], 0) * lead
    least = 0 if scenario.zero else 1
    cost = misses * price + count[:, None] * SLOT
    cost = np.where(count[:, None] < least, np.inf, cost)
    best, back = cost[:, 0].copy(), np.zeros((slots, sizes), dtype=np.int64)
    for slot in range(1, slots):
        through = best[:, None] + climb
        back[slot] = through.argmin(axis=0)
        best = through.min(axis=0) + cost[:, slot]
    path = [int(best.argmin())]
    for slot in range(slots - 1, 0, -1):
        path.append(int(back[slot, path[-1]]))
    return tuple(reversed(path))


def _improved(
    scenario: Scenario, trace: Sequence[Arrival], point: Point, target: float, seed: int, search: int
) -> list[Point]:
    """All that local search played: those that miss the target are still schedules of the frontier."""
    chance = np.random.default_rng(seed)
    best, every = point, []
    for _ in range(search):
        schedule = np.array(best.schedule)
        length = int(chance.choice((2, 4, 8, 16)))
        start = int(chance.integers(0, max(1, len(schedule) - length)))
        schedule[start : start + length] -= 1
        least = 0 if scenario.zero else 1
        candidate = _played(scenario, trace, best.price, tuple(int(n) for n in np.maximum(schedule, least)), seed)
        every.append(candidate)
        best = cheapest((best, candidate), target) or best
    return every


def _played(scenario: Scenario, trace: Sequence[Arrival], price: float, schedule: tuple[int, ...], seed: int) -> Point:
    variant = scenario.variants[0]
    fleet = _fleet(scenario, schedule[0], seed)
    controller = Scheduled(variant.name, schedule, variant.startup.p50)
    limits = Limits(scenario.ttft, scenario.tpot)
    outcome = run(fleet, trace, controller, limits, tick=controller.tick, horizon=scenario.seconds)
    return Point(price, schedule, outcome)


def _fleet(scenario: Scenario, size: int, seed: int) -> Fleet:
    return Fleet(
        scenario.variants,
        initial={scenario.variants[0].name: size},
        chance=np.random.default_rng(seed),
        routing=scenario.routing,
        exact=scenario.exact,
    )
