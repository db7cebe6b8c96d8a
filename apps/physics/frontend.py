"""The host side of an engine as its client feels it: HTTP, JSON, tokens in and out."""

from __future__ import annotations

import heapq
from bisect import bisect_right
from dataclasses import dataclass
from operator import itemgetter
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class FrontendModel:
    """Costs of the API server process, seconds.

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


class Frontend(Generic[Item]):
    """The API server process of one engine at work; `Item` is whatever the caller calls a request.

    Requests on their way in share the process evenly, as coroutines do: of a burst all reach the scheduler late and
    together. Tokens on their way out are sent in rounds, one a step, which take half of the process while they last.
    Times in seconds on the caller's clock.
    """

    def __init__(self, model: FrontendModel) -> None:
        self.model = model
        # Requests under way by the share of work, done per request since the start, at which each is through.
        self._under_way: list[tuple[float, int, Item]] = []
        self._through: list[tuple[float, Item]] = []
        self._share = 0.0
        self._now = 0.0
        self._count = 0
        self._sent_until = 0.0
        self._last_round = 0.0

    def arrive(self, item: Item, arrival: float, prompt_tokens: int) -> None:
        """A request that its client sent at `arrival` comes in, half the latency later. Call in order of arrival."""
        self._advance(arrival + self.model.latency / 2)
        self._count += 1
        heapq.heappush(self._under_way, (self._share + self.model.admission(prompt_tokens), self._count, item))

    @property
    def next_through(self) -> float:
        """When the next request reaches the scheduler if nothing else comes before; infinite when none is under way."""
        if self._through:
            return self._through[0][0]
        if not self._under_way:
            return float("inf")
        return self._now + (self._under_way[0][0] - self._share) * len(self._under_way)

    def through(self, until: float) -> list[tuple[float, Item]]:
        """Requests that reached the scheduler by `until` and were not told yet, each with its moment, in order."""
        self._advance(until)
        count = bisect_right(self._through, until, key=itemgetter(0))
        through = self._through[:count]
        del self._through[:count]
        return through

    def stream(self, at: float, tokens: int) -> float:
        """When the clients see the `tokens` of a step that ended at `at`.

        Tokens of one request that wait together go out as one chunk, so they fall behind the engine by one round of
        chunks at most: the one under way when the step ended.
        """
        self._advance(at)
        chunks = self.model.token * tokens
        sent = min(max(self._sent_until, at), at + chunks) + chunks
        self._sent_until = max(self._sent_until, sent)
        self._now = max(self._now, at) + min(chunks, at - self._last_round) / 2
        self._last_round = at
        return self._sent_until + self.model.latency / 2

    @property
    def empty(self) -> bool:
        """No request is on its way in."""
        return not self._under_way and not self._through

    def stream_rounds(self, since: float, at: float, rounds: int, tokens: int, last_gap: float) -> float:
        """`rounds` steps of `tokens` each end one after the other, the first begun at `since`, the last ended at `at`
        after `last_gap`; when the clients see the tokens of the last. Only while nothing is on its way in.

        As many calls of `stream`, as long as the gaps between the steps are either all longer or all shorter than a
        round: the backlog then changes in one direction only.
        """
        chunks = self.model.token * tokens
        backlog = self._sent_until - since - chunks + rounds * chunks - (at - since)
        self._sent_until = at + min(max(backlog, 0.0), chunks) + chunks
        self._now = at + min(chunks, last_gap) / 2
        self._last_round = at
        return self._sent_until + self.model.latency / 2

    def _advance(self, until: float) -> None:
        while self._under_way:
            share, _order, item = self._under_way[0]
            done = self._now + (share - self._share) * len(self._under_way)
            if done > until:
                self._share += max(0.0, until - self._now) / len(self._under_way)
                break
            heapq.heappop(self._under_way)
            self._share, self._now = share, done
            self._through.append((done, item))
        self._now = max(self._now, until)


class Direct(Generic[Item]):
    """`Frontend` with a model of zeros, without the work: requests are through when sent, tokens seen when made."""

    def __init__(self) -> None:
        self._through: list[tuple[float, Item]] = []

    def arrive(self, item: Item, arrival: float, prompt_tokens: int) -> None:
        self._through.append((arrival, item))

    @property
    def next_through(self) -> float:
        return self._through[0][0] if self._through else float("inf")

    @property
    def empty(self) -> bool:
        return not self._through

    def through(self, until: float) -> list[tuple[float, Item]]:
        waiting = self._through
        if not waiting or waiting[0][0] > until:
            return []
        count = bisect_right(waiting, until, key=itemgetter(0))
        through = waiting[:count]
        del waiting[:count]
        return through

    def stream(self, at: float, tokens: int) -> float:
        return at

    def stream_rounds(self, since: float, at: float, rounds: int, tokens: int, last_gap: float) -> float:
        return at
