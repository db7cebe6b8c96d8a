"""The autoscaling benchmark's parts: peers decide by their formulas, frontiers are frontiers, foresight is a bound."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from apps.physics.fleet.fleet import Fleet, Observation, Phase, ReplicaView
from apps.physics.fleet.run import Limits, run
from apps.physics.fleet.types import Arrival, Load
from bench.autoscaling import traces
from bench.autoscaling.__main__ import verdict_on
from bench.autoscaling.foresight import TARGETS, Scheduled, cheapest, fixed_fleets, foresight
from bench.autoscaling.frontier import Row, frontier, hours_at
from bench.autoscaling.peers import aibrix, hpa, keda, knative, ray, wva
from bench.autoscaling.plan import SIZES
from bench.autoscaling.play import Production, play
from bench.autoscaling.policies import OURS, POLICIES
from bench.autoscaling.rental import rental
from bench.autoscaling.scenarios import Scenario, scenarios, variant
from bench.autoscaling.standing import ahead, nearest, standings, surely


def seen(now, *pods, desired=None, held=0, arrived=0, readable=True):
    """pods: (running, waiting, kv)."""
    views = [
        ReplicaView(number, "l40s", Phase.READY, now, "", running, waiting, 0, kv, Load(), [])
        for number, (running, waiting, kv) in enumerate(pods)
    ]
    arrivals = [Arrival(i, now, 1000, 200) for i in range(arrived)]
    return Observation(
        now, 10.0, readable, arrivals, views, {"l40s": desired or len(pods)}, held, 0, 0.0, 0, ()
    )  # fmt: skip


def answer(peer, observation):
    return peer(observation)["l40s"][0]


def test_hpa_multiplies_by_the_ratio_within_its_rate_and_waits_before_going_down():
    peer = hpa.on_running(1, 50, 10.0)
    assert answer(peer, seen(15.0, (21, 0, 0.1), (21, 0, 0.1))) == 5
    assert answer(peer, seen(30.0, (200, 0, 0.1), (200, 0, 0.1))) == 6
    assert answer(peer, seen(45.0, *[(1, 0, 0.1)] * 6)) == 6
    assert answer(peer, seen(400.0, *[(1, 0, 0.1)] * 6)) == 1
    assert answer(peer, seen(415.0, (10, 0, 0.1), (11, 0, 0.1))) == 2
    assert answer(peer, seen(430.0, *[(0, 0, 0.0)] * 4, readable=False)) == 4


def test_hpa_on_the_queue_is_blind_until_there_is_one():
    assert answer(hpa.on_queue(1, 20, 5.0), seen(400.0, *[(100, 0, 0.9)] * 3)) == 1


def test_wva_v1_steps_by_one_and_not_while_replicas_come():
    peer = wva.V1(1, 20)
    for at in (10.0, 20.0):
        assert answer(peer, seen(at, (50, 9, 0.9), (50, 9, 0.9))) == 2
    assert answer(peer, seen(30.0, (50, 9, 0.9), (50, 9, 0.9))) == 3
    assert answer(peer, seen(60.0, (50, 9, 0.9), (50, 9, 0.9), desired=3)) == 3


def test_wva_v2_jumps_to_what_its_tokens_ask_for():
    engine = variant().engine
    peer = wva.V2(1, 50, engine)
    for at in (10.0, 20.0):
        answer(peer, seen(at, (50, 6, 0.8)))
    assert answer(peer, seen(30.0, (50, 60, 0.8))) > 1


def test_wva_slo_asks_for_more_at_a_tighter_target():
    one = variant()
    loose = wva.Slo(1, 50, one.engine, one.step_time, 2.0, 0.06)
    tight = wva.Slo(1, 50, one.engine, one.step_time, 2.0, 0.06, 0.5)
    assert tight._carries() < loose._carries()


def test_knative_panics_and_then_does_not_go_down_for_a_minute():
    peer = knative.Knative(1, 50, 10.0)
    assert answer(peer, seen(2.0, (70, 0, 0.5))) == 10
    assert answer(peer, seen(30.0, *[(0, 0, 0.0)] * 10)) == 10


def test_aibrix_at_most_doubles_and_at_most_halves():
    peer = aibrix.Apa(1, 50, 10.0)
    assert answer(peer, seen(10.0, (90, 0, 0.5), (90, 0, 0.5))) == 4
    assert answer(peer, seen(400.0, *[(1, 0, 0.0)] * 8)) == 4


def test_ray_wants_more_for_thirty_seconds_before_it_goes_up():
    peer = ray.RayServe(1, 50, 2.0)
    assert answer(peer, seen(2.0, (10, 0, 0.1))) == 1
    assert answer(peer, seen(20.0, (10, 0, 0.1))) == 1
    assert answer(peer, seen(33.0, (10, 0, 0.1))) == 5


def test_the_slo_aware_formula_of_the_guide():
    peer = keda.SloAware(1, 20, 2.0, 0.06)
    peer._strain.append((100.0, 1.1))
    assert answer(peer, seen(101.0, *[(1, 0, 0.1)] * 2)) == 2


@pytest.mark.parametrize("policy", POLICIES.values(), ids=lambda policy: policy.name)
def test_every_policy_plays_a_short_trace_within_its_bounds(policy):
    chance = np.random.default_rng(0)
    grid = np.arange(0.0, 300.0, 5.0)
    trace = traces.renewal(grid, np.full(60, 4.0), np.full(60, 1.0), 300.0, [(1000, 100)], chance)
    scenario = replace(scenarios()["swing"], trace=lambda _c: trace, seconds=300.0, most=5)
    played = play(scenario, trace, policy.make(scenario, policy.values[0]), initial=2, seed=1)
    assert all(1 <= moment.desired <= 5 for moment in played.outcome.curve)
    assert played.outcome.requests == len(trace)


def test_a_frontier_leaves_out_what_another_beats():
    assert frontier([(3, 0.9), (2, 0.95), (4, 0.99), (5, 0.98)]) == [(2, 0.95), (4, 0.99)]
    assert hours_at([(2, 0.9), (4, 1.0)], 0.95) == pytest.approx(3.0)
    assert hours_at([(2, 0.9)], 0.95) == math.inf
    assert hours_at([(2, 0.97)], 0.95) == 2


@pytest.fixture(scope="module")
def foreseen():
    """Quarter of an hour with a step up and back: scenario, trace, fixed fleets and all that foresight played."""

    def rate(at: float) -> float:
        return 8.0 if 300 <= at < 600 else 2.0

    grid = np.arange(0.0, 900.0, 5.0)
    rates = np.array([rate(float(at)) for at in grid])
    trace = traces.renewal(grid, rates, np.ones(len(grid)), 900.0, [(1100, 200), (600, 150)], np.random.default_rng(3))
    scenario = Scenario("test", "", lambda _c: trace, (variant(startup=60.0),), seconds=900.0, most=5)
    fixed = fixed_fleets(scenario, trace, 0)
    return scenario, trace, fixed, foresight(scenario, trace, (0.95, 0.99, 0.998), search=1, played=fixed)


def test_foresight_is_at_least_as_cheap_as_any_fixed_fleet_and_as_production(foreseen):
    scenario, trace, _, points = foreseen
    point = cheapest(points, 0.95)
    assert point.outcome.attainment >= 0.95
    for size in range(1, 6):
        fixed = play(scenario, trace, None, initial=size, seed=0).outcome
        if fixed.attainment >= 0.95:
            assert point.outcome.accelerator_hours <= fixed.accelerator_hours
    ours = play(scenario, trace, Production(scenario), initial=2, seed=0).outcome
    found = cheapest(points, ours.attainment)
    assert found is not None
    assert found.outcome.accelerator_hours <= ours.accelerator_hours


def test_foresight_reaches_as_far_as_fixed_fleets_do_and_is_cheaper_there(foreseen):
    _, _, fixed, points = foreseen
    most = max(outcome.attainment for outcome in fixed.outcomes.values())
    assert most >= 0.998
    for level in (0.95, 0.99, 0.995, 0.998):
        least = min(o.accelerator_hours for o in fixed.outcomes.values() if o.attainment >= level)
        assert cheapest(points, level).outcome.accelerator_hours < least
    assert max(point.outcome.attainment for point in points) >= most


def test_what_foresight_tells_was_played_and_no_point_beats_another_in_both(foreseen):
    scenario, trace, _, points = foreseen
    for before, after in pairwise(points):
        assert before.outcome.accelerator_hours <= after.outcome.accelerator_hours
        assert before.outcome.attainment < after.outcome.attainment
    scheduled = [point for point in points if math.isfinite(point.price)]
    assert scheduled
    for point in scheduled:
        fleet = Fleet(
            scenario.variants,
            initial={scenario.variants[0].name: point.schedule[0]},
            chance=np.random.default_rng(0),
            routing=scenario.routing,
        )
        again = run(
            fleet,
            trace,
            Scheduled(scenario.variants[0].name, point.schedule, 60.0),
            Limits(scenario.ttft, scenario.tpot),
            tick=Scheduled.tick,
            horizon=scenario.seconds,
        )
        assert again.attainment == point.outcome.attainment
        assert again.accelerator_hours == point.outcome.accelerator_hours


def test_a_renewal_process_has_the_rate_and_the_spread_it_was_given():
    grid = np.arange(0.0, 4000.0, 10.0)
    rate = np.where(grid < 2000, 5.0, 10.0)
    trace = traces.renewal(grid, rate, np.full(len(grid), 2.0), 4000.0, [(10, 10)], np.random.default_rng(1))
    early = np.array([each.time for each in trace if each.time < 2000])
    assert len(early) == pytest.approx(10_000, rel=0.06)
    assert len(trace) - len(early) == pytest.approx(20_000, rel=0.06)
    gaps = np.diff(early)
    assert gaps.std() / gaps.mean() == pytest.approx(2.0, rel=0.1)


def test_every_size_names_scenarios_and_policies_that_exist():
    every = scenarios(90.0)
    for size, parts in SIZES.items():
        for part in parts:
            assert part.scenario in every, size
            assert set(part.names) <= set(POLICIES), size
    claimed = {part.scenario: part for part in SIZES["whole"]}
    for scenario in every.values():
        if scenario.name in claimed and (scenario.swing or scenario.flat):
            assert claimed[scenario.name].seeds >= 5, f"{scenario.name}: an interval is claimed"
        if scenario.name in claimed and scenario.swing:
            assert claimed[scenario.name].search > 0, f"{scenario.name}: the bound is claimed"


def test_the_ski_rental_optimum_keeps_short_gaps_and_leaves_long_ones():
    trace = [Arrival(0, 10.0, 100, 10), Arrival(1, 40.0, 100, 10), Arrival(2, 1040.0, 100, 10)]
    found = rental(trace, start=90.0, work=1.0, seconds=1100.0)
    # gaps of 10, 29, 999 and 59 s, and three seconds of work
    assert found.optimum * 3600 == pytest.approx(10 + 29 + 90 + 59 + 3)
    assert found.break_even * 3600 == pytest.approx(10 + 29 + 180 + 59 + 3)
    assert found.always * 3600 == pytest.approx(1100.0)


def test_who_knows_nothing_beforehand_misses_what_comes_before_a_start_is_done():
    stretch = [Arrival(i, 1000.0 + 10.0 * i, 100, 10) for i in range(20)]
    found = rental([Arrival(99, 10.0, 100, 10), *stretch], start=90.0, work=1.0, seconds=1300.0, patience=2.0)
    # of 1000 to 1190 s those before 1088 s: nine; the one of the beginning finds the first replica
    assert found.reachable == pytest.approx(12 / 21)


NOTHING = (0.0, 0.0, 0.0)


def row(policy: str, seed: int, hours: float, attainment: float) -> Row:
    return Row(
        "s", policy, 1.0, seed, attainment, attainment, hours, hours, 0, NOTHING, NOTHING, 0, 0, 0, 0.0, 0.0, 0.0
    )


def test_ours_is_ahead_where_it_is_cheaper_at_the_same_attainment_on_the_mean_of_the_seeds():
    rows = [row("lamplight", seed, hours, share) for seed in (1, 2) for hours, share in ((4.0, 0.9), (6.0, 0.98))]
    rows += [row("dear", 1, 5.0, 0.9), row("dear", 1, 8.0, 0.98), row("dear", 2, 6.0, 0.9), row("dear", 2, 7.0, 0.98)]
    rows += [row("weak", seed, 3.0, 0.85) for seed in (1, 2)]
    found = {(each.peer, each.level): each for each in standings(rows, "lamplight", (0.90, 0.98))}
    dear = found["dear", 0.9]
    assert dear.ratio == pytest.approx((4 / 5 + 4 / 6) / 2)
    assert dear.off == pytest.approx(12.706 * abs(4 / 5 - 4 / 6) / 2, rel=1e-3)
    assert (dear.ahead, dear.surely) == (True, False)
    assert (found["weak", 0.9].missing, found["weak", 0.9].ahead) == (2, True)
    assert ahead(list(found.values()))
    assert not surely(list(found.values()))
    assert nearest(list(found.values()))[0.98].peer == "dear"

    rows += [row("better", 1, 5.0, 0.99)]
    found = {(each.peer, each.level): each for each in standings(rows, "lamplight", (0.98, 0.985))}
    assert found["better", 0.98].ratio == pytest.approx(6 / 5)
    assert not found["better", 0.98].ahead
    assert found["better", 0.985].lost == 1, "a peer gets there and ours does not"
    assert not found["better", 0.985].ahead
    assert nearest(list(found.values()))[0.985].peer == "better"


@pytest.mark.parametrize(
    ("attained", "hours"),
    [(0.99, 4.0), (0.996, 5.0), (0.993, 4.5), (0.999, 5.0), (1.0, 5.0)],
    ids=["as found", "further than .99", "between two that were found", "more than was found: at the most", "all"],
)
def test_foresight_is_compared_at_the_attainment_that_ours_has(attained, hours):
    rows = [row("foresight", 3, 4.0, 0.99), row("foresight", 3, 5.0, 0.996), row("static", 3, 8.0, 1.0)]
    rows.append(replace(row(OURS, 3, 6.0, attained), knob=0.95))
    assert verdict_on(scenarios(90.0)["hour"], rows)["to_foresight"] == pytest.approx(6.0 / hours, abs=6e-4)


def test_where_nothing_misses_foresight_is_compared_as_far_as_it_is_searched():
    """A fixed fleet that serves all is a bound that nobody searched to lower."""
    rows = [row("foresight", 3, 4.0, 0.999), row("foresight", 3, 5.0, 0.9996), row("foresight", 3, 9.0, 1.0)]
    rows += [row("static", 3, 9.0, 1.0), replace(row(OURS, 3, 6.0, 1.0), knob=0.95)]
    expected = hours_at([(4.0, 0.999), (5.0, 0.9996)], TARGETS[-1])
    assert verdict_on(scenarios(90.0)["hour"], rows)["to_foresight"] == pytest.approx(6.0 / expected, abs=6e-4)
