"""Shapes of load drawn at random, each with its bounds: square waves, ramps, spikes, noise, a shift of lengths at a
constant request rate, metrics that go missing or stand still.

Replicas start at once here: what is asserted is what is asked for, not what a start-up costs.
"""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from apps.autoscaling.domain.decide import decide
from apps.autoscaling.domain.memory import POOL
from apps.autoscaling.domain.types import Decision, Distribution, Known, Signals, State, VariantSignals
from apps.telemetry.domain.histogram import Histogram
from tests.unit.autoscaling.test_contract import POLICY, run, tick
from tests.unit.autoscaling.test_shapes import reversals

shaped = settings(max_examples=3, deadline=None, phases=(Phase.explicit, Phase.generate))
rates = st.floats(3.0, 20.0)


def carries(decision: Decision) -> float:
    """Requests/s of a replica within the objectives, as the decision has it."""
    return next(given.value or 0.0 for given in decision.inputs if given.name == "carries")


def remembered(state: State, name: str) -> float:
    return state.pool[POOL.slices[name].start]


def flat(state: State) -> bool:
    """Whether the last half hour was flat, so that it is asked instead of the moment (domain/window)."""
    minutes = sorted(minute for minute in state.pool[POOL.slices["minutes"]] if minute >= 0)
    return len(minutes) >= 5 and minutes[-2] <= 1.4 * sum(minutes) / len(minutes)


@shaped
@given(low=rates, factor=st.floats(3.0, 6.0), period=st.integers(30, 50))
def test_a_square_wave_is_carried_three_ticks_after_each_edge_and_given_back_between(
    low: float, factor: float, period: int
) -> None:
    high = low * factor
    decisions = run(POLICY, ([low] * period + [high] * period) * 2 + [low] * 45, start=2)
    for edge in (period, 3 * period):
        for decision in decisions[edge + 2 : edge + period]:
            assert decision.total * carries(decision) >= 0.85 * high
    most = max(d.total for d in decisions)
    assert most <= 2.0 * high / carries(decisions[-1]) + 2
    assert decisions[-1].total <= 2.0 * low / carries(decisions[-1]) + 2
    assert reversals(decisions, 2) <= 5


@shaped
@given(start=rates, slope=st.floats(0.1, 0.6))
def test_a_ramp_is_led_and_not_run_ahead_of(start: float, slope: float) -> None:
    climb = [start + slope * index for index in range(90)]
    decisions = run(POLICY, [start] * 40 + climb, start=2)
    for index in range(55, 120):
        now, later = climb[index - 40], climb[index - 40 + 4]
        able = decisions[index].total * carries(decisions[index])
        assert able * 1.15 >= later
        assert able <= 2.2 * now + 2 * carries(decisions[index])
    totals = [d.total for d in decisions[40:]]
    assert totals == sorted(totals), "nothing goes while load climbs"


@shaped
@given(base=rates, height=st.floats(4.0, 10.0), ticks=st.integers(3, 8))
def test_a_spike_is_met_within_bounds_and_given_back(base: float, height: float, ticks: int) -> None:
    decisions = run(POLICY, [base] * 50 + [base * height] * ticks + [base] * 110, start=2)
    before = decisions[49].total
    most = max(d.total for d in decisions)
    assert most > before
    assert most <= 2.0 * base * height / carries(decisions[-1]) + 2
    assert decisions[-1].total <= before + 1
    assert reversals(decisions[50:], before) <= 2


@shaped
@given(mean=rates, spread=st.floats(0.05, 0.25), seed=st.integers(0, 1000))
def test_noise_moves_little_and_reverses_at_most_once_an_hour(mean: float, spread: float, seed: int) -> None:
    draw = random.Random(seed)
    decisions = run(POLICY, [max(0.2, draw.gauss(mean, spread * mean)) for _ in range(240)], start=3)
    assert reversals(decisions, 3) <= 1
    settled = [d.total for d in decisions[60:]]
    assert max(settled) - min(settled) <= 1 + 0.5 * min(settled)
    assert min(settled) * carries(decisions[-1]) >= 0.9 * mean


