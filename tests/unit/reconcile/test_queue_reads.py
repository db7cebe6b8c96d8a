"""What a claim costs the database."""

from __future__ import annotations

import uuid

import pytest

from apps.reconcile import queue
from apps.reconcile.domain.breaker import THRESHOLD
from apps.reconcile.domain.priority import Priority
from apps.reconcile.queue import Lease
from tests.support.explained import rows_looked_at

KIND = "Thing"
HELD = 400


def take(most: int, size: int) -> list[Lease]:
    return queue.claim(kinds=[KIND], holder="test", most=most, limit=HELD, tripped=THRESHOLD, sizes={"s": size})


@pytest.mark.django_db
def test_what_others_hold_is_counted_once_and_not_for_each_key_that_is_taken() -> None:
    queue.enqueue(kind=KIND, uids=[uuid.uuid4() for _ in range(2 * HELD)], priority=Priority.PERSON, shard="s")
    assert len(take(HELD // 16, 16)) == HELD
    with rows_looked_at("WITH") as claims:
        mine = take(1, 16)
    assert len(mine) == 16
    assert claims[0] < 3 * HELD
