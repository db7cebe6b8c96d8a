"""How long one forward step of the engine takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepLoad:
    """What one step computes, summed over its requests.

    prefill_tokens: prompt tokens computed in the step (prefix-cache hits are not among them).
    prefill_requests: requests that these tokens belong to.
    attention_pairs: sum over those requests of n * (past + n / 2), tokens^2; `past` is what the cache already holds.
    decode_requests: requests that decode one token.
    kv_tokens: sum of the context lengths of the decoding requests, tokens.
    draft_tokens: tokens that speculation proposed and that are verified beside the decoded ones.
    """

    prefill_tokens: int = 0
    prefill_requests: int = 0
    attention_pairs: float = 0.0
    decode_requests: int = 0
    kv_tokens: int = 0
    draft_tokens: int = 0


@dataclass(frozen=True, slots=True)
class StepTimeModel:
    """A roofline of one step, seconds.

    The linear layers take either the time to read the weights or the time to multiply, whichever is longer, for all
    tokens of the step together (N = prefill tokens + decoding requests); attention and the work per request add to it:

        step = max(read + read_token * N, compute + compute_token * N)
               + prefill_request * prefill_requests + attention_pair * attention_pairs + kv_token * kv_tokens * mixed
               + decode_pair * decode_requests^2

    `mixed` counts in steps that both prefill and decode, whose attention runs outside the full CUDA graph; such steps
    last `mixed_step` longer (launching what the graph would; simulators that add a prefill pass to a decode pass read
    the weights twice). `decode_pair` is what measured steps of hundreds of requests take beyond the rest: the larger
    the batch, the more each of its requests costs. It is empirical, not derived.
    With one kind of work in the step this is the usual linear fit: prefill `a + b n + q n (past + n/2)`, decode
    `c + d batch + e kv` (a, b = compute, compute_token; c, d = read, read_token; q = attention_pair; e = kv_token).

    read, compute: s. read_token, compute_token: s per token. prefill_request: s per request.
    attention_pair: s per token^2. kv_token: s per token of context read. mixed: a factor, 1 or more. mixed_step: s.
    decode_pair: s per request^2.
    """

    read: float
    read_token: float
    compute: float
    compute_token: float
    attention_pair: float
    kv_token: float
    prefill_request: float = 0.0
    mixed: float = 1.0
    mixed_step: float = 0.0
    decode_pair: float = 0.0

    def seconds(self, load: StepLoad) -> float:
        """Duration of the step in seconds; 0 for an empty one."""
        tokens = load.prefill_tokens + load.decode_requests + load.draft_tokens
        if not tokens:
            return 0.0
        linear = max(self.read + self.read_token * tokens, self.compute + self.compute_token * tokens)
        prefill = self.prefill_request * load.prefill_requests + self.attention_pair * load.attention_pairs
        reading = self.kv_token * load.kv_tokens * (self.mixed if load.prefill_tokens else 1.0)
        both = self.mixed_step if load.prefill_tokens and load.decode_requests else 0.0
        return linear + prefill + reading + both + self.decode_pair * load.decode_requests**2