@shaped
@given(mean=rates, spread=st.floats(0.1, 0.4), seed=st.integers(0, 1000))
def test_nothing_goes_while_the_model_says_that_fewer_miss_the_slo_unless_a_flat_window_says_that_they_do_not(
    mean: float, spread: float, seed: int
) -> None:
    draw = random.Random(seed)
    wander = [mean * (1.5 + (index // 30) % 3 - draw.gauss(0.5, spread)) for index in range(150)]
    decisions = run(POLICY, [max(0.2, rate) for rate in wander], start=6)
    downs = [d for d in decisions if d.verb == "down"]
    assert downs
    for decision in downs:
        left = next(view for view in decision.counterfactuals if view.replicas == decision.total)
        assert left.attainment >= 0.95 - 1e-9 or flat(decision.state)


def mixed(rate: float, prompts: list[float], replicas: int = 3) -> list[Decision]:
    """A constant request rate with so many prompt tokens in each tick, told by histogram as engines do."""
    state, decisions = State(), []
    for index, prompt in enumerate(prompts):
        n = rate * 10
        seen = tick(replicas, rate, prompt=prompt)
        bucket = (prompt * 0.7, prompt * 1.3)
        lengths = Distribution(Histogram({bucket: n * 0.8, (prompt * 0.2, prompt * 0.6): n * 0.2}), n * prompt)
        seen = replace(seen, variants=(replace(seen.variants[0], prompt_lengths=lengths),))
        decision = decide(POLICY, seen, state, 10.0 * index)
        state, replicas = decision.state, decision.total
        decisions.append(decision)
    return decisions


@shaped
@given(rate=st.floats(8.0, 15.0), factor=st.floats(3.0, 4.0))
def test_longer_prompts_at_a_constant_rate_are_believed_within_half_a_minute(rate: float, factor: float) -> None:
    decisions = mixed(rate, [1000.0] * 50 + [1000.0 * factor] * 40)
    settled = decisions[-1].total
    assert decisions[49].total < settled
    assert decisions[52].total >= 0.85 * settled
    # nor is a shift of lengths a burst of arrivals
    assert max(d.total for d in decisions[50:]) <= settled + 1
    assert remembered(decisions[-1].state, "dispersion") <= 1.5


@shaped
@given(rate=st.floats(2.0, 40.0), known=st.integers(20, 40), silent=st.integers(4, 20), ready=st.booleans())
def test_missing_metrics_never_lower_and_the_pool_goes_on_afterwards(
    rate: float, known: int, silent: int, ready: bool
) -> None:
    decisions = run(POLICY, [rate] * known, start=3)
    state, held = decisions[-1].state, decisions[-1].total
    replicas = tick(held, rate).variants[0].replicas
    gone = Signals(10.0, (VariantSignals("l40s", replicas if ready else replace(replicas, ready=0)),))
    for index in range(silent):
        decision = decide(POLICY, gone, state, 10.0 * (known + index))
        state = decision.state
        assert decision.total >= held
        held = decision.total
    assert decision.verb in ("hold", "frozen")
    decision = decide(POLICY, tick(held, 3 * rate), state, 10.0 * (known + silent))
    decision = decide(POLICY, tick(decision.total, 3 * rate), decision.state, 10.0 * (known + silent + 1))
    assert decision.total * carries(decision) >= 0.95 * 3 * rate


@shaped
@given(rate=st.floats(2.0, 40.0), stood=st.floats(0.1, 5.0), frozen=st.integers(8, 20))
def test_metrics_that_stand_still_move_nothing_once_they_are_old(rate: float, stood: float, frozen: int) -> None:
    decisions = run(POLICY, [rate] * 30, start=3)
    state, held = decisions[-1].state, decisions[-1].total
    old_at = POLICY.limits.stale * POLICY.tick
    for index in range(frozen):
        age, seen = 10.0 * index, tick(held, stood * rate)
        count = Known(seen.arrived.value if isinstance(seen.arrived, Known) else 0.0, age)
        aged = replace(
            seen,
            arrived=count,
            variants=tuple(
                replace(v, arrived=count, finished=count, running=Known(1.0, age), waiting=Known(0.0, age))
                for v in seen.variants
            ),
        )
        decision = decide(POLICY, aged, state, 300.0 + age)
        state = decision.state
        if age > 2 * old_at:
            assert decision.total == held
            assert decision.verb in ("hold", "frozen")
        held = decision.total


# --- what a strain teaches ------------------------------------------------------------------------------------------


@shaped
@given(rate=st.floats(2.0, 20.0), start=st.integers(6, 12))
def test_misses_of_a_cold_start_do_not_make_later_replicas_worth_more(rate: float, start: int) -> None:
    n = rate * 10
    cold, warm = State(), State()
    for index in range(start):
        nobody = Signals(10.0, tick(0, 0.0).variants, arrived=Known(n), queued=Known(n * (index + 1)))
        cold = decide(POLICY, nobody, cold, 10.0 * index).state
    # what waited is served, too late all of it
    late = Distribution(Histogram({(20.0, 60.0): n * start}))
    first = tick(4, rate)
    served = replace(first.variants[0], ttft=late, finished=Known(n * start), waiting=Known(n))
    cold = decide(POLICY, replace(first, variants=(served,)), cold, 10.0 * start).state
    for index in range(60):
        now = 10.0 * (start + 1 + index)
        cold, warm = decide(POLICY, tick(4, rate), cold, now).state, decide(POLICY, tick(4, rate), warm, now).state
    assert remembered(cold, "missed") >= remembered(warm, "missed") + 0.6 * n * start, "what is told counts them"
    assert remembered(cold, "gain") <= remembered(warm, "gain") + 0.02
    assert remembered(cold, "crowding") <= remembered(warm, "crowding") + 0.01


@shaped
@given(rate=st.floats(2.0, 20.0), bad=st.integers(12, 60), late=st.floats(0.1, 0.5))
def test_misses_that_are_over_move_what_is_learned_no_further(rate: float, bad: int, late: float) -> None:
    state, n = State(), rate * 10
    before = {name: remembered(decide(POLICY, tick(8, rate), state, 0.0).state, name) for name in ("gain", "crowding")}
    for index in range(bad + 90):
        of = late if index < bad else 0.0
        times = Distribution(Histogram({(0.1, 0.25): n * (1 - of), (2.0, 3.0): n * of}))
        seen = tick(8, rate)
        state = decide(
            POLICY, replace(seen, variants=(replace(seen.variants[0], ttft=times),)), state, 10.0 * index
        ).state
        after = {name: remembered(state, name) for name in before}
        if index < bad:
            assert after["gain"] >= before["gain"]
        else:
            assert all(after[name] <= before[name] for name in before), "nothing misses any more"
        before = after


@shaped
@given(rate=st.floats(2.0, 20.0), calm=st.integers(60, 120))
def test_a_tick_of_misses_does_not_lower_the_load_at_which_replicas_give_way(rate: float, calm: int) -> None:
    state = run(POLICY, [rate] * calm, start=8)[-1].state
    n, seen = rate * 10, tick(8, rate)
    times = Distribution(Histogram({(0.1, 0.25): n * 0.8, (2.0, 3.0): n * 0.2}))
    seen = replace(seen, variants=(replace(seen.variants[0], ttft=times),))
    after = decide(POLICY, seen, state, 10.0 * calm).state
    assert remembered(after, "crowding") >= remembered(state, "crowding")


def test_nothing_is_learned_while_nobody_is_served() -> None:
    decisions = run(POLICY, [8.0] * 40, start=1)
    state = decisions[-1].state
    gain, crowding = remembered(state, "gain"), remembered(state, "crowding")
    for index in range(60):
        state = decide(POLICY, tick(1, 0.0), state, 400.0 + 10.0 * index).state
    assert (remembered(state, "gain"), remembered(state, "crowding")) == (gain, crowding)


def test_a_backlog_does_not_make_requests_look_longer() -> None:
    """Engines that work off a backlog count more prompt tokens than those of the requests that come."""
    state, replicas = run(POLICY, [8.0] * 40, start=2)[-1].state, 2
    usual = tick(replicas, 8.0)
    before = decide(POLICY, usual, state, 400.0)
    busy = replace(usual.variants[0], prompt_tokens=Known(8e5), generated_tokens=Known(8e4))
    after = decide(POLICY, replace(usual, variants=(busy,)), state, 400.0)
    assert after.total == before.total
    assert abs(carries(after) / carries(before) - 1) < 0.02
