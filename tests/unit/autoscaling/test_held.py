"""The most needed within the hold, of many groups at once, is what one group after the other would have."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.autoscaling.domain.arrays import lone
from apps.autoscaling.domain.hold import held
from apps.autoscaling.domain.memory import HOLD_PARTS, LONGEST_HOLD, POOL, VARIANT, Memory

PART = LONGEST_HOLD / HOLD_PARTS
# replicas by part, when the first of them began, needed now, standing, seconds of hold
groups = st.tuples(
    st.lists(st.integers(0, 9).map(float), min_size=HOLD_PARTS, max_size=HOLD_PARTS),
    st.just(-1.0) | st.floats(0.0, 10_000.0),
    st.integers(1, 12).map(float),
    st.integers(0, 12).map(float) | st.floats(0.0, 12.0),
    st.floats(0.0, LONGEST_HOLD),
)
Group = tuple[list[float], float, float, float, float]
NOW = 10_000.0


def one(group: Group) -> tuple[list[float], float, float]:
    """The rule in plain words: its parts, when the first began, and what is held."""
    parts, since, kept, standing, hold = group
    if since < 0 or NOW - since > LONGEST_HOLD:
        parts, since = [max(kept, math.ceil(standing))] * HOLD_PARTS, NOW
    while NOW - since >= PART:
        parts, since = [0.0, *parts[:-1]], since + PART
    parts = [max(parts[0], kept), *parts[1:]]
    reach = 1 + math.ceil(max(hold - (NOW - since), 0.0) / PART)
    return parts, since, max(*parts[:reach], math.floor(standing) - max(int(standing / 4), 1))


@pytest.mark.parametrize("every", [True, False])
@given(st.lists(groups, min_size=1, max_size=12))
def test_of_many_groups_as_of_each(every: bool, batch: list[Group]) -> None:
    step = 1 if every else 2
    rows = np.tile(VARIANT.initial, (step * len(batch), 1))
    memory = Memory(np.tile(POOL.initial, (len(batch), 1)), rows)
    row = np.arange(0, step * len(batch), step)
    memory.row("hold_parts")[row] = [parts for parts, *_ in batch]
    memory.row("hold_from")[row] = [since for _, since, *_ in batch]
    now, kept, standing, hold = (np.array(c) for c in zip(*[(NOW, *group[2:]) for group in batch], strict=True))
    found = held(memory, row, lone(now), lone(kept), lone(standing), lone(hold))
    wanted = [one(group) for group in batch]
    assert np.atleast_1d(found).tolist() == [most for *_, most in wanted]
    assert memory.row("hold_parts")[row].tolist() == [parts for parts, *_ in wanted]
    assert memory.row("hold_from")[row].tolist() == [since for _, since, _ in wanted]
