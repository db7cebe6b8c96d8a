"""The scheduler: what must hold for every workload, and the cases where vLLM's behaviour is particular."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.physics.engine import Engine
from apps.physics.steptime import StepTimeModel
from apps.physics.types import (
    BlocksCleared,
    BlocksRemoved,
    EngineBusy,
    EngineConfig,
    Finish,
    Request,
    Source,
    StepResult,
)

STEP_TIME = StepTimeModel(
    read=5e-3, read_token=1e-5, compute=3e-3, compute_token=2e-5, attention_pair=8e-10, kv_token=3e-8
)


def engine(**settings) -> Engine:
    defaults = {"num_blocks": 65, "block_size": 16, "max_model_len": 512, "max_num_batched_tokens": 256}
    return Engine(EngineConfig(**defaults | settings), STEP_TIME)


def step(it: Engine, now: float) -> tuple[float, StepResult]:
    plan = it.next_step(now)
    assert plan is not None
    return now + plan.duration, it.finish_step(now + plan.duration)


def drain(it: Engine, now: float = 0.0) -> tuple[float, list[StepResult]]:
    results = []
    while (plan := it.next_step(now)) is not None:
        now += plan.duration
        results.append(it.finish_step(now))
        assert len(results) < 100_000
    return now, results


requests = st.lists(
    st.builds(
        lambda prompt, output, prefix, priority: (prompt, output, prefix, priority),
        st.integers(1, 200),
        st.integers(1, 60),
        st.integers(0, 3),
        st.integers(-2, 2),
    ),
    min_size=1,
    max_size=25,
)


def as_requests(drawn) -> list[Request]:
    return [
        Request(str(index), 0.0, prompt, [hash((prefix, i)) for i in range((prompt + output) // 16)], output, priority)
        for index, (prompt, output, prefix, priority) in enumerate(drawn)
    ]


@settings(max_examples=80, deadline=None)
@given(
    drawn=requests,
    blocks=st.integers(33, 90),
    seqs=st.integers(1, 12),
    budget=st.integers(1, 300),
    caching=st.booleans(),
    ahead=st.booleans(),
    policy=st.sampled_from(["fcfs", "priority"]),
    gaps=st.lists(st.integers(0, 4), min_size=25, max_size=25),
)
def test_every_token_comes_once_and_every_block_comes_back(drawn, blocks, seqs, budget, caching, ahead, policy, gaps):
    it = engine(
        num_blocks=blocks,
        max_num_seqs=seqs,
        max_num_batched_tokens=budget,
        enable_prefix_caching=caching,
        async_scheduling=ahead,
        scheduling_policy=policy,
    )
    todo = as_requests(drawn)
    waiting = list(zip(todo, gaps, strict=False))
    got: dict[str, int] = {}
    firsts: list[str] = []
    finished = {}
    now = 0.0
    for _ in range(50_000):
        if waiting and waiting[0][1] <= 0:
            it.submit(waiting.pop(0)[0], now)
        elif waiting:
            waiting[0] = (waiting[0][0], waiting[0][1] - 1)
        plan = it.next_step(now)
        if plan is None:
            if waiting:
                continue
            break
        assert 0 < plan.tokens <= budget
        assert plan.duration > 0
        assert it.gauges().running <= seqs
        assert 0 <= it.gauges().kv_usage <= 1
        now += plan.duration
        result = it.finish_step(now)
        firsts += result.first_tokens
        assert len(result.tokens) == len(set(result.tokens))
        for request_id in result.tokens:
            assert request_id not in finished
            got[request_id] = got.get(request_id, 0) + 1
        finished |= {end.request_id: end for end in result.finished}
    assert it.idle
    assert it.gauges().kv_usage == pytest.approx(0)
    assert got == {request.request_id: request.max_tokens for request in todo}
    assert sorted(firsts) == sorted(got)
    for request in todo:
        end = finished[request.request_id]
        assert end.reason is Finish.LENGTH
        assert 0 <= end.cached_tokens < request.prompt_tokens
        assert end.arrival <= end.scheduled <= end.first_token <= end.finished
    counters = it.counters
    assert counters.generation_tokens == sum(request.max_tokens for request in todo)
    assert counters.prompt_tokens == sum(request.prompt_tokens for request in todo)
    assert sum(counters.prompt_tokens_by_source.values()) == counters.prompt_tokens
    assert counters.prefix_cache_hits == counters.prompt_tokens_by_source[Source.DEVICE]
    if not caching:
        assert counters.prefix_cache_hits == 0


@settings(max_examples=40, deadline=None)
@given(drawn=requests, seqs=st.integers(1, 8), budget=st.integers(16, 300))
def test_first_tokens_come_in_order_of_arrival_while_memory_lasts(drawn, seqs, budget):
    it = engine(num_blocks=1000, max_num_seqs=seqs, max_num_batched_tokens=budget)
    for request in as_requests(drawn):
        it.submit(request, 0.0)
    _, results = drain(it)
    order = [int(request_id) for result in results for request_id in result.first_tokens]
    assert order == sorted(order)
    assert it.counters.preemptions == 0


@settings(max_examples=30, deadline=None)
@given(drawn=requests, extra=st.integers(1, 200))
def test_more_work_never_ends_sooner(drawn, extra):
    todo = as_requests(drawn)
    ends = []
    for more in ([], [Request("more", 0.0, extra, (), 20)]):
        it = engine(num_blocks=2000, enable_prefix_caching=False)
        for request in todo + more:
            it.submit(request, 0.0)
        ends.append(drain(it)[0])
    assert ends[0] <= ends[1] + 1e-12


@settings(max_examples=40, deadline=None)
@given(drawn=requests, victims=st.sets(st.integers(0, 24)), after=st.integers(0, 10))
def test_an_abort_at_any_moment_leaves_nothing_behind(drawn, victims, after):
    it = engine(num_blocks=34)
    todo = as_requests(drawn)
    for request in todo:
        it.submit(request, 0.0)
    now = 0.0
    for _ in range(after):
        plan = it.next_step(now)
        if plan is None:
            break
        now += plan.duration
        it.finish_step(now)
    plan = it.next_step(now)
    aborted = {str(victim) for victim in victims if it.abort(str(victim), now) is not None}
    results = []
    if plan is not None:
        now += plan.duration
        results.append(it.finish_step(now))
    results += drain(it, now)[1]
    assert not aborted & {request_id for result in results for request_id in result.tokens}
    assert it.idle
    assert it.gauges().kv_usage == pytest.approx(0)


def test_a_prompt_seen_before_is_computed_from_its_last_block_on():
    it = engine()
    hashes = tuple(range(8))
    it.submit(Request("cold", 0.0, 128, hashes, 1), 0.0)
    drain(it)
    it.submit(Request("hot", 0.0, 128, hashes, 1), 0.0)
    plan = it.next_step(0.0)
    assert plan.prefills == (("hot", 16),)
    end = it.finish_step(plan.duration).finished[0]
    assert end.cached_tokens == 112


def test_output_blocks_with_known_hashes_serve_the_next_turn():
    it = engine()
    it.submit(Request("turn 1", 0.0, 32, tuple(range(5)), 33), 0.0)
    drain(it)
    it.submit(Request("turn 2", 0.0, 81, tuple(range(5)), 1), 0.0)
    assert drain(it)[1][0].finished[0].cached_tokens == 64


def test_the_tail_of_the_oldest_prompt_is_evicted_first():
    it = engine(num_blocks=33, max_model_len=256, kv_events=True)
    it.submit(Request("old", 0.0, 160, tuple(range(10)), 1), 0.0)
    it.submit(Request("young", 0.0, 160, tuple(range(100, 110)), 1), 0.0)
    drain(it)
    it.submit(Request("other", 0.0, 16 * 15, tuple(range(200, 215)), 1), 0.0)
    removed = [h for result in drain(it)[1] for event in result.block_events if len(event) == 2 for h in event.hashes]
    assert removed == [9, 8, 7]


def test_stored_blocks_are_reported_with_their_place():
    it = engine(kv_events=True, max_num_batched_tokens=48)
    it.submit(Request("a", 0.0, 70, (1, 2, 3, 4), 1), 0.0)
    events = [event for result in drain(it)[1] for event in result.block_events]
    assert [(event.first_block, event.hashes) for event in events] == [(0, (1, 2, 3)), (3, (4,))]
    assert it.reset_prefix_cache()


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 14), st.integers(1, 40)), min_size=1, max_size=25),
    st.booleans(),
)
def test_who_follows_the_events_knows_what_the_cache_holds(prompts, ahead):
    it = engine(kv_events=True, num_blocks=24, max_model_len=256, async_scheduling=ahead)
    held = Counter()
    for index, (family, blocks, tokens) in enumerate(prompts):
        hashes = tuple(100 * family + place for place in range(15))
        it.submit(Request(f"{index}", 0.0, 16 * blocks + 3, hashes[: blocks + 1], min(tokens, 16)), 0.0)
        if index % 3 == 2:
            follow(held, [event for result in drain(it)[1] for event in result.block_events])
            assert set(+held) == set(it._pool._block_of)
            assert -held == Counter()
    if it.idle and it.reset_prefix_cache():
        it.submit(Request("last", 0.0, 20, (1,), 1), 0.0)
        follow(held, [event for result in drain(it)[1] for event in result.block_events])
        assert set(+held) == {1}


def follow(held, events):
    for event in events:
        if isinstance(event, BlocksCleared):
            held.clear()
        elif isinstance(event, BlocksRemoved):
            held.subtract(event.hashes)
        else:
            held.update(event.hashes)


def test_long_prompts_are_cut_to_the_token_budget_and_decoding_goes_first():
    it = engine(max_num_batched_tokens=100, num_blocks=200)
    it.submit(Request("short", 0.0, 10, (), 50), 0.0)
    now, _ = step(it, 0.0)
    it.submit(Request("long", now, 250, (), 2), now)
    now, _ = step(it, now)
    chunks = []
    for _ in range(3):
        plan = it.next_step(now)
        assert plan.load.decode_requests == 1
        chunks += [tokens for _, tokens in plan.prefills]
        now += plan.duration
        it.finish_step(now)
    assert chunks == [99, 99, 52]


def test_with_scheduling_ahead_a_request_waits_for_one_step_more():
    for ahead, expected in ((False, 1), (True, 2)):
        it = engine(async_scheduling=ahead)
        it.submit(Request("first", 0.0, 10, (), 50), 0.0)
        plan = it.next_step(0.0)
        it.submit(Request("second", 0.0, 10, (), 1), 0.0)
        it.finish_step(plan.duration)
        seen = 1
        while (plan := it.next_step(1.0)) is not None and not plan.prefills:
            it.finish_step(1.0)
            seen += 1
        assert seen == expected


def test_without_a_free_block_the_latest_arrival_is_computed_again():
    it = engine(num_blocks=33, max_model_len=512, enable_prefix_caching=False)
    it.submit(Request("first", 0.0, 200, (), 200), 0.0)
    it.submit(Request("second", 0.0, 200, (), 100), 0.0)
    _, results = drain(it)
    ends = {end.request_id: end for result in results for end in result.finished}
    assert ends["first"].preemptions == 0
    assert ends["second"].preemptions >= 1
    assert [name for result in results for name in result.preempted] == ["second"] * ends["second"].preemptions


def test_priority_overtakes_and_is_pushed_out_last():
    it = engine(scheduling_policy="priority", max_num_seqs=1, async_scheduling=False)
    it.submit(Request("batch", 0.0, 10, (), 5, priority=5), 0.0)
    it.submit(Request("person", 0.0, 10, (), 5, priority=0), 0.0)
    _, results = drain(it)
    assert [end.request_id for result in results for end in result.finished] == ["person", "batch"]


def test_limits_are_said_in_a_sentence():
    it = engine(max_num_queued_reqs=1)
    with pytest.raises(ValueError, match="max_model_len 512 allows 511"):
        it.submit(Request("huge", 0.0, 512, (), 1), 0.0)
    it.submit(Request("one", 0.0, 511, (), 50), 0.0)
    with pytest.raises(ValueError, match="in the engine already"):
        it.submit(Request("one", 0.0, 5, (), 1), 0.0)
    with pytest.raises(EngineBusy, match="max_num_queued_reqs"):
        it.submit(Request("two", 0.0, 5, (), 1), 0.0)
    assert drain(it)[1][-1].finished[0].output_tokens == 1
    with pytest.raises(ValueError, match="KV cache holds 64"):
        EngineConfig(num_blocks=5, max_model_len=65)
    with pytest.raises(RuntimeError, match="no step is under way"):
        it.finish_step(0.0)


@settings(max_examples=60, deadline=None)
@given(drawn=requests, after=st.integers(0, 40), ahead=st.booleans())
def test_a_pause_at_any_step_loses_no_token(drawn, after, ahead):
    """Paused, emptied and resumed as a sleeping engine is: every request still gets exactly its tokens."""
    it = engine(async_scheduling=ahead)
    wanted = as_requests(drawn)
    for request in wanted:
        it.submit(request, 0.0)
    now, results = 0.0, []
    for _ in range(after):
        plan = it.next_step(now)
        if plan is None:
            break
        now += plan.duration
        results.append(it.finish_step(now))
    it.admitting = False
    it.preempt_all()
    assert it.gauges().running == 0
    assert it.gauges().kv_usage == 0
    assert it.reset_prefix_cache()
    assert it.next_step(now) is None
    it.admitting = True
    results += drain(it, now)[1]
    tokens = [identity for result in results for identity in result.tokens]
    assert {request.request_id: tokens.count(request.request_id) for request in wanted} == {
        request.request_id: request.max_tokens for request in wanted
    }
    assert it.idle


def test_what_runs_goes_on_while_nothing_is_admitted():
    it = engine()
    it.submit(Request("running", 0.0, 20, max_tokens=5), 0.0)
    now, _ = step(it, 0.0)
    it.admitting = False
    it.submit(Request("late", now, 20, max_tokens=5), now)
    now, results = drain(it, now)
    assert [end.request_id for result in results for end in result.finished] == ["running"]
    it.admitting = True
    assert [end.request_id for result in drain(it, now)[1] for end in result.finished] == ["late"]
