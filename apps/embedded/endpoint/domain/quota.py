"""Limits of a consumer key: requests and tokens a minute, each a bucket that refills evenly.

A request takes an estimate of its tokens when it is let in; when it ends, what it really used replaces the estimate. A
bucket may fall below zero by that: then the key waits until it is level again.
"""

from __future__ import annotations

from dataclasses import dataclass

from apps.embedded.endpoint.domain.config import Limits

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not let in; `wait`: seconds until it would be."""

    reason: str
    wait: float


class _Bucket:
    def __init__(self, size: int, now: float) -> None:
        self.size, self._level, self._at = size, float(size), now

    def level(self, now: float) -> float:
        self._level = min(float(self.size), self._level + (now - self._at) * self.size / MINUTE)
        self._at = now
        return self._level

    def take(self, amount: float) -> None:
        self._level = min(float(self.size), self._level - amount)

    def wait(self, amount: float) -> float:
        """Seconds until `amount` is there."""
        return max(0.0, (amount - self._level) * MINUTE / self.size)


class Quota:
    """What one key has left. Times in seconds on the caller's clock."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._requests = _Bucket(limits.requests_per_minute, now) if limits.requests_per_minute else None
        self._tokens = _Bucket(limits.tokens_per_minute, now) if limits.tokens_per_minute else None

    def enter(self, tokens: int, now: float) -> Refusal | None:
        """Let a request of about `tokens` tokens in, or say why not."""
        requests, spent = self._requests, self._tokens
        if requests is not None and requests.level(now) < 1:
            return Refusal(f"its limit of {requests.size} requests a minute is reached", requests.wait(1))
        # a request larger than the whole bucket is let in when it is full, else it never would be
        if spent is not None and spent.level(now) < min(tokens, spent.size):
            return Refusal(f"its limit of {spent.size} tokens a minute is reached", spent.wait(min(tokens, spent.size)))
        if requests is not None:
            requests.take(1)
        if spent is not None:
            spent.take(tokens)
        return None

    def settle(self, estimated: int, used: int, now: float) -> None:
        """The request used `used` tokens instead of the `estimated` ones."""
        if self._tokens is not None:
            self._tokens.level(now)
            self._tokens.take(used - estimated)

    def left(self, now: float) -> dict[str, int]:
        """What is left, by the names of OpenAI's answer headers."""
        named = (("requests", self._requests), ("tokens", self._tokens))
        found = {}
        for name, bucket in named:
            if bucket is not None:
                found[f"x-ratelimit-limit-{name}"] = bucket.size
                found[f"x-ratelimit-remaining-{name}"] = max(0, int(bucket.level(now)))
        return found
