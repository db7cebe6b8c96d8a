"""`decide`: signals, policy and memory to replica targets; for one pool or for thousands in one call.

The arithmetic runs on all pools of a call at once (`decide_many`); `decide` is a call with one pool, and gives the same
bits. What requests are like (`mix`), the load to come (`demand`), what replicas carry of it (`capacity`) and what is
needed (`need`) are arrays; what is particular to a pool (bounds, schedules, money, zero, the mix of its variants)
follows pool by pool in `finish`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain import demand, learning, mix, window
from apps.autoscaling.domain.arrays import Figures, at, finite, known, larger, lone, where
from apps.autoscaling.domain.capacity import curve_of
from apps.autoscaling.domain.draft import Groups
from apps.autoscaling.domain.extract import fleet_of
from apps.autoscaling.domain.finish import finish
from apps.autoscaling.domain.fleet import Fleet
from apps.autoscaling.domain.memory import Memory
from apps.autoscaling.domain.need import Tick, need_of
from apps.autoscaling.domain.types import Decision, Policy, Signals, State

__all__ = ["decide", "decide_many"]

Floats = NDArray[np.float64]

_BLOCK = 400


def decide(policy: Policy, signals: Signals, state: State, now: float) -> Decision:
    """The decision of one pool at `now` (Unix seconds). Pure: the same arguments give the same bits."""
    return decide_many([policy], [signals], [state], [now])[0]


def decide_many(
    policies: Sequence[Policy], signals: Sequence[Signals], states: Sequence[State], nows: Sequence[float]
) -> list[Decision]:
    """As `decide` for each pool. In blocks, whose arrays stay in the processor's cache."""
    decisions: list[Decision] = []
    for first in range(0, len(policies), _BLOCK):
        block = slice(first, first + _BLOCK)
        decisions += _decide(policies[block], signals[block], states[block], nows[block])
    return decisions


def _decide(
    policies: Sequence[Policy], signals: Sequence[Signals], states: Sequence[State], nows: Sequence[float]
) -> list[Decision]:
    memory = Memory.of(policies, states)
    fleet = fleet_of(policies, signals, memory)
    groups = Groups.of(policies)
    now = lone(np.array(nows, dtype=np.float64))
    told = finite(fleet.arrived)
    arrivals = where(told, fleet.arrived, 0.0) / fleet.seconds
    mix.observe(memory, fleet)
    traffic, reference = mix.traffic(memory, fleet)
    nominal, life = mix.nominal_work(fleet, reference), mix.life(fleet, reference)
    startup = _startups(memory, fleet, policies, signals)
    horizon = groups.most(at(startup, groups.row)) + fleet.tick
    demand.observe(memory, arrivals, fleet.seconds, told, life, horizon)
    memory["known_at"] = where(told, now, memory.figure("known_at"))
    coming = demand.forecast(memory, fleet.season, now, horizon, told, life).in_work(nominal)
    window.observe(memory, arrivals * nominal, fleet.sums(fleet.ready)[0], coming.ripple, fleet.seconds, told)

    live_of_row = at(larger(groups.total(fleet.ready), 1.0), groups.of_row)
    traffic = mix.spread(traffic, memory, fleet, live_of_row)
    ready = larger(fleet.ready, 1.0)
    learning.learn_step_time(
        memory,
        fleet.engines,
        traffic,
        known(fleet.running) / ready,
        at(arrivals, fleet.pool) * (fleet.ready / live_of_row) / ready,
        where(fleet.ready > 0, fleet.between, np.nan),
        at(fleet.seconds, fleet.pool),
    )
    curve = curve_of(fleet.engines, traffic, fleet.goals)
    need = need_of(Tick(memory, fleet, groups, traffic, curve, coming, nominal, life, startup, horizon, now))
    return finish(policies, signals, now, fleet, groups, need)


def _startups(memory: Memory, fleet: Fleet, policies: Sequence[Policy], signals: Sequence[Signals]) -> Figures:
    learned = memory.row("startup")
    first = 0
    for policy, seen in zip(policies, signals, strict=True):
        for found in seen.variants:
            if found.startups:
                for offset, variant in enumerate(policy.variants):
                    if variant.name == found.name:
                        learned[first + offset] = learning.learn_startup(
                            float(learned[first + offset]), variant.startup, found.startups
                        )
        first += len(policy.variants)
    learned = lone(learned)
    return where(learned >= 0, learned, fleet.startup_prior)
