"""A chat through a pool's own address: what is asked of it, and what its stream of answers says. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from apps.core.domain.documents import Spec

__all__ = ["MOST_BYTES", "Chat", "Piece", "piece_of", "upstream"]

MOST_BYTES = 256 * 1024
MOST_TOKENS = 4096


class Message(Spec):
    role: Literal["system", "user", "assistant"]
    content: Annotated[str, StringConstraints(max_length=100_000)]


class Chat(Spec):
    """What a person sends. `max_tokens`: of the answer."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=64)]
    max_tokens: Annotated[int, Field(ge=1, le=MOST_TOKENS)] = 512
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.7


def upstream(chat: Chat, model: str) -> dict[str, Any]:
    """The body of `POST /v1/chat/completions`, streamed, with the count of tokens at its end."""
    return {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in chat.messages],
        "max_completion_tokens": chat.max_tokens,
        "temperature": chat.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@dataclass(frozen=True)
class Piece:
    """What one event of the stream adds. Counts are None where the event does not say."""

    text: str = ""
    finish: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    error: str = ""


def piece_of(line: bytes) -> Piece | None:
    """A line of the event stream; None for what carries nothing (comments, blank lines, `[DONE]`)."""
    if not line.startswith(b"data:"):
        return None
    data = line[5:].strip()
    if data in (b"", b"[DONE]"):
        return None
    try:
        event = json.loads(data)
    except ValueError:
        return Piece(error="The engine sent something that is no JSON.")
    if not isinstance(event, dict):
        return None
    if isinstance(error := event.get("error"), dict):
        return Piece(error=str(error.get("message") or "The engine stopped with an error.")[:500])
    choice = (event.get("choices") or [{}])[0]
    usage = event.get("usage") or {}
    details = usage.get("prompt_tokens_details") or {}
    return Piece(
        text=(choice.get("delta") or {}).get("content") or "",
        finish=choice.get("finish_reason"),
        prompt_tokens=usage.get("prompt_tokens"),
        completion_tokens=usage.get("completion_tokens"),
        cached_tokens=details.get("cached_tokens"),
    )
