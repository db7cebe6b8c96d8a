"""Threads are shared among clusters: one that hangs leaves room for the others."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from apps.reconcile.domain.fairness import share


def take_all(shards: list[str], threads: int, together: int = 1) -> Counter[str]:
    """Threads by shard when these hang one after another, each taking all that it may."""
    running: Counter[str] = Counter()
    for shard in shards:
        while sum(running.values()) < threads:
            found = share(running, threads, min(together, threads - sum(running.values())))
            taken = min(found.most, found.spare.get(shard, found.each))
            if not taken:
                break
            running[shard] += taken
    return running


def test_one_that_hangs_takes_half_and_the_next_half_of_the_rest() -> None:
    assert take_all(["a", "b", "c"], 8) == {"a": 4, "b": 2, "c": 1}
    assert take_all(["a", "b", "c"], 8, together=8) == {"a": 4, "b": 2, "c": 1}


@given(st.integers(2, 64), st.integers(1, 64))
def test_there_is_a_thread_for_the_next_cluster_beside_one_that_hangs(threads: int, together: int) -> None:
    running = take_all(["dead"], threads, together)
    assert running["dead"] <= (threads + 1) // 2
    assert sum(running.values()) < threads
    found = share(running, threads, 1)
    assert found.most == 1 and found.each >= 1


@given(st.integers(1, 64), st.integers(1, 64), st.lists(st.sampled_from("abcdef"), max_size=30))
def test_no_more_threads_than_there_are_and_an_idle_shard_is_never_full(
    threads: int, together: int, shards: list[str]
) -> None:
    running = take_all(shards, threads, together)
    assert sum(running.values()) <= threads
    found = share(running, threads, 1)
    assert set(found.spare) <= set(running)
    assert found.each >= 1


@given(st.integers(2, 64), st.integers(1, 64), st.dictionaries(st.sampled_from("abc"), st.integers(1, 8)))
def test_keys_taken_together_are_those_that_could_be_taken_one_by_one(
    threads: int, asking: int, running: dict[str, int]
) -> None:
    free = threads - sum(running.values())
    if free < 1:
        return
    found = share(running, threads, min(asking, free))
    for shard, held in [*running.items(), ("other", 0)]:
        taken = min(found.most, found.spare.get(shard, found.each))
        if taken:
            # the others of the batch may all have gone before its last one
            assert held + taken - 1 < max(1, free - (found.most - 1))
