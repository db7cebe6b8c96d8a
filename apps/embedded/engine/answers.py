"""How generated tokens become an HTTP answer: chunk by chunk (server-sent events), or all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from apps.embedded.engine.domain.filler import Filler
from apps.embedded.engine.domain.requests import Generation

_ROLE = (
    b'"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],'
    b'"prompt_token_ids":null,"prompt_text":null}\n\n'
)
DONE = b"data: [DONE]\n\n"


@dataclass(slots=True)
class Choice:
    """One sequence of an answer: `limit` tokens at most, whose last one comes with `reason`."""

    index: int
    prompt_tokens: int
    filler: Filler
    limit: int
    reason: str
    tokens: int = 0
    cached_tokens: int = 0
    finish_reason: str | None = None
    shown: int = 0


@dataclass
class Answer:
    """The growing answer to one generation request. `finished` is set when every choice is."""

    request_id: str
    created: int
    model: str
    generation: Generation
    choices: list[Choice]
    prompt_tokens: int
    prompt_details: bool
    fingerprint: str
    block_size: int
    transfer: dict[str, Any] | None
    """What a remote decode has to know of the prompt's blocks; None where nobody asked."""
    finished: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def advance(self, choice: Choice, tokens: int, reason: str | None) -> None:
        """`choice` got `tokens` more tokens and, with a `reason`, its end. Nothing follows an end: tokens that were
        still on their way when the request was aborted are dropped."""
        if choice.finish_reason is not None:
            return
        choice.tokens += tokens
        choice.finish_reason = reason
        self.show(choice)
        if reason is not None and all(each.finish_reason for each in self.choices) and not self.finished.done():
            self.finished.set_result(None)

    def show(self, choice: Choice) -> None:
        """Hook of streamed answers."""

    def usage(self) -> dict[str, Any]:
        made = sum(choice.tokens for choice in self.choices)
        cached = sum(choice.cached_tokens for choice in self.choices)
        return {
            "prompt_tokens": self.prompt_tokens,
            "total_tokens": self.prompt_tokens + made,
            "completion_tokens": made,
            "prompt_tokens_details": {"cached_tokens": cached, **self._created()} if self.prompt_details else None,
        }

    def _created(self) -> dict[str, int]:
        """Chats are told how many tokens of the prompt they put into the cache."""
        if not self.generation.chat:
            return {}
        size = self.block_size
        made = sum(choice.prompt_tokens // size * size - choice.cached_tokens for choice in self.choices)
        return {"created_cache_tokens": max(made, 0)}

    def whole(self) -> dict[str, Any]:
        """The body of an answer that is not streamed."""
        chat = self.generation.chat
        usage = {**self.usage(), "completion_tokens_details": None}
        if usage["prompt_tokens_details"] is not None:
            nothing = {"created_cache_tokens": None, "multimodal_tokens": None}
            usage["prompt_tokens_details"] = {**nothing, **usage["prompt_tokens_details"]}
        prompt = {"prompt_logprobs": None, "prompt_token_ids": None, "prompt_text": None} if chat else {}
        return {
            "id": self.request_id,
            "object": "chat.completion" if chat else "text_completion",
            "created": self.created,
            "model": self.model,
            "choices": [self._message(choice) if chat else self._text(choice) for choice in self.choices],
            "service_tier": None,
            "system_fingerprint": self.fingerprint,
            "usage": usage,
            **prompt,
            "kv_transfer_params": self.transfer,
            "ec_transfer_params": None,
            "metrics": None,
        }

    def _text(self, choice: Choice) -> dict[str, Any]:
        echo = self.generation.echo_text
        return {
            "index": choice.index,
            "text": (echo[choice.index // self.generation.n] if echo else "") + choice.filler.text(0, choice.tokens),
            "logprobs": None,
            "finish_reason": choice.finish_reason,
            "stop_reason": None,
            "token_ids": None,
            "prompt_logprobs": None,
            "prompt_token_ids": None,
            "routed_experts": None,
        }

    def _message(self, choice: Choice) -> dict[str, Any]:
        return {
            "index": choice.index,
            "message": {
                "role": "assistant",
                "content": choice.filler.text(0, choice.tokens),
                "refusal": None,
                "annotations": None,
                "audio": None,
                "function_call": None,
                "reasoning": None,
            },
            "logprobs": None,
            "finish_reason": choice.finish_reason,
            "stop_reason": None,
            "token_ids": None,
            "routed_experts": None,
        }


@dataclass
class StreamedAnswer(Answer):
    """An answer that is written while it grows: one event per choice and step, through `write` (bytes, at once)."""

    write: Callable[[bytes], None] = lambda data: None
    interval: int = 1

    def __post_init__(self) -> None:
        chat = self.generation.chat
        kind = "chat.completion.chunk" if chat else "text_completion"
        head = {"id": self.request_id, "object": kind, "created": self.created, "model": self.model}
        self._head = b"data: " + orjson.dumps(head)[:-1] + b',"choices":[{"index":%d,'
        print_ = orjson.dumps(self.fingerprint)
        self._ids = b',"token_ids":null' if chat else b',"prompt_token_ids":null,"token_ids":null'
        self._print = b',"system_fingerprint":' + print_
        self._last = b"data: " + orjson.dumps(head)[:-1] + b',"choices":[],"usage":%b' + self._print + b"}\n\n"

    def show(self, choice: Choice) -> None:
        end, reason = choice.tokens, choice.finish_reason
        due = end - choice.shown >= self.interval or choice.shown == 0
        if not (reason or (due and end > choice.shown)):
            return
        text = orjson.dumps(choice.filler.text(choice.shown, end))
        ended = b"null" if reason is None else b'"%b"' % reason.encode()
        head = self._head % choice.index
        opening = b""
        if self.generation.chat:
            if choice.shown == 0:
                opening = head + _ROLE
            body = b'"delta":{"content":%b},"logprobs":null,"finish_reason":%b' % (text, ended)
        else:
            echo = self.generation.echo_text
            if echo and choice.shown == 0:
                text = orjson.dumps(echo[choice.index // self.generation.n] + choice.filler.text(0, end))
            body = b'"text":%b,"logprobs":null,"finish_reason":%b' % (text, ended)
        choice.shown = end
        stopped = b',"stop_reason":null' if reason or not self.generation.chat else b""
        more = b""
        if self.generation.continuous_usage:
            more = b',"usage":%b' % orjson.dumps(self.usage())
        # whoever builds the answer is told with the last thing that is sent
        if reason and not self.generation.include_usage:
            more += self._print
        self.write(opening + head + body + stopped + self._ids + b"}]" + more + b"}\n\n")

    def ending(self) -> bytes:
        """What closes the stream: the usage where it was asked for, and [DONE]."""
        usage = self._last % orjson.dumps(self.usage()) if self.generation.include_usage else b""
        return usage + DONE
