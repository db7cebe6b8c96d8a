"""The approximate prefix index."""

from __future__ import annotations

from array import array

import xxhash
from hypothesis import given
from hypothesis import strategies as st

from apps.embedded.gateway.domain.prompt import TextPrompt, block_hashes, prompt_bytes
from apps.physics.routing.blocks import block_keys
from apps.physics.routing.lru import PrefixIndex


def hashes(
    prompt: bytes, *, model: str = "m", salt: str = "", block_tokens: int = 2, most: int = 100
) -> tuple[int, ...]:
    return block_hashes(prompt, model=model, salt=salt, block_tokens=block_tokens, most_blocks=most)


def test_the_chain_is_the_documented_one() -> None:
    first = xxhash.xxh64_digest(xxhash.xxh64_digest(b"abcdefgh") + xxhash.xxh64_digest(b"m" + b"s"))
    second = xxhash.xxh64_digest(xxhash.xxh64_digest(b"ijklmnop") + first)
    expected = tuple(int.from_bytes(each, "big") for each in (first, second))
    assert hashes(b"abcdefghijklmnopq", salt="s") == expected


def test_model_and_salt_separate() -> None:
    assert len({hashes(b"x" * 8), hashes(b"x" * 8, model="n"), hashes(b"x" * 8, salt="t")}) == 3


def test_short_prompts_are_one_block_and_long_ones_are_cut() -> None:
    assert len(hashes(b"ab")) == 1
    assert hashes(b"") == ()
    assert len(hashes(b"x" * 8000, most=10)) == 10


def test_what_counts_as_prompt() -> None:
    assert prompt_bytes({"prompt": "abc"}) == b"abc"
    assert prompt_bytes({"prompt": [1, 2]}) == array("I", [1, 2]).tobytes()
    assert prompt_bytes({"prompt": [[1, 2], [3]]}) == array("I", [1, 2]).tobytes()
    assert prompt_bytes({"prompt": [True, "x"]}) == b""
    turns = [{"role": "user", "content": "hi"}, {"role": "user", "content": [{"type": "text", "text": "yo"}]}]
    assert prompt_bytes({"messages": turns}) == b"user\nhi\nuser\nyo\n"
    assert prompt_bytes({}) == b""


@given(st.binary(max_size=200), st.binary(max_size=60), st.binary(max_size=60))
def test_shared_prefixes_share_hashes(prefix: bytes, one: bytes, other: bytes) -> None:
    index = PrefixIndex()
    index.record("a", hashes(prefix + one))
    asked = hashes(prefix + other)
    matched = index.match("a", asked)
    shared = len(prefix) // 8
    assert matched >= min(shared, len(asked))
    assert index.match("b", asked) == 0


def test_least_recently_used_goes_first_and_tails_before_heads() -> None:
    index = PrefixIndex()
    index.resize("a", 4)
    old, new = hashes(b"o" * 24), hashes(b"n" * 24)
    index.record("a", old)
    index.record("a", new)
    assert index.size("a") == 4
    assert index.match("a", new) == 3
    assert index.match("a", old) == 1
    index.record("a", old)
    assert index.match("a", old) == 3


def test_a_replica_that_went_is_forgotten() -> None:
    index = PrefixIndex()
    index.record("a", hashes(b"x" * 80))
    index.forget("a")
    assert index.match("a", hashes(b"x" * 80)) == 0
    assert index.size() == 0


def test_tokens_once_known_count_and_are_keyed_with_adapter_and_salt() -> None:
    prompt = TextPrompt(b"x" * 40, model="sql", salt="tenant")
    assert (prompt.tokens, prompt.keys(2)) == (10, None)
    prompt.token_ids, prompt.adapter = [1, 2, 3, 4, 5], "sql"
    assert prompt.tokens == 5
    assert prompt.keys(2) == block_keys([1, 2, 3, 4], 2, ["sql\x1ftenant", "sql"])
    assert prompt.hashes(2, 100) is prompt.hashes(2, 100)
