"""How long one engine step takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepTimeModel:
    """Step time of one tensor-parallel group, in milliseconds.

        linear    = (weights^p + (token * tokens / 1e3)^p)^(1/p)        tokens: all tokens computed in the step
        attention = prefill * sum n * (past + n / 2) / 1e6 + kv * kv_tokens / 1e6
        step      = linear + attention + sequence * batch

    The linear layers are bound by reading the weights (few tokens) or by arithmetic (many); both overlap, so the larger
    one counts, and a p-norm rounds the corner. The attention of prefill grows with the square of its tokens; that of
    decode reads the whole KV cache of its batch. `sequence` is what a decoding sequence costs beside (sampling,
    scheduling). The form without the p-norm is that of ../calibration/step-time.json (fits to NVIDIA AISimulate tables).

    weights: ms; token: ms per 1,000 tokens; prefill: ms per 1e6 token^2; kv: ms per 1e6 tokens; sequence: ms.
    """

    weights: float
    token: float
    prefill: float
    kv: float
    sequence: float
    sharpness: float = 4.0

    def duration(self, prefill: Sequence[tuple[int, int]], batch: int, kv_tokens: int) -> float:
        """Seconds of a step.

        prefill: (tokens computed now, tokens computed before) of each prompt chunk; batch: sequences that decode one
        token; kv_tokens: sum of their contexts.
        """
        tokens = batch
        square = 0.0
        for n, past in prefill:
            tokens += n
            square += n * (past + n / 2)
        arithmetic = self.token * tokens / 1e3
        linear = (self.weights**self.sharpness + arithmetic**self.sharpness) ** (1 / self.sharpness)
        attention = self.prefill * square / 1e6 + self.kv * kv_tokens / 1e6
        return (linear + attention + self.sequence * batch) / 1e3


@dataclass(frozen=True, slots=True)
class HostModel:
    """What the HTTP server in front of the engine adds, in milliseconds: one process, so requests and tokens queue.

    latency: fixed, both directions together (HTTP, process hops); request: serial work per request; prompt: serial
    work per 1,000 prompt tokens (parsing, hashing); token: serial work per streamed token.
    """

    latency: float = 0.0
    request: float = 0.0
    prompt: float = 0.0
    token: float = 0.0

    def admission(self, prompt_tokens: int) -> float:
        """Seconds of serial work before a request reaches the scheduler."""
        return (self.request + self.prompt * prompt_tokens / 1e3) / 1e3
