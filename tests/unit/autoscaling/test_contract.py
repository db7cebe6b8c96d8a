"""The contract of `decide`: records through JSON, replay to the same bits, one pool as in a batch of many."""

from __future__ import annotations

import json
from array import array
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from apps.autoscaling.domain.decide import decide, decide_many
from apps.autoscaling.domain.record import from_json, to_json
from apps.autoscaling.domain.types import (
    Decision,
    Distribution,
    FreezeWindow,
    Known,
    NoTraffic,
    Objective,
    Pending,
    Policy,
    Replicas,
    Schedule,
    Signals,
    State,
    Unknown,
    VariantPolicy,
    VariantSignals,
)
from apps.physics.catalogue import ModelSize, step_time_for
from apps.telemetry.domain.histogram import Histogram

LLAMA = ModelSize(8.03e9, 32, 16.06e9, 131072)
L40S = VariantPolicy("l40s", 1, 20, 1.0, step_time_for(LLAMA, "nvidia-l40s").step_time, 190_000, startup=90.0)
H100 = VariantPolicy("h100", 0, 10, 2.5, step_time_for(LLAMA, "nvidia-h100").step_time, 400_000, startup=90.0)
POLICY = Policy((Objective("ttft", 2.0, 0.95), Objective("tpot", 0.06, 0.95)), (L40S,))


def tick(replicas: int, rate: float, *, name: str = "l40s", prompt: float = 1000, output: float = 100) -> Signals:
    n = rate * 10
    seen = VariantSignals(
        name,
        Replicas(replicas, replicas),
        arrived=Known(n),
        finished=Known(n),
        prompt_tokens=Known(n * prompt),
        cached_tokens=Known(0.0),
        generated_tokens=Known(n * output),
        running=Known(rate * output * 0.03),
        waiting=Known(0.0),
        kv_usage=Known(0.2),
        prompt_lengths=Distribution(Histogram({(500.0, 1000.0): n / 2, (1000.0, 2000.0): n / 2}), n * prompt),
        output_lengths=Distribution(Histogram({(50.0, 100.0): n / 2, (100.0, 200.0): n / 2}), n * output),
        ttft=Distribution(Histogram({(0.1, 0.25): n * 0.97, (2.0, 3.0): n * 0.03})),
        tpot=Distribution(Histogram({(0.025, 0.04): n})),
    )
    return Signals(10.0, (seen,), arrived=Known(n))


samples = st.one_of(
    st.builds(Known, st.floats(0, 1e4), st.floats(0, 60)),
    st.builds(NoTraffic, st.floats(0, 60)),
    st.builds(Unknown, st.text(max_size=10)),
)
observed = st.one_of(
    st.builds(
        lambda counts: Distribution(Histogram(counts), None, 1.0),
        st.dictionaries(st.sampled_from([(0.0, 0.1), (0.1, 1.0), (1.0, 5.0), (5.0, float("inf"))]), st.floats(0.5, 50)),
    ),
    st.just(Unknown("gone")),
    st.just(NoTraffic()),
)
replicas = st.builds(
    lambda ready, waits: Replicas(ready + len(waits), ready, tuple(Pending(s, why) for s, why in waits)),
    st.integers(0, 20),
    st.lists(st.tuples(st.floats(0, 500), st.sampled_from(["", "no node has a free accelerator"])), max_size=4),
)
variant_signals = st.builds(
    lambda name, r, s, o, starts: VariantSignals(name, r, *s, *o, tuple(starts)),
    st.just("l40s"),
    replicas,
    st.tuples(*[samples] * 10),
    st.tuples(*[observed] * 6),
    st.lists(st.floats(1, 400), max_size=3),
)
ticks = st.builds(
    lambda v, s, rollout: Signals(10.0, (v,), *s, rollout=rollout),
    variant_signals,
    st.tuples(*[samples] * 5),
    st.booleans(),
)
policies = st.sampled_from(
    [
        POLICY,
        replace(POLICY, variants=(replace(L40S, minimum=0),), idle="zero"),
        replace(POLICY, variants=(replace(L40S, minimum=0),), idle="standby", budget=5.0),
        replace(POLICY, schedules=(Schedule("night", ("mon", "thu"), 0, 600, "Europe/Paris", 2, 4),)),
        replace(POLICY, freezes=(FreezeWindow("sale", 0.0, 50.0),), objectives=()),
        replace(POLICY, variants=(L40S, H100), objectives=(Objective("itl", 0.05, 0.99), Objective("e2e", 20.0, 0.9))),
        replace(POLICY, variants=(replace(L40S, role="prefill"), replace(H100, role="decode", minimum=1))),
    ]
)


@settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(policies, st.lists(ticks, min_size=1, max_size=8))
def test_any_history_is_decided_within_bounds_and_replays_from_its_record(
    policy: Policy, history: list[Signals]
) -> None:
    state = State()
    for index, seen in enumerate(history):
        now = 1000.0 + 10.0 * index
        decision = decide(policy, seen, state, now)
        for variant, target in zip(policy.variants, decision.targets, strict=True):
            assert variant.minimum <= target.replicas <= variant.maximum
        stored = json.loads(json.dumps([to_json(x) for x in (policy, seen, state, decision)]))
        again = decide(from_json(Policy, stored[0]), from_json(Signals, stored[1]), from_json(State, stored[2]), now)
        assert again == decision == from_json(Decision, stored[3])
        assert json.dumps(to_json(again)) == json.dumps(to_json(decision))
        assert decision.sentence
        state = decision.state


@settings(max_examples=6, deadline=None, phases=(Phase.explicit, Phase.generate))
@given(st.lists(st.tuples(policies, ticks), min_size=2, max_size=40))
def test_a_pool_is_decided_alone_as_among_many(batch: list[tuple[Policy, Signals]]) -> None:
    wanted, seen = [p for p, _ in batch], [s for _, s in batch]
    states = [State()] * len(batch)
    # parts of the hold begin, several at once, and are forgotten all together
    for now in (10.0, 20.0, 330.0, 9000.0):
        together = decide_many(wanted, seen, states, [now] * len(batch))
        alone = [decide(p, s, state, now) for p, s, state in zip(wanted, seen, states, strict=True)]
        assert together == alone
        states = [d.state for d in together]


def run(policy: Policy, rates: list[float], start: int = 2, **traffic: float) -> list[Decision]:
    """Replicas start at once; what the targets were."""
    state, replicas, decisions = State(), start, []
    for index, rate in enumerate(rates):
        decision = decide(policy, tick(replicas, rate, **traffic), state, 10.0 * index)
        state, replicas = decision.state, decision.total
        decisions.append(decision)
    return decisions


def test_a_step_is_answered_at_once_and_in_one_jump() -> None:
    decisions = run(POLICY, [3.0] * 30 + [30.0] * 12)
    before, after = decisions[29].total, [d.total for d in decisions[30:]]
    assert max(after) >= 4 * before
    assert after[2] > 2 * before


@pytest.mark.parametrize("seen", [0, 1])
def test_missing_arrivals_never_lower_and_then_freeze(seen: int) -> None:
    decisions = run(POLICY, [30.0] * 40)
    state, held = decisions[-1].state, decisions[-1].total
    silent = Signals(10.0, (VariantSignals("l40s", Replicas(held, held * seen)),))
    verbs = []
    for index in range(20):
        decision = decide(POLICY, silent, state, 400.0 + 10.0 * index)
        assert decision.total >= held
        state = decision.state
        verbs.append(decision.verb)
    assert decision.total == held
    assert set(verbs[5:]) <= {"hold", "frozen"}


def test_what_explains_a_decision_is_the_same_whenever_it_is_read() -> None:
    decisions, again = (run(POLICY, [3.0] * 12 + [30.0] * 6) for _ in range(2))
    # one run is explained at once, from the last field on; the other long after its successors were decided
    for told, untold in zip(decisions, again, strict=True):
        assert told.counterfactuals
        assert told.sentence == untold.sentence
        assert told == untold
        assert untold.inputs == told.inputs
    with pytest.raises(AttributeError, match="no mood"):
        _ = decisions[0].mood  # type: ignore[attr-defined]


def test_requests_of_a_single_token_have_no_time_between_tokens() -> None:
    decisions = run(POLICY, [8.0] * 20, output=1.0)
    assert 1 <= decisions[-1].total <= 4


def test_an_unknown_layout_starts_anew() -> None:
    old = State(5.0, 0, array("d", [1.0, 2.0]), {"l40s": array("d", [3.0])})
    assert decide(POLICY, tick(2, 5.0), old, 10.0) == decide(POLICY, tick(2, 5.0), State(), 10.0)
