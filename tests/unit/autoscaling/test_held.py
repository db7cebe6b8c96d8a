"""What was needed within the hold, of many groups at once: the most of a sliding window, exactly."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from apps.autoscaling.domain.arrays import lone
from apps.autoscaling.domain.hold import held
from apps.autoscaling.domain.memory import HOLD_LEVELS, LONGEST_HOLD, POOL, VARIANT, Memory

# seconds since the tick before, replicas needed, standing, seconds of hold
ticks = st.tuples(
    st.sampled_from([5.0, 10.0, 60.0, 400.0, 2000.0]),
    st.integers(0, 9).map(float),
    st.integers(1, 12).map(float),
    st.sampled_from([0.0, 100.0, 250.0, LONGEST_HOLD]),
)
Tick = tuple[float, float, float, float]


def memory_of(groups: int, step: int = 1) -> Memory:
    return Memory(np.tile(POOL.initial, (groups, 1)), np.tile(VARIANT.initial, (step * groups, 1)))


def one(history: list[Tick]) -> list[float]:
    """The rule in plain words: after each tick, the most needed of all ticks no longer ago than the hold."""
    found, needed, now = [], [], 10_000.0
    for index, (seconds, kept, standing, hold) in enumerate(history):
        now += seconds
        if not index or seconds > LONGEST_HOLD:
            # of a pool that nobody looked at what stands is needed
            needed, kept = [], max(kept, math.ceil(standing))
        needed.append((now, kept))
        recent = max(need for at, need in needed if at >= now - hold)
        found.append(max(recent, math.floor(standing) - max(int(standing / 4), 1)))
    return found


@given(st.lists(ticks, min_size=1, max_size=40))
def test_the_most_needed_within_the_hold_of_each_tick(history: list[Tick]) -> None:
    memory, now, found = memory_of(1), 10_000.0, []
    for seconds, *figures in history:
        now += seconds
        found.append(float(held(memory, np.zeros(1, dtype=np.int64), now, *figures)))
    assert found == one(history)


@given(st.integers(1, 2), st.lists(st.lists(ticks, min_size=6, max_size=6), min_size=1, max_size=8))
def test_of_many_groups_as_of_each(step: int, histories: list[list[Tick]]) -> None:
    memory, row = memory_of(len(histories), step), np.arange(0, step * len(histories), step)
    now = np.full(len(histories), 10_000.0)
    found = []
    for batch in zip(*histories, strict=True):
        seconds, kept, standing, hold = (np.array(column) for column in zip(*batch, strict=True))
        now = now + seconds
        most = held(memory, row, lone(now), lone(kept), lone(standing), lone(hold))
        found.append(np.atleast_1d(most).tolist())
    assert [list(each) for each in zip(*found, strict=True)] == [one(history) for history in histories]


def test_of_more_levels_than_are_told_apart_none_is_forgotten_early() -> None:
    memory, row = memory_of(1), np.zeros(1, dtype=np.int64)
    levels = [float(2 * HOLD_LEVELS - index) for index in range(2 * HOLD_LEVELS)]
    for index, level in enumerate(levels):
        now = 10_000.0 + 10.0 * index
        most = held(memory, row, now, level, 1.0, 100.0)
        assert most >= max(levels[max(index - 10, 0) : index + 1])
    assert held(memory, row, now + 2000.0, 1.0, 1.0, 100.0) == 1.0
