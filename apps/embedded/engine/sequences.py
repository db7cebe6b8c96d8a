"""One sequence on its way through the simulated engine."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

from apps.embedded.engine.answers import Answer, Choice


@dataclass(slots=True)
class Sequence:
    """Times are seconds of the model clock; `arrival` is the request's.

    `tokens`: ids of the prompt and of all that will be answered; empty where nobody asks for them (no KV events).
    `lora`: id and name of the adapter.
    """

    identity: str
    prompt_tokens: int
    block_hashes: tuple[int, ...]
    limit: int
    reason: str
    max_tokens: int
    n: int
    priority: int
    arrival: float
    answer: Answer
    choice: Choice
    tokens: array[int]
    cache_salt: str = ""
    lora: tuple[int, str] | None = None
    pulled: tuple[int, float] = (0, 0.0)
    """Prompt tokens whose KV another engine hands over, and the seconds that it takes."""
    queued: float = 0.0
    last_token: float = 0.0
