"""The text that the simulated model writes: deterministic words, of a length that the prompt decides."""

from __future__ import annotations

import functools
import zlib
from array import array
from collections.abc import Sequence

from apps.embedded.engine.domain.tokens import tokenize

_WORDS = (
    "the", "a", "of", "to", "and", "in", "is", "for", "on", "with", "as", "by", "from", "that", "this", "it",
    "are", "be", "was", "an", "or", "at", "can", "has", "will", "more", "when", "each", "one", "all", "new",
    "set", "use", "data", "time", "model", "token", "cache", "batch", "layer", "weight", "value", "query", "key",
    "block", "prompt", "step", "first", "last", "next", "long", "short", "fast", "slow", "small", "large", "full",
    "free", "ready", "state", "point", "line", "plan", "part",
)  # fmt: skip
_FEWEST, _MOST = 32, 256


@functools.cache
def _token(piece: str) -> int:
    return tokenize(piece)[0]


class Filler:
    """What the model answers to a prompt, token by token; the same prompt always gets the same answer."""

    def __init__(self, prompt: Sequence[int], choice: int = 0) -> None:
        self._seed = zlib.crc32(array("I", prompt[-64:]).tobytes(), len(prompt) + 7919 * choice)

    @property
    def natural_length(self) -> int:
        """Tokens after which the model ends by itself, 32 to 256."""
        return _FEWEST + self._seed % (_MOST - _FEWEST + 1)

    def piece(self, index: int) -> str:
        """The text of token `index`. Every piece is one token of the tokenizer, so that an answer that comes back
        in the next turn of a conversation is found in the prefix cache."""
        mixed = (self._seed ^ (index * 2654435761)) * 2246822519 & 0xFFFFFFFF
        word = _WORDS[(mixed >> 13) % len(_WORDS)]
        return word if index == 0 else " " + word

    def tokens(self, count: int) -> list[int]:
        """The ids of the first `count` tokens."""
        return [_token(self.piece(index)) for index in range(count)]

    def text(self, start: int, end: int) -> str:
        return "".join(map(self.piece, range(start, end)))

    def length_until(self, stops: Sequence[str], limit: int) -> int | None:
        """Tokens until the text holds one of `stops`, at most `limit`; None when none of them comes."""
        text = ""
        for index in range(limit):
            text += self.piece(index)
            if any(stop in text for stop in stops):
                return index + 1
        return None
