"""Arrivals from traces and history, and the runs that they are played through."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from apps.autoscaling.domain.types import Policy, VariantPolicy
from apps.core.domain.refusals import Invalid
from apps.physics import StepTimeModel
from apps.physics.fleet.fleet import StartUp
from apps.physics.frontend import FrontendModel
from apps.pools.domain.facts import latency_grid
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.signals import Signals
from apps.whatif.domain.arrivals import NothingToPlay, from_history, from_trace, scaled
from apps.whatif.domain.request import HpaPolicy, Lamplight, SimulateBody, Static
from apps.whatif.domain.simulation import Plan, VariantPlan, simulate

STEP_TIME = StepTimeModel(22e-3, 36e-6, 16e-3, 57e-6, 2.9e-9, 190e-9)
POLICY = Policy((), (VariantPolicy("a", 1, 8, 0.9, STEP_TIME, 200_000),))


def mooncake(count=300, step_ms=200, shared=False):
    rows = [
        {"timestamp": 5000 + i * step_ms, "input_length": 1024, "output_length": 50}
        | ({"hash_ids": [i % 5, 1000 + i]} if shared else {})
        for i in range(count)
    ]
    return "\n".join(map(json.dumps, rows))


def plan(arrivals, *asked, **more):
    policies = [(one.title, one, POLICY) for one in asked]
    values = {
        "arrivals": arrivals, "policies": policies, "variants": {"a": VariantPlan(StartUp(60.0, 60.0), 0.9, 1)},
        "frontend": FrontendModel(), "edges": latency_grid()[1], "ttft": 2.0, "tpot": 0.06, "fraction": 0.95,
        "currency": "USD", "seed": 1, "began": 0.0, "seconds": arrivals[-1].time, "origin": "a trace",
    }  # fmt: skip
    return Plan(**(values | more))


def test_a_trace_begins_at_its_first_request_and_shares_what_it_shares():
    alone = from_trace(mooncake(), "mooncake")
    assert (alone[0].time, alone[1].time, len(alone)) == (0.0, pytest.approx(0.2), 300)
    assert not alone[0].block_hashes
    together = from_trace(mooncake(shared=True), "mooncake")
    assert together[0].block_hashes[:32] == together[5].block_hashes[:32]
    assert together[0].block_hashes[32:] != together[5].block_hashes[32:]


@pytest.mark.parametrize(
    ("text", "form", "said"),
    [
        ("{nonsense", "mooncake", "cannot be read as mooncake: line 1"),
        ("a,b\n1,2\n", "azure", "header lacks"),
        ("\n", "mooncake", "no request"),
        (mooncake(2, 90_000_000), "mooncake", "at most 24"),
    ],
)
def test_a_trace_that_cannot_be_played_is_refused_with_a_sentence(text, form, said):
    with pytest.raises(NothingToPlay, match=said):
        from_trace(text, form)


def test_history_gives_as_many_arrivals_as_were_counted_with_their_lengths_and_hits():
    histograms = {
        "prompt_length": Histogram({(500.0, 1000.0): 10.0}),
        "generation_length": Histogram({(50.0, 100.0): 10.0}),
    }
    counts = {"requests": 30.0, "prompt_tokens": 24_000.0, "cached_tokens": 12_000.0, "generation_tokens": 2000.0}
    rows = [Signals(1000.0 + 10 * i, 10.0, counts=counts, histograms=histograms) for i in range(60)]
    arrivals = from_history(rows, np.random.default_rng(1))
    assert len(arrivals) == 1800
    assert all(500 <= each.prompt_tokens <= 1000 and 50 <= each.output_tokens <= 100 for each in arrivals)
    assert all(each.cached_tokens == each.prompt_tokens // 2 for each in arrivals)
    assert [each.time for each in arrivals] == sorted(each.time for each in arrivals)
    assert 590 < arrivals[-1].time < 600
    with pytest.raises(NothingToPlay, match="No request"):
        from_history([replace(row, counts={}) for row in rows], np.random.default_rng(1))


def test_twice_the_scale_is_twice_the_requests():
    arrivals = from_trace(mooncake(), "mooncake")
    assert len(scaled(arrivals, 2.0, np.random.default_rng(1))) == 600
    assert len(scaled(arrivals, 0.5, np.random.default_rng(1))) == pytest.approx(150, abs=30)
    with pytest.raises(NothingToPlay, match="smaller scale"):
        scaled(arrivals, 1000.0, np.random.default_rng(1))


def test_every_policy_is_told_of_with_its_curve_cost_and_sentences():
    arrivals = from_trace(mooncake(3000, 100), "mooncake")
    steps = []
    result = simulate(
        plan(
            arrivals,
            Lamplight(kind="lamplight"),
            Static(kind="static", replicas=2),
            HpaPolicy(kind="hpa", metric="running", target=10),
        ),
        steps.append,
    )
    assert [run["policy"] for run in result["runs"]] == ["lamplight", "static 2", "hpa running 10"]
    ours, static, hpa = result["runs"]
    assert static["acceleratorHours"] == pytest.approx(2 * arrivals[-1].time / 3600, rel=1e-3)
    assert static["cost"] == pytest.approx(static["acceleratorHours"] * 0.9, rel=1e-3)
    assert ours["decisions"]
    assert all(one["sentence"] for one in ours["decisions"])
    assert hpa["actions"] > 0
    assert sum(point["arrived"] for point in ours["curve"]) <= len(arrivals)
    assert steps == sorted(steps)
    assert 0.9 < steps[-1] <= 1.0
    assert json.loads(json.dumps(result)) == result


def test_a_price_nobody_knows_is_not_zero():
    arrivals = from_trace(mooncake(), "mooncake")
    unknown = {"a": VariantPlan(StartUp(60.0, 60.0), None, 1)}
    (run,) = simulate(plan(arrivals, Static(kind="static", replicas=1), variants=unknown), lambda _p: None)["runs"]
    assert run["cost"] is None


def test_a_slower_start_costs_attainment():
    arrivals = from_trace(mooncake(6000, 60), "mooncake")
    at = [
        simulate(
            plan(arrivals, Lamplight(kind="lamplight"), variants={"a": VariantPlan(StartUp(s, s), 0.9, 1)}),
            lambda _p: None,
        )["runs"][0]["attainment"]
        for s in (10.0, 240.0)
    ]
    assert at[0] > at[1]


@pytest.mark.parametrize(
    "body",
    [{"policies": []}, {"policies": [{"kind": "magic"}]}, {"scale": 0}, {"source": {"kind": "trace"}}, {"what": 1}],
)
def test_a_wrong_body_is_refused(body):
    with pytest.raises(Invalid):
        SimulateBody.from_document(body, at="")
