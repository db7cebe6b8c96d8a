"""Clients in virtual time: what they see of an engine behind its frontend."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.physics import Engine, EngineConfig, Request, StepTimeModel
from apps.physics.frontend import Frontend, FrontendModel
from apps.physics.virtual import Session, play

STEP_TIME = StepTimeModel(5e-3, 1e-5, 0.0, 2e-5, 8e-10, 3e-8)
CONFIG = EngineConfig(num_blocks=2000, max_model_len=4096)


def engine() -> Engine:
    return Engine(CONFIG, STEP_TIME)


def test_one_request_alone_takes_the_way_in_the_step_and_the_way_out():
    model = FrontendModel(latency=0.008, request=0.001, prompt_token=1e-6, token=1e-4)
    seen = play(engine(), model, [Request("a", 10.0, 1000, (), 3)])[0]
    prefill = 1000 * 2e-5 + 1000**2 / 2 * 8e-10
    assert seen.ttft == pytest.approx(0.008 + 0.002 + prefill + 1e-4)
    assert seen.tokens == 3
    assert seen.tpot == pytest.approx(5e-3 + 1e-5 + 1001.5 * 3e-8)
    assert seen.e2e == pytest.approx(seen.ttft + 2 * seen.tpot)


def test_a_single_token_has_no_tpot():
    assert play(engine(), FrontendModel(), [Request("a", 0.0, 10, (), 1)])[0].tpot is None


@settings(max_examples=40, deadline=None)
@given(
    arrivals=st.lists(st.tuples(st.floats(0, 5), st.integers(1, 2000), st.integers(1, 30)), min_size=1, max_size=30),
    token=st.sampled_from([0.0, 1e-4, 1e-2]),
)
def test_everybody_gets_every_token_and_nobody_before_it_can_be(arrivals, token):
    model = FrontendModel(latency=0.004, request=0.001, token=token)
    requests = [Request(str(i), at, prompt, (), output) for i, (at, prompt, output) in enumerate(arrivals)]
    for seen in play(engine(), model, requests):
        assert seen.tokens == seen.request.max_tokens
        assert seen.ttft >= 0.004 + 0.001 + STEP_TIME.read
        assert seen.last - seen.first >= (seen.tokens - 1) * STEP_TIME.read - len(arrivals) * token


def test_tokens_fall_behind_a_faster_engine_by_one_round_at_most():
    frontend: Frontend[str] = Frontend(FrontendModel(token=0.5))
    assert frontend.stream(10.0, 2) == 11.0
    assert frontend.stream(10.6, 2) == 12.0
    assert [frontend.stream(10.7 + i / 10, 2) for i in range(3)] == pytest.approx([12.7, 12.8, 12.9])
    assert frontend.stream(11.1, 0) == pytest.approx(12.9)
    assert frontend.stream(20.0, 0) == 20.0


def test_a_burst_of_requests_comes_through_late_and_together():
    frontend: Frontend[str] = Frontend(FrontendModel(latency=0.2, request=0.5))
    frontend.arrive("alone", 1.0, 10)
    assert frontend.next_through == pytest.approx(1.6)
    assert frontend.through(2.0) == [(pytest.approx(1.6), "alone")]
    frontend.arrive("first", 2.9, 10)
    frontend.arrive("second", 3.1, 10)
    assert frontend.through(3.6) == []
    assert frontend.through(9.0) == [(pytest.approx(3.8), "first"), (pytest.approx(4.0), "second")]
    assert frontend.next_through == float("inf")


def test_streaming_takes_half_of_the_process():
    frontend: Frontend[str] = Frontend(FrontendModel(request=0.5, token=0.1))
    frontend.arrive("a", 1.0, 10)
    frontend.stream(1.0, 4)
    assert frontend.next_through == pytest.approx(1.0 + 0.2 + 0.5)


def test_a_closed_loop_sends_when_the_last_token_came():
    gaps: list[float] = []
    session = Session(engine(), Frontend(FrontendModel(latency=0.01)), gaps=gaps)
    session.send(Request("0", 0.0, 100, (), 4))
    starts = [0.0]
    while len(starts) < 3:
        (ended,) = session.run_until(1e9)
        starts.append(ended.last)
        session.send(Request(str(len(starts)), ended.last, 100, (), 4))
    while session.run_until(1e9):
        pass
    assert len(session.seen) == 3
    assert len(gaps) == 9
    assert starts[2] - starts[1] == pytest.approx(starts[1] - starts[0])


def test_a_request_on_its_way_does_not_let_others_through_before_their_time():
    frontend: Frontend[str] = Frontend(FrontendModel(latency=2.0, request=0.5))
    frontend.arrive("first", 0.0, 10)
    frontend.arrive("second", 4.0, 10)
    assert frontend.through(1.4) == []
    assert frontend.next_through == pytest.approx(1.5)
    assert frontend.through(1.5) == [(pytest.approx(1.5), "first")]
    assert frontend.next_through == pytest.approx(5.5)
