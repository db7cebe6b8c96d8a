"""The precise index: events in, matches out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.physics.routing import Request
from apps.physics.routing.blocks import BlockIndex, block_keys
from tests.support.routing import Picker, Words, candidate, document

TOKENS = list(range(12))


def index(**options: float) -> BlockIndex:
    return BlockIndex(4, **options)


def test_keys_chain_over_parents_and_adapters() -> None:
    keys = block_keys(TOKENS, 4)
    assert len(keys) == 3
    assert block_keys(TOKENS[:8], 4) == keys[:2]
    assert block_keys(TOKENS[4:], 4, parent=keys[0]) == keys[1:]
    assert not set(keys) & set(block_keys(TOKENS, 4, "sql"))


def test_events_of_an_engine_with_names_of_its_own() -> None:
    blocks = index()
    blocks.stored("a", "GPU", [77, 78], tokens=TOKENS[:8], block_size=4)
    blocks.stored("a", "GPU", [79], parent=78, tokens=TOKENS[8:], block_size=4)
    keys = block_keys(TOKENS, 4)
    assert blocks.match("a", keys).blocks == 3
    assert blocks.match("b", keys).blocks == 0
    blocks.removed("a", "GPU", [78])
    assert blocks.match("a", keys).blocks == 1
    blocks.forget("a")
    assert blocks.size() == 0


def test_a_slower_tier_counts_less_and_needs_no_tokens() -> None:
    blocks = index()
    blocks.stored("a", "GPU", [1, 2], tokens=TOKENS[:8], block_size=4)
    blocks.stored("a", "CPU", [1, 2])
    blocks.removed("a", "GPU", [2])
    match = blocks.match("a", block_keys(TOKENS, 4))
    assert (match.blocks, match.weight, match.share) == (2, 1.8, 2 / 3)


def test_an_unknown_parent_and_another_block_size_match_nothing() -> None:
    blocks = index()
    blocks.stored("a", "GPU", [5], parent=4, tokens=TOKENS[:4], block_size=4)
    assert blocks.size() == 0
    blocks.stored("a", "GPU", [5], tokens=TOKENS, block_size=12)
    assert blocks.size() == 0
    assert "blocks of 12 tokens but the index has 4" in blocks.problem


def test_what_was_sent_is_expected_for_a_while() -> None:
    blocks, keys = index(speculative_ttl=2.0), block_keys(TOKENS, 4)
    blocks.expect("a", keys, now=10.0)
    assert blocks.match("a", keys, now=11.9).blocks == 3
    assert blocks.match("a", keys, now=12.1).blocks == 0
    blocks.sweep(now=12.1)
    index().expect("a", keys, now=10.0)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=60))
def test_the_index_is_what_the_events_left(events: list[tuple[bool, int]]) -> None:
    """A chain of ten blocks, each stored and removed in any order, against a set."""
    tokens = list(range(40))
    blocks, keys, left = index(), block_keys(tokens, 4), set()
    blocks.stored("a", "GPU", list(range(10)), tokens=tokens, block_size=4)
    blocks.removed("a", "GPU", range(1, 10))
    left = {0}
    for stored, number in events:
        if stored and (number == 0 or number - 1 in left):
            parent = number - 1 if number else None
            blocks.stored("a", "GPU", [number], parent=parent, tokens=tokens[4 * number : 4 * number + 4], block_size=4)
            left.add(number)
        elif not stored:
            blocks.removed("a", "GPU", [number])
            left.discard(number)
    run = next((number for number in range(10) if number not in left), 10)
    assert blocks.size("a") == len(left)
    assert blocks.match("a", keys).blocks == run


def test_precise_prefix_in_both_releases() -> None:
    events = {"discoverPods": True, "podDiscoveryConfig": {"socketPort": 5557}}
    parameters = {"tokenProcessorConfig": {"blockSize": 64}, "kvEventsConfig": events}
    old = Picker(document({"type": "precise-prefix-cache-scorer", "parameters": parameters},
                          apiVersion="inference.networking.x-k8s.io/v1alpha1"))  # fmt: skip
    scorer = {"type": "prefix-cache-scorer", "parameters": {
        "prefixMatchInfoProducerName": "precise-prefix-cache-producer"}}  # fmt: skip
    new = Picker(document({"type": "precise-prefix-cache-producer", "parameters": parameters}, scorer,
                          profile=[("prefix-cache-scorer", 1)], apiVersion="llm-d.ai/v1alpha1"))  # fmt: skip
    trio = [candidate(name) for name in "abc"]
    for picker in (old, new):
        blocks = picker.scheduler.precise[0].index
        blocks.hold(trio[0].key, "GPU", [1, 2, 3, 4])
        blocks.hold(trio[1].key, "GPU", [1, 2])
    asked = Request(Words([1, 2, 3, 4]))
    # 0.5 spreads over those with a hit: the smallest real hit scores like none
    assert old.scores(*trio, request=asked) == [1.0, 0.0, 0.0]
    assert new.scores(*trio, request=asked) == [1.0, 0.5, 0.0]
