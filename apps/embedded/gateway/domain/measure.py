"""What a client sees of a streamed answer: time to first token, time between tokens, tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_USAGE = re.compile(rb'"usage":\s*(\{[^{}]*(?:\{[^{}]*\}[^{}]*)?\})')
_NUMBER = re.compile(rb'"(prompt_tokens|completion_tokens|cached_tokens)":\s*(\d+)')
_TOKEN_EVENT = b'"choices":[{'
TAIL = 4096


@dataclass
class Usage:
    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None


@dataclass
class StreamMeter:
    """Feed it each chunk with the seconds since the request came; times are seconds."""

    first: float | None = None
    last: float | None = None
    tokens: int = 0
    between: list[float] = field(default_factory=list)
    tail: bytes = b""

    def chunk(self, data: bytes, at: float) -> None:
        self.tail = (self.tail + data)[-TAIL:]
        events = data.count(_TOKEN_EVENT)
        if not events:
            return
        if self.last is None:
            self.first = at
            arrivals = events - 1
        else:
            self.between.append(at - self.last)
            arrivals = events - 1
        # events that come in one chunk are seen at once
        self.between.extend([0.0] * arrivals)
        self.last = at
        self.tokens += events

    def time_per_output_token(self, completion_tokens: int | None) -> float | None:
        """Mean seconds per token after the first; None for fewer than two tokens."""
        tokens = completion_tokens if completion_tokens is not None else self.tokens
        if self.first is None or self.last is None or tokens < 2:
            return None
        return (self.last - self.first) / (tokens - 1)


def read_usage(data: bytes) -> Usage:
    """The last usage object in the end of an answer; every field None where there is none."""
    found = _USAGE.findall(data)
    if not found:
        return Usage()
    numbers = {name: int(value) for name, value in _NUMBER.findall(found[-1])}
    return Usage(numbers.get(b"prompt_tokens"), numbers.get(b"completion_tokens"), numbers.get(b"cached_tokens"))
