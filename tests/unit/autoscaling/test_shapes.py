"""How targets answer noise, square waves, ramps, spikes, a shift of lengths, and frozen metrics, with bounds."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from itertools import pairwise

import pytest

from apps.autoscaling.domain.decide import decide
from apps.autoscaling.domain.types import Decision, Known, Objective, Signals, State
from tests.unit.autoscaling.test_contract import L40S, POLICY, run, tick


def reversals(decisions: list[Decision], start: int) -> int:
    """Moves in opposite directions within ten minutes."""
    totals = [start, *(d.total for d in decisions)]
    moves = [(i * 10.0, b - a) for i, (a, b) in enumerate(pairwise(totals)) if a != b]
    return sum((b[1] > 0) != (a[1] > 0) and b[0] - a[0] <= 600 for a, b in pairwise(moves))


@pytest.mark.parametrize("seed", [1, 2])
def test_noise_around_a_flat_load_reverses_at_most_once_an_hour(seed: int) -> None:
    draw = random.Random(seed)
    rates = [max(0.2, draw.gauss(12.0, 3.0)) for _ in range(300)]
    decisions = run(POLICY, rates, start=4)
    assert reversals(decisions, 4) <= 1
    settled = [d.total for d in decisions[60:]]
    assert max(settled) <= 2 * min(settled)


def test_a_square_wave_is_followed_up_at_once_and_down_after_the_hold() -> None:
    decisions = run(POLICY, [6.0] * 60 + [36.0] * 50 + [6.0] * 80, start=2)
    low, high = decisions[59].total, max(d.total for d in decisions[60:110])
    assert high >= 2 * low
    risen = next(i for i, d in enumerate(decisions[60:]) if d.total >= 0.5 * high)
    assert risen <= 6
    assert decisions[-1].total < high
    assert reversals(decisions, 2) <= 1


def test_a_ramp_is_led() -> None:
    rates = [6.0] * 40 + [6.0 + 0.4 * i for i in range(80)]
    decisions = run(POLICY, rates, start=2)
    for i in range(50, 110):
        carries = next(given.value for given in decisions[i].inputs if given.name == "carries")
        assert carries is not None
        # what is asked for now carries the load of half a start-up later
        assert decisions[i].total * carries * 1.25 >= rates[i + 5]


def test_a_spike_is_met_within_bounds_and_forgotten() -> None:
    rates = [4.0] * 60 + [32.0] * 6 + [4.0] * 120
    decisions = run(POLICY, rates, start=2)
    base = decisions[59].total
    assert base < max(d.total for d in decisions) <= 16 * base
    assert decisions[-1].total <= base + 1


def test_longer_prompts_at_the_same_rate_are_more_load() -> None:
    state, replicas, totals = State(), 3, []
    for index in range(120):
        prompt = 1000.0 if index < 60 else 4000.0
        decision = decide(POLICY, tick(replicas, 8.0, prompt=prompt), state, 10.0 * index)
        state, replicas = decision.state, decision.total
        totals.append(replicas)
    assert totals[75] >= 1.5 * totals[59]


def test_frozen_metrics_move_nothing() -> None:
    decisions = run(POLICY, [20.0] * 40, start=4)
    state, held = decisions[-1].state, decisions[-1].total
    for index in range(30):
        seen = tick(held, 20.0)
        age = 10.0 * index
        old = replace(
            seen,
            arrived=Known(200.0, age),
            variants=tuple(replace(v, arrived=Known(200.0, age), finished=Known(200.0, age)) for v in seen.variants),
        )
        decision = decide(POLICY, old, state, 400.0 + age)
        state = decision.state
        if age > 60:
            assert decision.total == held
    assert decision.verb in ("hold", "frozen")


def test_an_idle_pool_goes_to_zero_and_comes_back_for_what_waits() -> None:
    policy = replace(POLICY, variants=(replace(L40S, minimum=0),), idle="zero")
    decisions = run(policy, [6.0] * 30 + [0.0] * 60, start=2)
    assert decisions[-1].total == 0
    verbs = [d.verb for d in decisions]
    assert "zero" in verbs
    assert verbs.index("zero") - 30 >= 3
    waiting = Signals(10.0, tick(0, 0.0).variants, arrived=Known(30.0), queued=Known(30.0))
    back = decide(policy, waiting, decisions[-1].state, 910.0)
    assert back.verb == "from-zero"
    assert back.total >= 1
    assert "requests wait" in back.sentence


def test_several_replicas_are_kept_for_a_start_up_and_one_for_a_wake() -> None:
    """One engine sleeps and is woken in a second; the others would have to be started again."""
    policy = replace(POLICY, variants=(replace(L40S, minimum=0, startup=90.0),), idle="standby")
    busy = 40
    many = run(policy, [36.0] * busy + [0.0] * 60, start=4)
    assert many[busy - 1].total > 1
    asleep = next(i for i, d in enumerate(many) if d.verb == "sleep")
    assert (many[asleep].total, [target.asleep for target in many[asleep].targets]) == (0, [1])
    assert (asleep - busy + 1) * 10 >= 2 * 90
    one = run(policy, [1.0] * busy + [0.0] * 60, start=1)
    assert next(i for i, d in enumerate(one) if d.verb == "sleep") - busy + 1 == 6


@pytest.mark.parametrize("before", [2.0, 6.0])
def test_a_jump_is_believed_after_two_ticks_and_not_carried_on(before: float) -> None:
    decisions = run(POLICY, [before] * 60 + [6 * before] * 12, start=2)
    standing = decisions[59].total
    assert decisions[60].total == standing, "one tick may be a burst"
    believed = decisions[61]
    assert believed.quantiles["p50"] >= 0.95 * 6 * before
    carries = next(given.value for given in believed.inputs if given.name == "carries")
    assert carries is not None
    assert believed.total * carries >= 6 * before
    assert max(d.total for d in decisions) <= believed.total + 1, "a step is no slope to be carried on"


def test_a_burst_of_one_tick_is_no_jump() -> None:
    decisions = run(POLICY, [8.0] * 60 + [40.0] + [8.0] * 30, start=2)
    assert max(d.total for d in decisions[60:]) <= decisions[59].total + 1


@pytest.mark.parametrize(
    ("hopeless", "other"),
    [
        (Objective("ttft", 0.01, 0.95), Objective("tpot", 0.06, 0.95)),
        (Objective("tpot", 0.005, 0.95), Objective("ttft", 2.0, 0.95)),
        (Objective("e2e", 0.05, 0.9), Objective("ttft", 2.0, 0.95)),
    ],
)
@pytest.mark.parametrize("rate", [1.0, 12.0])
def test_an_objective_that_no_number_of_replicas_meets_buys_none(
    hopeless: Objective, other: Objective, rate: float
) -> None:
    rates = [rate] * 60 + [2 * rate] * 60
    both = run(replace(POLICY, objectives=(hopeless, other)), rates, start=2)
    without = run(replace(POLICY, objectives=(other,)), rates, start=2)
    for at in (59, 119):
        assert abs(both[at].total - without[at].total) <= max(1, without[at].total / 4), (both[at], without[at])
    assert "no number of replicas meets it" in both[-1].sentence
    assert "no number of replicas" not in without[-1].sentence


def test_a_latency_is_said_to_be_that_of_the_mean_load_beside_misses_of_all_that_may_come() -> None:
    """Else a sentence says that requests miss one second, and that they take 23 ms."""
    decisions = run(POLICY, [2.0 + tick / 3 for tick in range(120)], start=1)
    told = [decision.sentence for decision in decisions if "TTFT p95" in decision.sentence]
    assert told
    assert all(re.search(r"would leave [\d.]+ % \(TTFT p95 [\d.]+ m?s at the mean load\)", one) for one in told), told


def test_where_nothing_that_is_promised_can_be_met_there_is_room_for_the_work() -> None:
    policy = replace(POLICY, objectives=(Objective("ttft", 0.01, 0.95), Objective("tpot", 0.005, 0.95)))
    decisions = run(policy, [12.0] * 120, start=2)
    carries = next(given.value for given in decisions[-1].inputs if given.name == "carries")
    assert carries is not None
    assert 12.0 <= decisions[-1].total * carries <= 3 * 12.0
