"""A fleet in virtual time: start-up, holding at the gateway, draining, sleep, faults, and the bill."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.physics import EngineConfig, StepTimeModel
from apps.physics.fleet.fleet import Faults, Fleet, FleetVariant, Phase, StartUp
from apps.physics.fleet.run import Limits, run
from apps.physics.fleet.types import Arrival

STEP_TIME = StepTimeModel(5e-3, 1e-5, 0.0, 2e-5, 8e-10, 3e-8)
VARIANT = FleetVariant(
    "a", EngineConfig(num_blocks=4000, max_model_len=8192), STEP_TIME, StartUp(60.0, 60.0), price=2.0
)
LIMITS = Limits(2.0, 0.05)


def fleet(initial=1, variant=VARIANT, **more):
    return Fleet([variant], initial={"a": initial}, chance=np.random.default_rng(0), **more)


def steady(rate=2.0, seconds=300.0, prompt=500, output=50):
    return [Arrival(i, i / rate, prompt, output) for i in range(int(rate * seconds))]


def test_a_fixed_fleet_costs_its_replicas_for_the_whole_time():
    outcome = run(fleet(3), steady(), None, LIMITS, horizon=360.0)
    assert outcome.accelerator_hours == pytest.approx(0.3)
    assert outcome.cost == pytest.approx(0.6)
    assert outcome.attainment == 1.0
    assert outcome.actions == 0


def test_from_zero_requests_wait_for_the_start_and_then_are_answered():
    f = fleet(0)
    f.send(Arrival(0, 10.0, 500, 20))
    f.advance(11.0)
    assert f.observe().held == 1
    f.scale("a", 1)
    f.advance(70.9)
    assert f.observe().count(Phase.STARTING) == 1
    f.advance(71.1)
    seen = f.observe()
    assert seen.count(Phase.READY) == 1
    assert seen.startups == [("a", pytest.approx(60.0))]
    f.advance(80.0)
    f.close()
    assert f.seen[0].ttft == pytest.approx(61.0, abs=0.1)


@pytest.mark.parametrize(("ask", "first"), [(None, 20.0), (1.0, 13.0)])
def test_who_comes_to_an_empty_fleet_is_seen_at_the_next_look_or_else_at_the_next_tick(ask, first):
    decided = []

    def controller(seen):
        decided.append((seen.now, len(seen.arrived)))
        return {"a": (1, 0)} if seen.held else None

    arrivals = [Arrival(i, 12.3 + i, 500, 20) for i in range(30)]
    found = run(fleet(0), arrivals, controller, Limits(60.0, 1.0), ask=ask, horizon=100.0)
    assert next(at for at, count in decided if count) == pytest.approx(first)
    assert sum(count for _, count in decided) == 30, "each is told of once"
    regular = [at for at, _ in decided if at != first or ask is None]
    assert regular == [10.0 * k for k in range(1, len(regular) + 1)], "ticks stay where they are"
    assert [moment.at for moment in found.curve] == [at for at, _ in decided]


def test_at_the_gateway_patience_ends():
    f = fleet(0, hold=30.0)
    f.send(Arrival(0, 0.0, 500, 20))
    f.advance(31.0)
    seen = f.observe()
    assert (seen.held, seen.given_up) == (0, 1)
    assert f.seen[0].failed == "gave up waiting for a replica"


def test_a_draining_replica_ends_what_it_has_and_takes_nothing_new():
    f = fleet(2, routing="round-robin")
    for arrival in steady(20, 2, output=200):
        f.send(arrival)
    f.scale("a", 1)
    f.advance(2.0)
    assert f.observe().count(Phase.DRAINING) == 1
    (ready,) = [each.number for each in f.replicas if each.phase is Phase.READY]
    for i in range(10):
        f.send(Arrival(100 + i, 2.1, 500, 20))
    assert {each.replica for each in f.seen[-10:]} == {ready}
    f.advance(60.0)
    assert f.observe().count(Phase.READY) == 1 == len(f.replicas)
    assert all(each.finished for each in f.seen)


def test_what_is_not_ready_goes_first():
    f = fleet(2)
    f.scale("a", 4)
    f.advance(5.0)
    f.scale("a", 2)
    assert f.observe().count(Phase.READY) == 2
    assert len(f.replicas) == 2
    f.close()
    assert f.accelerator_seconds["a"] == pytest.approx(4 * 5.0)


def test_sleepers_wake_in_a_second_and_hold_their_accelerators():
    f = fleet(1)
    f.advance(100.0)
    f.scale("a", 0, asleep=1)
    f.advance(110.0)
    assert f.observe().count(Phase.ASLEEP) == 1
    f.send(Arrival(0, 200.0, 500, 20))
    f.scale("a", 1, asleep=0)
    f.advance(203.0)
    f.close()
    assert f.seen[0].ttft == pytest.approx(0.9, abs=0.1)
    assert f.accelerator_seconds["a"] == pytest.approx(203.0)
    assert f.standby_seconds["a"] == pytest.approx(200.0 - 107.0)


def test_without_a_node_pods_stay_pending_and_cost_nothing():
    f = fleet(1, faults=Faults(unschedulable=(50.0, 500.0)))
    f.advance(100.0)
    f.scale("a", 3)
    f.advance(400.0)
    seen = f.observe()
    assert [each.stuck for each in seen.replicas if each.phase is Phase.PENDING] == ["no node fits"] * 2
    f.advance(561.0)
    assert f.observe().count(Phase.READY) == 3
    f.close()
    assert f.accelerator_seconds["a"] == pytest.approx(561 + 2 * 61)


def test_quota_lets_so_many_run_and_no_more():
    f = fleet(1, variant=replace(VARIANT, quota=2))
    f.scale("a", 5)
    f.advance(100.0)
    seen = f.observe()
    assert (seen.count(Phase.READY), seen.count(Phase.PENDING)) == (2, 3)
    assert {each.stuck for each in seen.replicas} == {"", "quota of accelerators reached"}


def test_a_killed_replica_loses_its_requests_and_is_replaced():
    f = fleet(1, faults=Faults(kills=(1.0,)))
    f.send(Arrival(0, 0.9, 500, 500))
    f.advance(5.0)
    assert f.observe().count(Phase.STARTING) == 1
    assert f.seen[0].failed == "its replica died"
    f.advance(62.0)
    assert f.observe().count(Phase.READY) == 1


def test_metrics_have_a_gap_when_told():
    f = fleet(1, faults=Faults(gap=(100.0, 220.0)))
    readable = []
    for at in range(10, 300, 10):
        f.advance(float(at))
        readable.append(f.observe().readable)
    assert readable.count(False) == 12


def test_a_slow_replica_is_slow():
    fast = run(fleet(1), steady(), None, LIMITS)
    slow = run(fleet(1, faults=Faults(slow={0: 4.0})), steady(), None, LIMITS)
    assert slow.tpot[0] > 3 * fast.tpot[0]


def test_shared_prefixes_are_found_and_the_router_follows_them():
    prompts = [Arrival(i, i * 0.5, 1600, 20, 0, tuple(range(i % 4 * 1000, i % 4 * 1000 + 100))) for i in range(200)]
    blind = run(fleet(4, routing="round-robin", exact=True), prompts[1:], None, LIMITS)
    turned = [replace(each, index=i) for i, each in enumerate(prompts)]
    affine = run(fleet(4, routing="prefix", exact=True), turned, None, LIMITS)
    assert affine.hit > 0.9
    assert affine.ttft[0] <= blind.ttft[0] * 1.01


@settings(max_examples=25, deadline=None)
@given(
    targets=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=30),
    startup=st.sampled_from([StartUp(5.0, 5.0), StartUp(30.0, 80.0)]),
)
def test_whatever_the_targets_nobody_is_lost_and_nothing_is_charged_twice(targets, startup):
    steps = iter(targets)
    trace = steady(1.0, 300.0)
    f = fleet(1, variant=replace(VARIANT, startup=startup))
    outcome = run(f, trace, lambda _seen: {"a": next(steps, (1, 0))}, LIMITS, grace=600.0)
    assert len(f.seen) == len(trace)
    assert all(each.finished or each.failed for each in f.seen)
    most = max(moment.desired for moment in outcome.curve) + 2
    assert 0 <= outcome.standby_hours <= outcome.accelerator_hours <= (most + 5) * outcome.seconds / 3600
