"""The host side of an engine as its client feels it: HTTP, JSON, tokens in and out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FrontendModel:
    """Costs of the API server process, which handles one thing at a time, seconds.

    latency: fixed part of a request's way in and of its first token's way out, together.
    request, prompt_token: work on a request before the scheduler sees it, per request and per prompt token.
    token: work on one streamed token.
    """

    latency: float = 0.0
    request: float = 0.0
    prompt_token: float = 0.0
    token: float = 0.0

    def admission(self, prompt_tokens: int) -> float:
        """Work on one request before the scheduler sees it, seconds."""
        return self.request + self.prompt_token * prompt_tokens

    def streamed(self, free: float, at: float, tokens: int) -> float:
        """When the `tokens` of a step that ended at `at` are sent, by a frontend busy until `free`.

        Tokens of one request that wait together go out as one chunk, so they fall behind the engine by one round of
        chunks at most: the one under way when the step ended.
        """
        round_of_chunks = self.token * tokens
        return min(max(free, at), at + round_of_chunks) + round_of_chunks
