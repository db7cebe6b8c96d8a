"""The beginning of a request as the prefix indexes see it.

By the text: cut into blocks, h0 = xxhash64(model + salt), h(i) = xxhash64(xxhash64(block i) + h(i-1)) (Gateway API
inference extension, approximate prefix cache plugin). By the tokens, once they are known: keys as of KV events.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence

import xxhash

from apps.physics.routing.blocks import block_keys

BYTES_PER_TOKEN = 4
"""Four characters of text, or one 32-bit token id, stand for a token."""


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


class TextPrompt:
    """A prompt as bytes, four a token, for a model and a cache salt. Each chain is made once.

    token_ids: the prompt as the engine's tokenizer cuts it; None until it is asked. adapter: the LoRA adapter's name,
    where the model is one.
    """

    __slots__ = ("_chains", "_keys", "adapter", "model", "raw", "salt", "token_ids")

    def __init__(self, raw: bytes, *, model: str, salt: str = "") -> None:
        self.raw, self.model, self.salt = raw, model, salt
        self.token_ids: Sequence[int] | None = None
        self.adapter = ""
        self._chains: dict[tuple[int, int], tuple[int, ...]] = {}
        self._keys: dict[int, list[int]] = {}

    @property
    def tokens(self) -> int:
        return len(self.token_ids) if self.token_ids is not None else len(self.raw) // BYTES_PER_TOKEN

    def hashes(self, block_tokens: int, most_blocks: int) -> Sequence[int]:
        shape = (block_tokens, most_blocks)
        found = self._chains.get(shape)
        if found is None:
            found = self._chains[shape] = block_hashes(
                self.raw, model=self.model, salt=self.salt, block_tokens=block_tokens, most_blocks=most_blocks
            )
        return found

    def keys(self, block_tokens: int) -> Sequence[int] | None:
        if self.token_ids is None:
            return None
        found = self._keys.get(block_tokens)
        if found is None:
            first = [each for each in (self.adapter, self.salt) if each]
            found = self._keys[block_tokens] = block_keys(
                self.token_ids, block_tokens, self.adapter, first=extra_of(first)
            )
        return found


def extra_of(keys: Sequence[object] | None) -> str:
    """What tells a block apart beside its tokens, as one text: adapter, cache salt."""
    return "\x1f".join(str(each) for each in keys or ())
