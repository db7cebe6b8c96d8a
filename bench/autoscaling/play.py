"""One policy through one scenario."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from apps.autoscaling.domain.types import Objective, Policy
from apps.autoscaling.domain.whatif import ASK, Driver, variant_policy
from apps.physics.fleet.fleet import Fleet, Observation
from apps.physics.fleet.run import Limits, Outcome, run
from apps.physics.fleet.types import Arrival
from apps.pools.domain.facts import latency_grid
from bench.autoscaling.scenarios import Scenario


class Steering(Protocol):
    """A controller with its own period, seconds; `ask`, where it has one: between looks at who waits while it has no
    replica."""

    tick: float

    def __call__(self, seen: Observation) -> Mapping[str, tuple[int, int]] | None: ...


@dataclass(frozen=True)
class Played:
    """An outcome, and the seconds that it and its controller took."""

    outcome: Outcome
    wall: float
    deciding: float


class Production:
    """`apps.autoscaling.domain.decide.decide`, as it runs in production."""

    ask = ASK

    def __init__(self, scenario: Scenario, fraction: float = 0.95, tick: float = 10.0) -> None:
        self.tick = tick
        objectives = (Objective("ttft", scenario.ttft, fraction), Objective("tpot", scenario.tpot, fraction))
        least = 0 if scenario.zero else 1
        variants = tuple(variant_policy(each, least, scenario.most) for each in scenario.variants)
        if len(variants) > 1:
            variants = tuple(variant_policy(each, 0, scenario.most) for each in scenario.variants)
        self.policy = Policy(objectives, variants, tick=tick, idle="zero" if scenario.zero else "keep")
        self.driver = Driver(self.policy, latency_grid()[1])

    def __call__(self, seen: Observation) -> Mapping[str, tuple[int, int]]:
        return self.driver(seen)


def play(scenario: Scenario, trace: list[Arrival], controller: Steering | None, *, initial: int, seed: int) -> Played:
    """`initial` replicas of the first variant at t = 0."""
    names = [variant.name for variant in scenario.variants]
    fleet = Fleet(
        scenario.variants,
        initial={names[-1]: initial},
        chance=np.random.default_rng(seed + 1000),
        routing=scenario.routing,
        exact=scenario.exact,
        faults=scenario.faults,
    )
    deciding = 0.0

    def timed(seen: Observation) -> Mapping[str, tuple[int, int]] | None:
        nonlocal deciding
        assert controller is not None
        start = time.perf_counter()
        answer = controller(seen)
        deciding += time.perf_counter() - start
        return answer

    start = time.perf_counter()
    outcome = run(
        fleet,
        trace,
        timed if controller is not None else None,
        Limits(scenario.ttft, scenario.tpot),
        tick=controller.tick if controller is not None else 60.0,
        ask=getattr(controller, "ask", None),
        horizon=scenario.seconds,
    )
    return Played(outcome, time.perf_counter() - start, deciding)
