"""Threads are shared among clusters: one that hangs leaves room for the others."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from apps.reconcile.domain.fairness import full_shards


def take_all(shards: list[str], threads: int) -> Counter[str]:
    """Threads by shard when these hang one after another, each taking all that it may."""
    running: Counter[str] = Counter()
    for shard in shards:
        while sum(running.values()) < threads and shard not in full_shards(running, threads):
            running[shard] += 1
    return running


def test_one_that_hangs_takes_half_and_the_next_half_of_the_rest() -> None:
    assert take_all(["a", "b", "c"], 8) == {"a": 4, "b": 2, "c": 1}


@given(st.integers(2, 64))
def test_there_is_a_thread_for_the_next_cluster_beside_one_that_hangs(threads: int) -> None:
    running = take_all(["dead"], threads)
    assert running["dead"] <= (threads + 1) // 2
    assert sum(running.values()) < threads
    assert "alive" not in full_shards(running, threads)


@given(st.integers(1, 64), st.lists(st.sampled_from("abcdef"), max_size=30))
def test_no_more_threads_than_there_are_and_an_idle_shard_is_never_full(threads: int, shards: list[str]) -> None:
    running = take_all(shards, threads)
    assert sum(running.values()) <= threads
    assert full_shards(running, threads) <= set(running)
    assert full_shards({}, threads) == frozenset()
