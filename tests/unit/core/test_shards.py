"""Shards: every object is in exactly one."""

from __future__ import annotations

from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.domain.shards import bounds


@given(st.integers(1, 100), st.uuids())
def test_every_uid_is_in_one_shard(shards: int, uid: UUID) -> None:
    holds = [shard for shard in range(shards) if bounds(shard, shards)[0] <= uid <= bounds(shard, shards)[1]]
    assert len(holds) == 1


@given(st.integers(1, 1000))
def test_they_are_equally_wide_and_leave_nothing_out(shards: int) -> None:
    ends = [bounds(shard, shards) for shard in range(shards)]
    assert ends[0][0].int == 0
    assert ends[-1][1].int == 2**128 - 1
    assert all(after[0].int == before[1].int + 1 for before, after in pairwise(ends))
    widths = [last.int - first.int for first, last in ends]
    assert max(widths) - min(widths) <= 1


@pytest.mark.parametrize(("shard", "shards"), [(-1, 2), (2, 2), (0, 0)])
def test_there_is_no_other(shard: int, shards: int) -> None:
    with pytest.raises(ValueError, match="counted from 0"):
        bounds(shard, shards)
