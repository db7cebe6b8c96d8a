"""KV tiers below the accelerator: what they hold, what they cost, and what was measured of real ones."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.physics import Engine, EngineConfig, Request, Source, catalogue
from apps.physics.stores import MemoryStore
from apps.physics.tiers import OffloadConfig, StorageLink, Tiers, filesystem_link, host_link, host_toll
from apps.physics.types import BlocksCleared, BlocksRemoved, BlocksStored, ChunkStored, StepResult
from apps.physics.virtual import play
from bench.engine_fidelity.measured import ACCELERATOR, MODEL

BLOCK = 16
STEP_TIME = catalogue.step_time_for(MODEL, ACCELERATOR).step_time
KIB = 2**10


class BrokenStore(MemoryStore):
    """Finds everything and reads nothing; with `full`, it takes nothing either."""

    full = False

    def read(self, key: int, size: int) -> bool:
        return False

    def write(self, key: int, size: int) -> bool:
        return not self.full and super().write(key, size)


def tiers(store: MemoryStore | None = None, *, events: bool = False, **more: Any) -> Tiers:
    values: dict[str, Any] = {
        "chunk_blocks": 4, "host_chunks": 64, "block_bytes": 2 * KIB * KIB, "load_bandwidth": 40e9,
        "store_bandwidth": 50e9, "storage": StorageLink(2e9, 2e9, 0.01) if store is not None else None,
    }  # fmt: skip
    return Tiers(OffloadConfig(**values | more), store, events=events)


def engine(below: Tiers | None, *, blocks: int = 65, **more: Any) -> Engine:
    config = EngineConfig(num_blocks=blocks, block_size=BLOCK, max_model_len=BLOCK * 60, kv_events=True, **more)
    return Engine(config, STEP_TIME, below)


def prompt(name: str, family: int, blocks: int = 16, *, at: float = 0.0, out: int = 1, rest: int = 3) -> Request:
    return Request(name, at, BLOCK * blocks + rest, [1000 * family + index for index in range(blocks + 4)], out)


def run(it: Engine, *requests: Request, now: float = 0.0) -> tuple[float, list[StepResult]]:
    """Submit all and run until nothing is left, transfers included."""
    for request in requests:
        it.submit(request, now)
    results: list[StepResult] = []
    while True:
        plan = it.next_step(now)
        if plan is not None:
            now += plan.duration
            results.append(it.finish_step(now))
        elif it.wake_at < float("inf"):
            assert it.wake_at > now
            now = it.wake_at
            results.append(StepResult(block_events=it.settle(now)))
        else:
            return now, results


def ends(results: list[StepResult]) -> dict[str, int]:
    return {end.request_id: end.cached_tokens for result in results for end in result.finished}


def events(results: list[StepResult]) -> list[Any]:
    return [event for result in results for event in result.block_events]


def test_what_the_device_has_evicted_comes_back_from_host_memory() -> None:
    it = engine(tiers())
    now, _ = run(it, *(prompt(f"{family}", family) for family in range(8)))
    _, results = run(it, prompt("again", 0), now=now)
    assert ends(results) == {"again": 256}
    counters = it.counters
    assert counters.prompt_tokens_by_source[Source.HOST] == 256
    assert counters.prompt_tokens_by_source[Source.DEVICE] == 0
    assert (counters.external_hits, counters.external_queries) == (256, 9 * 259)
    moved = it.tiers.take_activity().transfers if it.tiers else []
    assert sum(one.bytes for one in moved if one.direction == "load") == 16 * 2 * KIB * KIB


def test_a_part_of_a_chunk_that_the_device_has_is_not_loaded_again() -> None:
    it = engine(tiers())
    now, _ = run(it, prompt("first", 0, 8))
    # pushes out all but the first blocks of it, which are the last to go
    now, _ = run(it, prompt("other", 1, 57), now=now)
    kept = it.counters.prefix_cache_hits
    now, results = run(it, prompt("again", 0, 8), now=now)
    device = it.counters.prefix_cache_hits - kept
    assert device % (4 * BLOCK) != 0
    assert ends(results)["again"] == 128
    assert it.counters.prompt_tokens_by_source[Source.HOST] == 128 - device


def test_only_whole_chunks_of_the_prompt_are_stored() -> None:
    below = tiers(chunk_blocks=5)
    it = engine(below)
    run(it, prompt("a", 0, 13, out=3 * BLOCK))
    assert below.host_chunks == 2
    talking = tiers(chunk_blocks=5, prompt_only=False)
    run(engine(talking), prompt("a", 0, 13, out=3 * BLOCK))
    assert talking.host_chunks == 3


def test_a_prompt_that_is_found_whole_has_its_last_token_computed() -> None:
    it = engine(tiers())
    now, _ = run(it, *(prompt(f"{family}", family, rest=0) for family in range(8)))
    computed = it.counters.prompt_tokens_by_source[Source.COMPUTED]
    _, results = run(it, prompt("again", 0, rest=0), now=now)
    assert ends(results) == {"again": 256}
    assert it.counters.prompt_tokens_by_source[Source.COMPUTED] - computed == 1


def test_another_replica_finds_what_one_has_left_in_the_store() -> None:
    store = MemoryStore()
    run(engine(tiers(store)), prompt("a", 0))
    other = engine(tiers(store))
    _, results = run(other, prompt("b", 0))
    assert ends(results) == {"b": 256}
    assert other.counters.prompt_tokens_by_source[Source.DISK] == 256
    # and later it has it in its own host memory
    now, _ = run(other, *(prompt(f"{family}", family) for family in range(1, 8)), now=10.0)
    run(other, prompt("c", 0), now=now)
    assert other.counters.prompt_tokens_by_source[Source.HOST] == 256


def test_while_one_waits_for_its_chunks_others_are_served() -> None:
    store = MemoryStore()
    run(engine(tiers(store)), prompt("a", 0))
    it = engine(tiers(store))
    it.submit(prompt("slow", 0), 0.0)
    it.submit(prompt("quick", 1), 0.0)
    first = it.next_step(0.0)
    assert first is not None
    assert [name for name, _ in first.prefills] == ["quick"]
    gauges = it.gauges()
    assert (gauges.running, gauges.waiting_deferred, gauges.waiting_capacity) == (1, 1, 0)
    it.finish_step(first.duration)
    _, results = run(it, now=first.duration)
    assert ends(results)["slow"] == 256


def test_chunks_that_cannot_be_read_are_computed() -> None:
    store = BrokenStore()
    run(engine(tiers(store)), prompt("a", 0))
    below = tiers(store)
    _, results = run(engine(below), prompt("b", 0))
    assert ends(results) == {"b": 0}
    activity = below.take_activity()
    assert activity.failed_reads == 1
    assert not [one for one in activity.transfers if one.direction == "read"]


def test_a_full_store_loses_chunks_and_nothing_else() -> None:
    store = BrokenStore()
    store.full = True
    below = tiers(store)
    _, results = run(engine(below), prompt("a", 0))
    assert ends(results) == {"a": 0}
    activity = below.take_activity()
    assert (activity.failed_writes, len(store), below.host_chunks) == (1, 0, 4)


def test_host_memory_that_a_slow_store_holds_takes_no_more() -> None:
    below = tiers(MemoryStore(), host_chunks=6, storage=StorageLink(2e9, 1e6, 0.0))
    it = engine(below)
    it.submit(prompt("a", 0), 0.0)
    it.submit(prompt("b", 1), 0.0)
    now = 0.0
    while (plan := it.next_step(now)) is not None:
        now += plan.duration
        it.finish_step(now)
    assert below.take_activity().refused_stores == 1
    assert below.held(now)[1] + below.held(now)[0] == 4


def test_sleep_empties_host_memory_and_leaves_the_store() -> None:
    store = MemoryStore()
    below = tiers(store)
    it = engine(below)
    run(it, prompt("a", 0))
    assert it.reset_prefix_cache()
    below.forget()
    run(it, prompt("b", 0), now=100.0)
    assert it.counters.prompt_tokens_by_source[Source.DISK] == 256


def test_an_abort_while_a_request_waits_for_a_load_frees_its_blocks() -> None:
    it = engine(tiers())
    now, _ = run(it, *(prompt(f"{family}", family) for family in range(8)))
    it.submit(prompt("again", 0), now)
    assert it.next_step(now) is None
    assert it.gauges().kv_usage > 0
    it.abort("again", now)
    assert it.gauges().kv_usage == pytest.approx(0.0)
    run(it, now=now)
    assert it.idle


FAMILIES = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 20), st.integers(1, 40)), min_size=1, max_size=30)


@given(FAMILIES, st.integers(6, 40), st.sampled_from([1, 2, 4]), st.booleans(), st.booleans())
def test_nothing_is_lost_and_events_tell_what_host_memory_holds(
    asked: list[tuple[int, int, int]], host: int, chunk: int, stored: bool, ahead: bool
) -> None:
    store = MemoryStore(capacity=50) if stored else None
    below = tiers(store, events=True, host_chunks=host, chunk_blocks=chunk)
    it = engine(below, async_scheduling=ahead)
    now, seen, told = 0.0, {}, Counter[int]()
    for index, (family, blocks, out) in enumerate(asked):
        it.submit(prompt(str(index), family, blocks, out=out), now)
        if index % 4 == 3 or index == len(asked) - 1:
            now, results = run(it, now=now)
            seen |= {end.request_id: end for result in results for end in result.finished}
            for event in events(results):
                if isinstance(event, ChunkStored) and event.medium == "CPU":
                    told[event.key] += 1
                elif isinstance(event, BlocksRemoved) and event.medium == "CPU":
                    told.subtract(event.hashes)
                else:
                    assert isinstance(event, BlocksStored | BlocksRemoved | BlocksCleared | ChunkStored)
            assert set(told.values()) <= {0, 1}
            assert sum(told.values()) == below.host_chunks <= host
    assert [seen[str(index)].output_tokens for index in range(len(asked))] == [out for _, _, out in asked]
    assert all(0 <= end.cached_tokens <= end.prompt_tokens for end in seen.values())
    assert it.gauges().kv_usage == pytest.approx(0.0)
    by_source = it.counters.prompt_tokens_by_source
    assert sum(by_source.values()) == it.counters.prompt_tokens
    assert it.counters.external_hits == by_source[Source.HOST] + by_source[Source.DISK]
    assert not below._requests, "what is remembered of requests goes with them"


@pytest.mark.parametrize(("tokens", "measured"), [(2048, 0.02665), (8192, 0.05354), (32768, 0.16917)])
def test_reloading_from_host_memory_takes_what_it_took(tokens: int, measured: float) -> None:
    assert replayed(tokens, filesystem=False) == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize(("tokens", "measured"), [(2048, 0.1592), (8192, 0.540), (32768, 2.0752)])
def test_loading_from_the_measured_filesystem_takes_what_it_took(tokens: int, measured: float) -> None:
    assert replayed(tokens, filesystem=True) == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize(("tokens", "longer"), [(512, 0.0049), (2048, 0.0054), (8192, 0.0146), (32768, 0.0126)])
def test_a_tier_that_never_hits_makes_a_prompt_longer_by_what_was_measured(tokens: int, longer: float) -> None:
    """Lone prompts on one H200, 512 to 8,192 tokens; of a longer one no more is charged than of 8,192."""
    load, store, latency = host_link("nvidia-h200")
    handling, storing, most = host_toll()
    size = 16 * 128 * KIB
    config = OffloadConfig(1, 100_000, size, load, store, latency, handling=handling, storing=storing, stored_most=most)
    settings = EngineConfig(num_blocks=5001, max_model_len=70_000)
    took = [
        play(
            Engine(settings, STEP_TIME, below),
            catalogue.frontend(),
            [Request("a", 0.0, tokens, range(tokens // 16), 1)],
        )
        for below in (None, Tiers(config))
    ]
    without, with_ = (one[0].ttft for one in took)
    assert with_ - without == pytest.approx(longer, rel=0.2)


def replayed(tokens: int, *, filesystem: bool) -> float:
    """TTFT, seconds, of a prompt whose KV is in a slower tier only; figures of `calibration/` (one H200)."""
    load, store, latency = host_link("nvidia-h200")
    config = OffloadConfig(
        chunk_blocks=16 if filesystem else 1,
        host_chunks=100_000,
        block_bytes=16 * 128 * KIB,
        load_bandwidth=load,
        store_bandwidth=store,
        latency=latency,
        storage=filesystem_link() if filesystem else None,
    )
    shared = MemoryStore() if filesystem else None
    settings = EngineConfig(num_blocks=5001, max_model_len=70_000)
    first = Engine(settings, STEP_TIME, Tiers(config, shared))
    hashes = range(tokens // 16)
    fillers = [Request(f"filler {each}", 50.0 + each, 60_000, range(9 * 10**6, 9 * 10**6 + 3750), 1) for each in (0, 1)]
    begun = [Request("a", 0.0, tokens, hashes, 1), *([] if filesystem else fillers)]
    again = Request("again", 500.0, tokens, hashes, 1)
    if filesystem:
        play(first, catalogue.frontend(), begun)
        return play(Engine(settings, STEP_TIME, Tiers(config, shared)), catalogue.frontend(), [again])[0].ttft
    fillers[1].block_hashes = range(8 * 10**6, 8 * 10**6 + 3750)
    return play(first, catalogue.frontend(), [*begun, again])[-1].ttft
