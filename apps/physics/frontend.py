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


class Frontend:
    """The API server process of one engine at work. Times in seconds on the caller's clock."""

    def __init__(self, model: FrontendModel) -> None:
        self.model = model
        self._busy_until = 0.0
        self._sent_until = 0.0

    def admit(self, arrival: float, prompt_tokens: int) -> float:
        """When a request that its client sent at `arrival` reaches the scheduler. Call in order of arrival."""
        begun = max(arrival + self.model.latency / 2, self._busy_until)
        self._busy_until = begun + self.model.admission(prompt_tokens)
        return self._busy_until

    def stream(self, at: float, tokens: int) -> float:
        """When the clients see the `tokens` of a step that ended at `at`.

        Tokens of one request that wait together go out as one chunk, so they fall behind the engine by one round of
        chunks at most: the one under way when the step ended.
        """
        round_of_chunks = self.model.token * tokens
        sent = min(max(self._busy_until, at), at + round_of_chunks) + round_of_chunks
        self._sent_until = max(self._sent_until, sent)
        self._busy_until = max(self._busy_until, self._sent_until)
        return self._sent_until + self.model.latency / 2
