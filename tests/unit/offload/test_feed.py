"""Batches in order: gaps filled by replay or counted as lost, restarts, and the two encodings."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.embedded.engine import kv_events
from apps.offload.domain.events import BlockRemoved, BlockStored, Cleared, Malformed, read_batch
from apps.offload.domain.feed import Feed


def payload(number: int) -> bytes:
    return b"%d" % number


def test_a_gap_is_asked_for_and_comes_in_its_turn() -> None:
    feed = Feed(replays=True)
    assert feed.replay_from == 0
    feed.asked(0.0)
    assert feed.finished() == []
    assert [d.sequence for d in feed.live(0, b"")] == [0]
    assert feed.live(3, b"") == []
    assert (feed.gaps, feed.replay_from) == (1, 1)
    feed.asked(1.0)
    assert feed.live(4, b"") == []
    for number in (1, 2, 3):
        feed.replayed(number, b"")
    assert [d.sequence for d in feed.finished()] == [1, 2, 3, 4]
    assert feed.dropped == 0
    assert [d.sequence for d in feed.live(5, b"")] == [5]


@given(st.sets(st.integers(0, 60), min_size=1), st.booleans())
def test_nothing_comes_twice_or_out_of_order_and_every_hole_is_counted(lost: set[int], replays: bool) -> None:
    feed, found = Feed(replays=replays), []
    for number in range(70):
        if number in lost:
            continue
        found += feed.live(number, payload(number))
        if feed.replay_from is not None:
            start = feed.replay_from
            feed.asked(0.0)
            for kept in range(start, number + 1):
                if kept % 2:
                    feed.replayed(kept, payload(kept))
            found += feed.finished()
    numbers = [d.sequence for d in found]
    assert numbers == sorted(set(numbers))
    assert feed.dropped == (numbers[-1] - numbers[0] + 1) - len(numbers)


def test_an_engine_that_begins_anew_is_no_gap() -> None:
    feed = Feed(replays=False)
    for number in (0, 1, 2):
        feed.live(number, b"")
    (again,) = feed.live(0, b"")
    assert (again.restarted, feed.restarts, feed.dropped) == (True, 1, 0)


def test_what_was_counted_before_the_collector_restarted_is_not_counted_again() -> None:
    feed = Feed(replays=True, counted=2)
    feed.asked(0.0)
    for number in range(5):
        feed.replayed(number, b"")
    assert [d.seen for d in feed.finished()] == [True, True, True, False, False]
    other = Feed(replays=True, counted=100)
    other.asked(0.0)
    other.replayed(0, b"")
    (anew,) = other.finished()
    assert (anew.restarted, anew.seen) == (True, False)


def test_a_publisher_that_does_not_answer_holds_nothing_up() -> None:
    feed = Feed(replays=True)
    feed.asked(0.0)
    feed.live(7, b"")
    assert not feed.overdue(1.0)
    assert feed.overdue(6.0)
    assert [d.sequence for d in feed.finished()] == [7]


@pytest.mark.parametrize("encoding", ["map", "array"])
def test_both_encodings_of_the_wire_say_the_same(encoding: kv_events.Encoding) -> None:
    events = [
        kv_events.stored(
            [1, 2**64 - 1],
            parent=None,
            tokens=[5] * 32,
            block_size=16,
            medium="GPU",
            lora=(1, "sql"),
            extra_keys=[None],
        ),
        kv_events.removed([3], "CPU"),
        kv_events.cleared(),
    ]
    batch = read_batch(msgspec.msgpack.decode(kv_events.encode(12.5, events, 3, encoding)))
    assert (batch.at, batch.rank, batch.unknown) == (12.5, 3, 0)
    assert batch.events == (
        BlockStored([1, 2**64 - 1], None, 16, "adapter:sql"),
        BlockRemoved([3], "CPU"),
        Cleared(),
    )


def test_hashes_as_bytes_tenants_and_events_of_tomorrow() -> None:
    raw = [
        1.0,
        [
            {
                "type": "BlockStored",
                "block_hashes": [b"\x00" * 24 + (77).to_bytes(8, "big")],
                "parent_block_hash": None,
                "block_size": 16,
                "extra_keys": [["tenantA"]],
            },
            {"type": "BlockMoved"},
        ],
    ]
    batch = read_batch(raw)
    assert batch.events == (BlockStored([77], None, 16, "tenant:tenantA"),)
    assert batch.unknown == 1


@pytest.mark.parametrize("raw", [None, {}, [1.0], ["x", []], [1.0, [5]], [1.0, [["BlockStored", 5]]]])
def test_what_is_no_batch_is_refused(raw: object) -> None:
    with pytest.raises(Malformed):
        read_batch(raw)
