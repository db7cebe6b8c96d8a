"""Reuse from KV events against exact LRU caches."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.offload.domain.events import BlockRemoved, BlockStored, Cleared
from apps.offload.domain.reuse import ALL, Reuse
from apps.offload.domain.sketch import DISTANCE_EDGES, Sketch
from apps.offload.domain.stack import Stack, value_of
from tests.support.shared import shared_file
from tests.unit.offload.devices import Device, exact_hits

SIZE = 512


@st.composite
def prompts(draw: st.DrawFn) -> list[list[int]]:
    """Prompts that share beginnings: paths in a tree, a block named by the whole path that leads to it."""
    requests = []
    for path in draw(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=5), min_size=1, max_size=60)):
        blocks, name = [], 1
        for turn in path:
            name = name * 4 + turn + 1
            blocks.append(name)
        requests.append(blocks)
    return requests


def watch(requests: Sequence[Sequence[int]], capacity: int, reuse: Reuse, engine: str = "a") -> Device:
    device = Device(capacity, SIZE)
    for at, blocks in enumerate(requests):
        reuse.apply(engine, device.request(blocks), float(at))
    return device


@given(prompts(), st.integers(5, 12))
def test_unsampled_the_stack_is_exactly_that_of_larger_lru_caches(requests: list[list[int]], capacity: int) -> None:
    """A ghost with n ghosts above it would have been found by a cache of n + 1 blocks more, and by none smaller."""
    device, stack = Device(capacity), Stack()
    depths: list[int] = []
    for at, blocks in enumerate(requests):
        events = device.request(blocks)
        # stored before removed: what is evicted for a request is less recently used than all of it
        for event in sorted(events, key=lambda e: isinstance(e, BlockRemoved)):
            if isinstance(event, BlockStored):
                depths += [above for block in event.hashes if (above := stack.above(block)) is not None]
                for block in event.hashes:
                    stack.store(block, float(at))
            elif isinstance(event, BlockRemoved):
                for block in event.hashes:
                    stack.release(block)
    for more in range(1, 30):
        assert device.hits + sum(1 for d in depths if d < more) == exact_hits(requests, capacity + more)


@given(prompts())
def test_ancestors_are_never_behind_their_children(requests: list[list[int]]) -> None:
    device, stack = Device(5), Stack()
    for at, blocks in enumerate(requests):
        for event in device.request(blocks):
            for block in event.hashes:  # type: ignore[union-attr]
                stack.store(block, float(at)) if isinstance(event, BlockStored) else stack.release(block)
    place = {block: at for at, block in enumerate(stack.ghosts)}
    for block in place:
        parent = block // 4
        assert parent < 4 or parent in stack.held or place[parent] > place[block]


def test_two_replicas_share_what_one_of_them_holds() -> None:
    reuse = Reuse()
    reuse.apply("a", [BlockStored([1, 2, 3], None, SIZE)], 0.0)
    reuse.apply("b", [BlockStored([1, 2, 3], None, SIZE)], 5.0)
    assert reuse.pool[ALL].within(1.0) > 0
    assert reuse.pool[ALL].total_again == pytest.approx(3 * SIZE)
    assert reuse.replica[ALL].total_again == 0
    reuse.apply("a", [BlockRemoved([3, 2])], 6.0)
    assert len(reuse.shared.ghosts) == 0, "b still holds them"
    reuse.left("b")
    assert list(reuse.shared.ghosts) == [3, 2]


def test_a_restart_empties_a_replica_and_keeps_what_the_pool_shares() -> None:
    reuse = Reuse()
    reuse.apply("a", [BlockStored([1, 2], None, SIZE)], 0.0)
    reuse.restarted("a")
    reuse.apply("a", [BlockStored([1, 2], None, SIZE)], 9.0)
    assert reuse.replica[ALL].total_again == 0
    assert reuse.pool[ALL].total_again == pytest.approx(2 * SIZE)
    assert reuse.pool[ALL].time_quantile(0.5) == pytest.approx(9.0, rel=0.2)
    assert reuse.counters.restarts == 1


def test_a_lost_removal_is_no_hit_and_clearing_lets_go_of_everything() -> None:
    reuse = Reuse()
    reuse.apply("a", [BlockStored([1, 2], None, SIZE)], 0.0)
    reuse.apply("a", [BlockStored([1, 2], None, SIZE)], 1.0)
    assert reuse.replica[ALL].total_again == 0
    reuse.apply("a", [Cleared()], 2.0)
    reuse.apply("a", [BlockStored([1, 2], None, SIZE)], 3.0)
    assert reuse.replica[ALL].total_again > 0


def test_the_length_of_a_prefix_goes_on_over_the_steps_of_a_prefill() -> None:
    reuse = Reuse()
    blocks = list(range(1, 65))
    reuse.apply("a", [BlockStored(blocks, None, SIZE)], 0.0)
    reuse.apply("a", [BlockRemoved(blocks[::-1])], 1.0)
    reuse.apply("a", [BlockStored(blocks[:32], None, SIZE)], 2.0)
    reuse.apply("a", [BlockStored(blocks[32:], blocks[31], SIZE)], 3.0)
    lengths = reuse.replica[ALL].lengths_within(float(DISTANCE_EDGES[-1]))
    assert [round(float(tokens)) for tokens in lengths if tokens > 0] == [32 * SIZE, 32 * SIZE]
    assert reuse.replica[ALL].within(1e9, shortest=20_000) == pytest.approx(32 * SIZE)


def test_classes_are_counted_apart_and_are_never_more_than_a_few() -> None:
    reuse = Reuse()
    for number in range(100):
        reuse.apply("a", [BlockStored([1000 + number], None, SIZE, f"tenant:{number}")], 0.0)
    assert len(reuse.replica) <= 27
    tenants = [s.stored for n, s in reuse.replica.items() if n != ALL and not n.startswith("depth:")]
    assert sum(tenants) == pytest.approx(reuse.replica[ALL].stored)


def test_blocks_that_keep_coming_again_are_no_one_hit_wonders_however_lately_they_came() -> None:
    reuse = Reuse()
    for at in range(0, 1000, 100):
        # ten blocks that come again and again, and one that never does
        reuse.apply("a", [BlockStored([*range(1, 11), 1000 + at], None, 16)], float(at))
        reuse.apply("a", [BlockRemoved([*range(1, 11), 1000 + at])], float(at) + 1)
    # those of the last 300 s may still come
    assert reuse.one_hit_share(1000.0, 300.0) == pytest.approx(8 / 18)
    assert Reuse().one_hit_share(1000.0, 300.0) is None


@given(st.integers(1, 400), st.integers(100, 3000))
def test_the_sample_never_grows_beyond_its_size(most: int, blocks: int) -> None:
    reuse = Reuse(most=most)
    for at in range(blocks):
        reuse.apply("a", [BlockStored([at * 7919 + 1], None, 16)], float(at))
        if at % 3 == 0:
            reuse.apply("a", [BlockRemoved([(at // 2) * 7919 + 1])], float(at))
        assert len(reuse.shared) <= most
    assert all(value_of(block) < reuse.threshold for block in reuse.shared.blocks())


def test_a_sketch_survives_being_stored() -> None:
    reuse = Reuse()
    watch([[1, 2, 3, 4], [5, 6, 7], [1, 2, 3], [9], [5, 6]], 5, reuse)
    reuse.settle(10.0, 0.9)
    sketch = reuse.pool[ALL]
    again = Sketch.from_json(json.loads(json.dumps(sketch.to_json())))
    assert again.to_json() == sketch.to_json()
    assert again.within(1e6) == sketch.within(1e6)


@pytest.mark.parametrize(("name", "tokens"), [("synthetic_trace", 800_000), ("mooncake_trace_1000", 400_000)])
def test_the_sampled_curve_is_within_two_points_of_the_exact_one(name: str, tokens: int) -> None:
    lines = shared_file(f"traces/mooncake/{name}.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    reuse = Reuse(most=8192)
    device = Device(tokens // SIZE, SIZE)
    for row in rows:
        reuse.apply("a", device.request(row["hash_ids"]), row["timestamp"] / 1000)
    assert reuse.rate < 0.7
    requests = [row["hash_ids"] for row in rows]
    for times in (1.5, 2, 4, 8, 16):
        exact = exact_hits(requests, int(tokens / SIZE * times)) / device.wanted
        told = (device.hits + reuse.replica[ALL].within(tokens * (times - 1)) / SIZE) / device.wanted
        assert told == pytest.approx(exact, abs=0.02), f"{times} x the device"


def test_what_comes_again_behind_nothing_is_told_from_what_follows_a_part_that_the_device_has() -> None:
    reuse = Reuse()
    stored = BlockStored([1, 2, 3, 4], None, SIZE)
    reuse.apply("a", [stored], 0.0)
    reuse.apply("a", [BlockRemoved([4, 3, 2, 1])], 1.0)
    reuse.apply("a", [BlockStored([1, 2], None, SIZE)], 2.0)
    # the next step of the same prompt
    reuse.apply("a", [BlockStored([3], 2, SIZE)], 3.0)
    assert reuse.replica[ALL].rooted_share == 1.0
    reuse.apply("a", [BlockRemoved([3])], 4.0)
    # another one, of which the device has two blocks: where its chain began nobody remembers
    reuse.engines["a"].chains.clear()
    reuse.apply("a", [BlockStored([3, 4], 2, SIZE)], 5.0)
    sketch = reuse.replica[ALL]
    assert (sketch.rooted, sketch.rooted_share) == (3 * SIZE, 0.6)
    assert Sketch.from_json(sketch.to_json()).rooted == 3 * SIZE
    old = {name: value for name, value in sketch.to_json().items() if name != "rooted"}
    assert Sketch.from_json(old).rooted_share == 0.0
