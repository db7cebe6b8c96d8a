"""KV events of an engine, as maps and as arrays, into the precise index."""

from __future__ import annotations

from typing import Any

import pytest

from apps.embedded.engine.kv_events import encode, removed, stored
from apps.embedded.gateway.domain.kv_events import address_of, apply, events_of
from apps.embedded.gateway.domain.prompt import TextPrompt
from apps.embedded.gateway.kv_events import _DECODE
from apps.physics.routing.blocks import BlockIndex

TOKENS = list(range(8))


def first(**options: Any) -> dict[str, Any]:
    given = {
        "parent": None,
        "tokens": TOKENS,
        "block_size": 4,
        "medium": "GPU",
        "lora": None,
        "extra_keys": [None, None],
    }
    return stored([2**64 - 1, 6], **{**given, **options})


def prompt(**options: str) -> TextPrompt:
    made = TextPrompt(b"x", model="m", salt=options.get("salt", ""))
    made.token_ids, made.adapter = TOKENS, options.get("adapter", "")
    return made


def told(index: BlockIndex, encoding: Any, *events: Any) -> None:
    for event in events_of(_DECODE(encode(1.0, events, 0, encoding))):
        apply(index, "a", event)


@pytest.mark.parametrize("encoding", ["map", "array"])
def test_blocks_come_and_go(encoding: Any) -> None:
    index = BlockIndex(4)
    told(index, encoding, first())
    keys = prompt().keys(4)
    assert keys is not None
    assert index.match("a", keys).blocks == 2
    told(index, encoding, removed([6], "GPU"))
    assert index.match("a", keys).blocks == 1
    told(index, encoding, {"type": "AllBlocksCleared"})
    assert index.size() == 0


def test_adapter_and_salt_keep_blocks_apart() -> None:
    index = BlockIndex(4)
    told(index, "map", first(lora=(1, "sql"), extra_keys=[["sql", "tenant"], ["sql"]]))
    for options, blocks in (({}, 0), ({"adapter": "sql"}, 0), ({"adapter": "sql", "salt": "tenant"}, 2)):
        keys = prompt(**options).keys(4)
        assert keys is not None
        assert index.match("a", keys).blocks == blocks


def test_nonsense_changes_nothing() -> None:
    for batch in (None, [], [1.0], [1.0, 5], [1.0, [["Unknown", 1], 7, None]]):
        assert events_of(batch) == []


def test_topics_name_their_replica() -> None:
    assert address_of("kv@10.0.0.1:8000@org/model") == "10.0.0.1:8000"
    assert address_of("kv@10.0.0.1@model") == "10.0.0.1"
    assert address_of("kv") == ""
