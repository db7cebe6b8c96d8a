"""A deterministic tokenizer and the chain of block hashes over its tokens.

The tokenizer cuts text into word pieces of at most six characters with their leading space, about as many as a
subword tokenizer makes of English. A token's id is a checksum of its piece, so equal text gives equal ids in every
process, and cutting is stable: the tokens of a text are a prefix of the tokens of the text plus a further word.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from array import array
from collections.abc import Mapping, Sequence

import xxhash

VOCABULARY = 128_256
_SPECIAL = {
    "<|begin_of_text|>": 128_000,
    "<|eot_id|>": 128_009,
    "<|start_header_id|>": 128_006,
    "<|end_header_id|>": 128_007,
}
_PIECE = re.compile(r"<\|\w+\|>| ?[^\W_]{1,6}| ?[^\w\s]|_|\s")


def tokenize(text: str) -> list[int]:
    """The token ids of `text`, each in [0, 128256)."""
    return [_SPECIAL.get(piece) or zlib.crc32(piece.encode()) % 128_000 for piece in _PIECE.findall(text)]


def chat_prompt(messages: Sequence[Mapping[str, str]]) -> str:
    """The text of a conversation (`role`, `content`) by a template of the Llama 3 family, ready for the answer."""
    turns = [
        f"<|start_header_id|>{message['role']}<|end_header_id|>\n\n{message['content']}<|eot_id|>"
        for message in messages
    ]
    return "".join(["<|begin_of_text|>", *turns, "<|start_header_id|>assistant<|end_header_id|>\n\n"])


def block_hashes(
    tokens: Sequence[int], block_size: int, *, seed: str = "", extra: str = "", algorithm: str = "sha256"
) -> tuple[int, ...]:
    """The 64-bit hashes of the full blocks of `tokens`, chained as vLLM does: each over its parent's digest, its own
    tokens and the extra keys (LoRA name, cache salt). Equal hashes mean equal prefixes. The first parent is a digest
    of `seed` (PYTHONHASHSEED), so replicas share hashes only when they share the seed."""
    digest = xxhash.xxh3_128_digest if algorithm.startswith("xxhash") else _sha256
    raw = array("I", tokens).tobytes()
    width = 4 * block_size
    parent = digest(seed.encode())
    keys = extra.encode()
    hashes = []
    for start in range(0, len(raw) - width + 1, width):
        parent = digest(parent + raw[start : start + width] + keys)
        hashes.append(int.from_bytes(parent[-8:], "big"))
    return tuple(hashes)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
