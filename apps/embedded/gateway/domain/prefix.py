"""The approximate prefix index: which replica has been sent which prompt prefixes.

A prompt is cut into blocks; h0 = xxhash64(model + salt), h(i) = xxhash64(xxhash64(block i) + h(i-1)). Each replica has
an LRU list of hashes. What is recorded is a guess made at routing time: evictions in the engine are not seen.
Source: Gateway API inference extension, approximate prefix cache plugin.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Mapping, Sequence

import xxhash

BYTES_PER_TOKEN = 4
"""Four characters of text, or one 32-bit token id, stand for a token."""
DEFAULT_CAPACITY = 31_250
"""Hashes kept for a replica whose number of KV blocks is not known."""


def prompt_bytes(body: Mapping[str, object]) -> bytes:
    """What of an OpenAI request counts as its prompt, four bytes a token."""
    messages = body.get("messages")
    if isinstance(messages, list):
        turns = [message for message in messages if isinstance(message, Mapping)]
        return "".join(f"{turn.get('role')}\n{_text(turn.get('content'))}\n" for turn in turns).encode()
    prompt = body.get("prompt")
    if isinstance(prompt, str):
        return prompt.encode()
    if isinstance(prompt, list) and prompt:
        if all(type(token) is int and 0 <= token < 2**32 for token in prompt):
            return array("I", prompt).tobytes()
        return prompt_bytes({"prompt": prompt[0]})
    return b""


def _text(content: object) -> str:
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""


def block_hashes(prompt: bytes, *, model: str, salt: str, block_tokens: int, most_blocks: int) -> tuple[int, ...]:
    """The chained hashes of the full blocks of `prompt`, at most `most_blocks`; a shorter prompt is one block."""
    width = block_tokens * BYTES_PER_TOKEN
    parent = xxhash.xxh64_digest(model.encode() + salt.encode())
    hashes = []
    starts = range(0, len(prompt) - width + 1, width) if len(prompt) >= width else range(0, len(prompt), width)
    for start in starts[:most_blocks]:
        parent = xxhash.xxh64_digest(xxhash.xxh64_digest(prompt[start : start + width]) + parent)
        hashes.append(int.from_bytes(parent, "big"))
    return tuple(hashes)


class PrefixIndex:
    """Per replica, the hashes that it was sent, least recently used first out."""

    def __init__(self) -> None:
        self._seen: dict[str, OrderedDict[int, None]] = {}
        self._capacity: dict[str, int] = {}

    def match(self, endpoint: str, hashes: Sequence[int]) -> int:
        """How many of `hashes` the replica has, counted from the start until the first that it has not."""
        seen = self._seen.get(endpoint)
        if not seen:
            return 0
        for count, value in enumerate(hashes):
            if value not in seen:
                return count
        return len(hashes)

    def record(self, endpoint: str, hashes: Sequence[int]) -> None:
        """A request with this prompt was sent to the replica."""
        seen = self._seen.setdefault(endpoint, OrderedDict())
        # the last block is put in first, so that a prefix outlives what follows it
        for value in reversed(hashes):
            seen[value] = None
            seen.move_to_end(value)
        self._trim(endpoint)

    def resize(self, endpoint: str, capacity: int) -> None:
        """The replica holds `capacity` blocks."""
        self._capacity[endpoint] = max(capacity, 1)
        self._trim(endpoint)

    def forget(self, endpoint: str) -> None:
        """The replica is gone, or is a new process with an empty cache."""
        self._seen.pop(endpoint, None)
        self._capacity.pop(endpoint, None)

    def size(self, endpoint: str | None = None) -> int:
        """Hashes kept, of one replica or of all."""
        kept = self._seen.values() if endpoint is None else [self._seen.get(endpoint, OrderedDict())]
        return sum(map(len, kept))

    def _trim(self, endpoint: str) -> None:
        seen = self._seen.get(endpoint)
        capacity = self._capacity.get(endpoint, DEFAULT_CAPACITY)
        while seen and len(seen) > capacity:
            seen.popitem(last=False)
