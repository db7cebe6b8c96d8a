"""KV that another engine computed is pulled: it takes its time, is not computed, and counts as a hit from a peer."""

from __future__ import annotations

import math

import pytest

from apps.physics import Engine, EngineConfig, Request
from apps.physics.catalogue import ModelSize, step_time_for
from apps.physics.tiers import remote_seconds

STEP = step_time_for(ModelSize(8.03e9, 32, 16.06e9, 131072), "nvidia-h200").step_time
PROMPT = 4096


def engine(blocks: int = 1000) -> Engine:
    config = EngineConfig(
        num_blocks=blocks, block_size=16, max_num_seqs=16, max_num_batched_tokens=8192, max_model_len=4200
    )
    return Engine(config, STEP)


def first_token(one: Engine, request: Request) -> float:
    """When the first token is out, by the caller's loop."""
    now = 0.0
    one.submit(request, now)
    while True:
        plan = one.next_step(now)
        if plan is None:
            assert one.wake_at < math.inf
            now = one.wake_at
            continue
        now += plan.duration
        if one.finish_step(now).first_tokens:
            return now


def asked(**more: float) -> Request:
    return Request("r", 0.0, PROMPT, tuple(range(PROMPT // 16)), max_tokens=4, **more)  # type: ignore[arg-type]


def test_what_is_pulled_is_waited_for_and_not_computed() -> None:
    plain = first_token(engine(), asked())
    pulling = engine()
    at = first_token(pulling, asked(pulled=PROMPT, pull_seconds=0.05))
    # the transfer, and a step that computes the last token alone
    assert 0.05 < at < 0.05 + plain / 2
    assert pulling.counters.external_hits == PROMPT
    assert pulling.counters.prefix_cache_hits == 0
    assert pulling.take_pulls() == [(PROMPT, 0.05)]
    assert pulling.take_pulls() == []


def test_what_is_here_already_is_not_pulled() -> None:
    one = engine()
    first_token(one, asked())
    one.abort("r", 1.0)
    while one.next_step(1.0) is not None:
        one.finish_step(1.0)
    again = Request("s", 1.0, PROMPT, tuple(range(PROMPT // 16)), max_tokens=1, pulled=PROMPT, pull_seconds=100.0)
    one.submit(again, 1.0)
    assert one.next_step(1.0) is None
    # one block is left out of what is found, since the last token is always computed
    assert one.wake_at == pytest.approx(1.0 + 100.0 * 16 / PROMPT)


def test_a_sequence_that_waits_for_its_blocks_can_be_aborted_and_thrown_back() -> None:
    one = engine()
    one.submit(asked(pulled=PROMPT, pull_seconds=5.0), 0.0)
    assert one.next_step(0.0) is None
    assert one.abort("r", 1.0) is not None
    assert one.idle
    assert one.reset_prefix_cache()


def test_a_prompt_that_finds_no_room_waits_until_there_is_some() -> None:
    one = engine(blocks=300)
    one.submit(Request("a", 0.0, PROMPT, (), max_tokens=2), 0.0)
    one.submit(Request("b", 0.0, PROMPT, (), max_tokens=2, pulled=PROMPT, pull_seconds=0.01), 0.0)
    now, done = 0.0, set()
    for _ in range(100):
        plan = one.next_step(now)
        if plan is None:
            if one.idle:
                break
            now = one.wake_at
            continue
        now += plan.duration
        done |= {end.request_id for end in one.finish_step(now).finished}
    assert done == {"a", "b"}


def test_the_time_of_a_transfer_is_the_published_one() -> None:
    assert remote_seconds(4e9) == pytest.approx(0.362, rel=0.01)
