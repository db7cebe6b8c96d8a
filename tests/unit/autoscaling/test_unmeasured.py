"""Requests of which nothing was measured teach nothing, and nothing is said of what they attained."""

from __future__ import annotations

from dataclasses import replace

from apps.autoscaling.domain.decide import decide
from apps.autoscaling.domain.memory import POOL
from apps.autoscaling.domain.types import Decision, Signals, State, Unknown
from tests.unit.autoscaling.test_contract import POLICY, tick

WHOLE = tick(3, 12.0)
GONE = Unknown("no histogram")


def after(seen: Signals, ticks: int = 60) -> Decision:
    state = State()
    for index in range(ticks):
        decision = decide(POLICY, seen, state, 10.0 * index)
        state = decision.state
    return decision


def gain(decision: Decision) -> float:
    """What a miss is worth, as a multiple of the model's figure: it falls while fewer miss than may."""
    return decision.state.pool[POOL.slices["gain"].start]


def test_requests_of_which_nothing_was_measured_are_no_calm() -> None:
    blind = after(replace(WHOLE, variants=(replace(WHOLE.variants[0], ttft=GONE, tpot=GONE),)))
    assert gain(after(WHOLE)) < 1.0
    assert gain(blind) == 1.0
    assert blind.attainment is None


def test_one_objective_that_is_measured_tells_what_it_can() -> None:
    half = after(replace(WHOLE, variants=(replace(WHOLE.variants[0], tpot=GONE),)))
    assert half.attainment is not None
    assert 0.96 < half.attainment[1] < 0.98
