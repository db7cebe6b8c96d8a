"""One scenario with one seed: fixed fleets, the bound, and every policy at the values of its knob."""

from __future__ import annotations

import time
from collections.abc import Sequence

from apps.physics.fleet.run import Outcome
from apps.physics.fleet.types import Arrival
from bench.autoscaling.foresight import LEVELS, Fixed, cheapest, fixed_fleets, foresight
from bench.autoscaling.frontier import Row
from bench.autoscaling.plan import Part
from bench.autoscaling.play import Played, play
from bench.autoscaling.policies import OURS, POLICIES
from bench.autoscaling.scenarios import Scenario, scenarios

__all__ = ["unit"]


def unit(part: Part, seed: int, startup: float, bound: bool) -> list[Row]:
    """In a process of its own. `bound`: play foresight where the part says so."""
    scenario = scenarios(startup)[part.scenario]
    return _sweep(scenario, seed, part.names, fine=part.sweep == "fine", search=part.search if bound else 0)


def _sweep(scenario: Scenario, seed: int, wanted: Sequence[str], *, fine: bool, search: int) -> list[Row]:
    trace = scenario.arrivals(seed)
    print(f"\n{scenario.name}, seed {seed}: {scenario.title}; {len(trace)} requests", flush=True)
    rows = []
    bound = search and len(scenario.variants) == 1 and scenario.faults is None and not scenario.exact
    start = time.perf_counter()
    fixed = fixed_fleets(scenario, trace, seed) if bound else None
    for size in scenario.statics:
        if fixed is not None and size in fixed.outcomes:
            wall = (time.perf_counter() - start) / len(fixed.outcomes)
            played = Played(fixed.outcomes[size], wall, 0.0)
        elif fixed is not None:
            # all but every request is well served by fewer
            continue
        else:
            played = play(scenario, trace, None, initial=size, seed=seed)
        rows.append(_row(scenario, "static", size, seed, played))
    if fixed is not None:
        rows += _bound(scenario, trace, seed, search, fixed)
    for name in wanted:
        policy = POLICIES[name]
        if len(scenario.variants) > 1 and name != OURS:
            continue
        for value in policy.values if fine else policy.coarse:
            played = play(scenario, trace, policy.make(scenario, value), initial=scenario.initial, seed=seed)
            rows.append(_row(scenario, name, value, seed, played))
    return rows


def _present(outcome: Outcome) -> float:
    moments = [moment for moment in outcome.curve if moment.at <= outcome.seconds]
    if len(moments) < 2:
        return 0.0
    tick = moments[1].at - moments[0].at
    return tick * sum(moment.desired > 0 or moment.ready > 0 for moment in moments) / 3600


def _bound(scenario: Scenario, trace: Sequence[Arrival], seed: int, search: int, fixed: Fixed) -> list[Row]:
    start = time.perf_counter()
    found = foresight(scenario, trace, seed=seed, search=search, played=fixed)
    told = {level: point for level in LEVELS if (point := cheapest(found, level)) is not None}
    wall = (time.perf_counter() - start) / max(1, len(told))
    return [_row(scenario, "foresight", level, seed, Played(point.outcome, wall, 0.0)) for level, point in told.items()]


def _row(scenario: Scenario, policy: str, knob: float, seed: int, played: Played) -> Row:
    outcome: Outcome = played.outcome
    hours = scenario.seconds / 3600
    row = Row(
        scenario.name,
        policy,
        knob,
        seed,
        outcome.attainment,
        outcome.lengthwise,
        outcome.accelerator_hours,
        outcome.cost,
        outcome.failed,
        outcome.ttft,
        outcome.tpot,
        outcome.hit,
        outcome.actions,
        outcome.reversals,
        outcome.reversals / hours,
        played.wall,
        played.deciding / max(1, len(outcome.curve)),
        _present(outcome),
    )
    print(
        f"  {scenario.name:10} {seed} {policy:12} {knob:7.3g} {100 * row.attainment:6.2f} %  {row.hours:6.2f} GPU-h  "
        f"TTFT p99 {row.ttft[2]:6.2f} s  TPOT p99 {1000 * row.tpot[2]:4.0f} ms  {row.actions:3} changes, "
        f"{row.reversals:2} back  {row.failed} failed  ({row.wall:.1f} s)",
        flush=True,
    )
    return row
