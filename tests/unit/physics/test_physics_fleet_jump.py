"""The jumping engine against the exact one: the same requests, the same moments."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.physics import EngineConfig, StepTimeModel
from apps.physics.fleet.jump import JumpEngine
from apps.physics.fleet.replica import ExactEngine
from apps.physics.fleet.types import GAP_BOUNDS, Arrival, Seen
from apps.physics.frontend import FrontendModel

STEP_TIME = StepTimeModel(5e-3, 1e-5, 0.0, 2e-5, 8e-10, 3e-8, prefill_request=1e-4, mixed=2.0, mixed_step=1e-3)
FRONTENDS = [FrontendModel(), FrontendModel(0.004, 0.001, 1e-6, 2e-5), FrontendModel(0.006, 5e-4, 1e-6, 4e-4)]


def play(kind, config, frontend, rows, slow=1.0):
    engine = kind(config, STEP_TIME, frontend, slow)
    seen = [Seen(Arrival(i, at, prompt, output), sent=at) for i, (at, prompt, output) in enumerate(rows)]
    for each in seen:
        engine.send(each)
    engine.advance(float("inf"))
    return engine, seen


def assert_equal(config, frontend, rows, slow=1.0):
    exact, expected = play(ExactEngine, config, frontend, rows, slow)
    jumping, seen = play(JumpEngine, config, frontend, rows, slow)
    assert [each.first for each in seen] == pytest.approx([each.first for each in expected], abs=1e-9)
    assert [each.last for each in seen] == pytest.approx([each.last for each in expected], abs=1e-9)
    for name in ("steps", "generation_tokens", "prefill_tokens"):
        assert getattr(jumping.load, name) == getattr(exact.load, name), name
    assert jumping.load.busy_seconds == pytest.approx(exact.load.busy_seconds)
    assert jumping.kv_usage == pytest.approx(0.0)
    return jumping, exact


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.tuples(st.floats(0, 8), st.integers(1, 3000), st.integers(1, 200)), min_size=1, max_size=40),
    frontend=st.sampled_from(FRONTENDS[:2]),
    budget=st.sampled_from([512, 8192]),
    seats=st.sampled_from([4, 256]),
)
def test_every_request_gets_its_tokens_at_the_same_moments(rows, frontend, budget, seats):
    config = EngineConfig(num_blocks=20_000, max_model_len=8192, max_num_batched_tokens=budget, max_num_seqs=seats)
    assert_equal(config, frontend, sorted(rows))


@pytest.mark.parametrize("seed", range(12))
def test_a_full_cache_makes_both_push_out_the_same_requests(seed):
    chance = np.random.default_rng(seed)
    times = np.cumsum(chance.exponential(0.05, 300))
    rows = [(float(at), int(chance.integers(1, 800)), int(chance.integers(1, 300))) for at in times]
    config = EngineConfig(num_blocks=700, max_model_len=4096)
    jumping, exact = assert_equal(config, FRONTENDS[1], rows)
    assert jumping.load.preemptions == exact.load.preemptions > 0


def test_a_slow_replica_takes_longer_for_everything():
    rows = [(i * 0.2, 500, 100) for i in range(50)]
    config = EngineConfig(num_blocks=20_000, max_model_len=8192)
    assert_equal(config, FRONTENDS[0], rows, slow=3.0)
    _engine, fast = play(JumpEngine, config, FRONTENDS[0], rows)
    _engine, slow = play(JumpEngine, config, FRONTENDS[0], rows, 3.0)
    assert all(one.tpot > 2.9 * other.tpot for one, other in zip(slow, fast, strict=True))


def test_an_api_server_slower_than_the_engine_is_met_within_a_round():
    rows = [(i * 0.01, 200, 150) for i in range(100)]
    config = EngineConfig(num_blocks=20_000, max_model_len=8192)
    _engine, expected = play(ExactEngine, config, FRONTENDS[2], rows)
    _engine, seen = play(JumpEngine, config, FRONTENDS[2], rows)
    for one, other in zip(seen, expected, strict=True):
        assert one.last == pytest.approx(other.last, abs=100 * FRONTENDS[2].token)


def test_gaps_are_counted_as_the_exact_engine_counts_them():
    rows = [(i * 0.05, 300, 200) for i in range(200)]
    config = EngineConfig(num_blocks=20_000, max_model_len=8192)
    jumping, exact = assert_equal(config, FRONTENDS[0], rows)
    assert sum(jumping.load.gap_counts) == sum(exact.load.gap_counts)
    below = [(sum(jumping.load.gap_counts[:i]), sum(exact.load.gap_counts[:i])) for i in range(len(GAP_BOUNDS))]
    assert all(one == pytest.approx(other, rel=0.01, abs=200) for one, other in below)


def test_looking_in_between_changes_nothing():
    rows = [(i * 0.3, 400, 120) for i in range(40)]
    config = EngineConfig(num_blocks=20_000, max_model_len=8192)
    _engine, expected = play(JumpEngine, config, FRONTENDS[1], rows)
    engine = JumpEngine(config, STEP_TIME, FRONTENDS[1])
    seen = [Seen(Arrival(i, at, prompt, output), sent=at) for i, (at, prompt, output) in enumerate(rows)]
    for each in seen:
        for part in range(10):
            engine.advance(each.sent - 0.3 + part * 0.03)
        engine.send(each)
    engine.advance(float("inf"))
    assert [each.last for each in seen] == pytest.approx([each.last for each in expected], abs=1e-9)


def test_cached_tokens_are_not_computed():
    config = EngineConfig(num_blocks=20_000, max_model_len=8192)
    engine = JumpEngine(config, STEP_TIME, FRONTENDS[0])
    engine.send(Seen(Arrival(0, 0.0, 1000, 1, cached_tokens=800), sent=0.0))
    engine.advance(10.0)
    assert engine.load.prefill_tokens == 200
    assert (engine.load.prompt_tokens, engine.load.cached_tokens) == (1000, 800)


def test_steps_that_grow_with_the_square_of_the_batch_are_the_same_in_both(monkeypatch):
    monkeypatch.setitem(globals(), "STEP_TIME", replace(STEP_TIME, decode_pair=2e-7))
    rows = [(i * 0.01, 200, 150) for i in range(100)]
    config = EngineConfig(num_blocks=20_000, max_model_len=8192)
    _jumping, exact = assert_equal(config, FRONTENDS[1], rows)
    monkeypatch.undo()
    plain, _seen = play(ExactEngine, config, FRONTENDS[1], rows)
    assert exact.load.busy_seconds > 1.01 * plain.load.busy_seconds
