"""What a chat asks of an engine, and what the engine's stream says."""

from __future__ import annotations

import pytest

from apps.console.domain.chat import Chat, Piece, piece_of, upstream
from apps.core.domain.refusals import Invalid


def test_the_request_is_streamed_and_counted() -> None:
    chat = Chat.from_document({"messages": [{"role": "user", "content": "hi"}], "maxTokens": 9}, at="")
    body = upstream(chat, "llama")
    assert body["model"] == "llama"
    assert (body["stream"], body["stream_options"], body["max_completion_tokens"]) == (True, {"include_usage": True}, 9)


@pytest.mark.parametrize(
    "document",
    [
        {"messages": []},
        {"messages": [{"role": "robot", "content": "hi"}]},
        {"messages": [{"role": "user", "content": "hi"}], "maxTokens": 100_000},
        {"messages": [{"role": "user", "content": "hi"}], "model": "another"},
    ],
)
def test_bounds(document: dict) -> None:
    with pytest.raises(Invalid):
        Chat.from_document(document, at="")


@pytest.mark.parametrize(
    ("line", "piece"),
    [
        (b"", None),
        (b": ping", None),
        (b"data: [DONE]", None),
        (b'data: {"choices":[{"delta":{"content":"Hel"}}]}', Piece(text="Hel")),
        (b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}', Piece(finish="stop")),
        (b'data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}}', Piece("", None, 5, 2, None)),
        (
            b'data: {"choices":[],"usage":{"prompt_tokens":5,"prompt_tokens_details":{"cached_tokens":4}}}',
            Piece("", None, 5, None, 4),
        ),
        (b'data: {"error":{"message":"out of memory"}}', Piece(error="out of memory")),
    ],
)
def test_pieces(line: bytes, piece: Piece | None) -> None:
    assert piece_of(line) == piece


def test_what_is_no_json_is_said() -> None:
    found = piece_of(b"data: {oops")
    assert found is not None and found.error
