"""Requests whose answers live for a minute: what comes within a life is one load, and what misses tells of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from apps.autoscaling.domain import demand
from apps.autoscaling.domain.decide import decide
from apps.autoscaling.domain.memory import POOL, VARIANT, Memory
from apps.autoscaling.domain.types import Distribution, Known, Objective, Policy, Signals, State
from apps.telemetry.domain.histogram import Histogram
from tests.unit.autoscaling.test_contract import L40S, tick
from tests.unit.autoscaling.test_shape_properties import remembered

POLICY = Policy((Objective("ttft", 2.0, 0.95), Objective("tpot", 0.08, 0.95)), (L40S,))
SHORT, LONG = np.array([10.0]), np.array([90.0])
USUAL, BURST = 0.8, 3.6


def long(replicas: int, rate: float, output: float = 1500.0, slow: float = 0.0) -> Signals:
    """A tick of long answers, of which the share `slow` is slower than it may be."""
    n = rate * 10
    seen = tick(replicas, rate, prompt=1400, output=output).variants[0]
    lengths = Distribution(Histogram({(output / 2, output): n / 2, (output, output * 1.5): n / 2}), n * output)
    between = Distribution(Histogram({(0.025, 0.04): n * (1 - slow), (0.1, 0.15): n * slow}))
    seen = replace(seen, output_lengths=lengths, tpot=between, ttft=Distribution(Histogram({(0.1, 0.25): n})))
    return Signals(10.0, (seen,), arrived=Known(n))


def totals(rates: list[float], start: int = 2) -> list[int]:
    """Replicas start at once; what the targets were."""
    state, replicas, found = State(), start, []
    for index, rate in enumerate(rates):
        decision = decide(POLICY, long(replicas, rate), state, 10.0 * index)
        state, replicas = decision.state, decision.total
        found.append(replicas)
    return found


def levels(rates: list[float], life: np.ndarray) -> tuple[float, float]:
    """What the averages of half a minute and of five say after such ticks."""
    memory = Memory(POOL.initial[None, :].copy(), VARIANT.initial[None, :].copy())
    for rate in rates:
        known = np.ones(1, dtype=np.bool_)
        demand.observe(memory, np.array([rate]), np.array([10.0]), known, life, np.array([100.0]))
    fast, slow = (float(np.ravel(demand.level(memory, name))[0]) for name in ("fast", "slow"))
    return fast, slow


def test_a_burst_of_two_ticks_is_no_step_where_answers_live_long() -> None:
    usual, burst = [USUAL] * 60, [BURST] * 2
    assert levels(usual + burst, SHORT) == pytest.approx((BURST, BURST), rel=0.05), "short ones: a step"
    fast, slow = levels(usual + burst, LONG)
    assert fast < 1.6
    assert slow < 1.0
    # a third tick proves it
    assert levels(usual + [BURST] * 3, LONG) == pytest.approx((BURST, BURST), rel=0.05)


def test_a_burst_of_long_answers_leaves_no_fleet_behind() -> None:
    before = totals([USUAL] * 90)[-1]
    after = totals([USUAL] * 90 + [BURST] * 2 + [USUAL] * 24)[90:]
    step = totals([USUAL] * 90 + [BURST] * 12)[90:]
    assert max(after) <= before + 1
    # of a load that stays as many are asked for at once as it takes
    assert step[2] == max(step)
    assert step[2] >= max(after) + 1


def crowding(outputs: float, slow: list[float], rate: float) -> float:
    state = State()
    for index, share in enumerate(slow):
        state = decide(POLICY, long(1, rate, outputs, share), state, 10.0 * index).state
    return remembered(state, "crowding")


def test_replicas_that_bear_more_than_the_model_says_are_believed_where_answers_live_long() -> None:
    # a load of which the model says that some of it misses, and of which nothing does
    borne = crowding(1500.0, [0.0] * 360, 0.9)
    assert 0.8 <= borne < 0.95
    # as many tokens in short answers: their calms teach of themselves
    assert crowding(75.0, [0.0] * 360, 12.0) >= 1.0
    # and misses take it back
    assert crowding(1500.0, [0.0] * 360 + [0.4] * 60, 0.9) > borne + 0.03


def test_bursts_that_fit_into_a_replica_do_not_keep_two_of_them() -> None:
    # forty requests in twenty seconds, again and again: what is to come swings with the last burst, and forecasts that
    # came due within one life judge the same requests
    bursts = [2.0] * 2 + [0.1] * 6 + [2.0] * 2 + [0.1] * 26
    after = totals(bursts * 12)[180:]
    assert sum(after) / len(after) < 1.2


def blamed(output: float, rate: float) -> float:
    """Misses that teach, of requests that came while one replica had three times what it can do, and ended as slow
    ones between one and two minutes after there were enough."""
    state = State()
    strained = [(1, 3 * rate, 0.0)] * 6 + [(6, rate, 0.0)] * 6 + [(6, rate, 0.5)] * 6
    for index, (replicas, came, slow) in enumerate([(1, rate / 2, 0.0)] * 30 + strained):
        state = decide(POLICY, long(replicas, came, output, slow), state, 10.0 * index).state
    return remembered(state, "blamed")


def test_misses_of_a_strain_teach_nothing_for_as_long_as_its_answers_live() -> None:
    assert blamed(1500.0, 1.0) == pytest.approx(0.0, abs=0.5)
    assert blamed(75.0, 14.0) > 100
