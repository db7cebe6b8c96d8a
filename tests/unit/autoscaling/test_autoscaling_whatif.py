"""The production decide() driving a fleet in virtual time."""

from __future__ import annotations

import numpy as np
import pytest

from apps.autoscaling.domain.types import Distribution, Known, NoTraffic, Objective, Policy, Unknown
from apps.autoscaling.domain.whatif import Driver, limits_of, signals_of, variant_policy
from apps.physics import EngineConfig, StepTimeModel
from apps.physics.fleet.fleet import Faults, Fleet, FleetVariant, StartUp
from apps.physics.fleet.run import run
from apps.physics.fleet.types import Arrival
from apps.pools.domain.facts import latency_grid

STEP_TIME = StepTimeModel(22e-3, 36e-6, 16e-3, 57e-6, 2.9e-9, 190e-9)
VARIANT = FleetVariant("a", EngineConfig(num_blocks=12_500, max_model_len=65_536), STEP_TIME, StartUp(90.0, 90.0))
EDGES = latency_grid()[1]
OBJECTIVES = (Objective("ttft", 2.0, 0.95), Objective("tpot", 0.06, 0.95))


def policy(least=1, **more):
    return Policy(OBJECTIVES, (variant_policy(VARIANT, least, 12),), **more)


def fleet(initial=1, **more):
    return Fleet([VARIANT], initial={"a": initial}, chance=np.random.default_rng(0), **more)


def poisson(rates, seconds, seed=0, prompt=1100, output=200):
    chance, arrivals, at = np.random.default_rng(seed), [], 0.0
    while (at := at + float(chance.exponential(1 / rates(at)))) < seconds:
        arrivals.append(Arrival(len(arrivals), at, prompt, output))
    return arrivals


def test_signals_say_what_the_engines_counted():
    f = fleet(2)
    for arrival in poisson(lambda _at: 3.0, 60.0):
        f.send(arrival)
    f.advance(60.0)
    f.scale("a", 3)
    seen = signals_of(f.observe(), policy(), EDGES)
    (variant,) = seen.variants
    assert isinstance(seen.arrived, Known)
    assert seen.arrived.value == len(f.seen)
    assert (variant.replicas.desired, variant.replicas.ready, len(variant.replicas.pending)) == (3, 2, 1)
    assert isinstance(variant.finished, Known)
    assert isinstance(variant.running, Known)
    assert variant.finished.value + variant.running.value + variant.waiting.value == len(f.seen)
    assert isinstance(variant.prompt_lengths, Distribution)
    assert variant.prompt_lengths.histogram.quantile(0.5) == pytest.approx(1500, rel=0.4)
    assert isinstance(variant.itl, Distribution)
    generated = variant.generated_tokens.value
    firsts = variant.ttft.histogram.total
    assert variant.itl.histogram.total == pytest.approx(generated - firsts)


def test_what_cannot_be_read_is_unknown_and_nothing_is_no_traffic():
    f = fleet(1, faults=Faults(gap=(15.0, 25.0)))
    f.advance(10.0)
    quiet = signals_of(f.observe(), policy(), EDGES)
    assert quiet.arrived == Known(0.0)
    assert quiet.variants[0].ttft == NoTraffic()
    f.advance(20.0)
    blind = signals_of(f.observe(), policy(), EDGES)
    assert isinstance(blind.arrived, Unknown)
    assert isinstance(blind.variants[0].running, Unknown)
    assert blind.variants[0].replicas.ready == 1


def test_a_ramp_is_followed_and_the_attainment_kept():
    trace = poisson(lambda at: 2.0 + 12.0 * min(at / 1500, 1.0), 1800.0)
    driver = Driver(policy(), EDGES)
    outcome = run(fleet(2), trace, driver, limits_of(OBJECTIVES))
    assert outcome.attainment > 0.9
    assert max(moment.ready for moment in outcome.curve) >= 3
    assert outcome.accelerator_hours < 0.5 * 8
    assert driver.moves
    assert all(decision.sentence for decision in driver.moves)


def test_the_same_seed_gives_the_same_result():
    trace = poisson(lambda _at: 4.0, 300.0)
    first, second = (run(fleet(1), trace, Driver(policy(), EDGES), limits_of(OBJECTIVES)) for _ in range(2))
    assert first == second


def test_no_metrics_never_take_a_replica_away():
    trace = poisson(lambda _at: 6.0, 900.0)
    driver = Driver(policy(), EDGES)
    outcome = run(fleet(4, faults=Faults(gap=(300.0, 900.0))), trace, driver, limits_of(OBJECTIVES))
    during = [moment.desired for moment in outcome.curve if 310 <= moment.at < 890]
    assert min(during) == max(during)
