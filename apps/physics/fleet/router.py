"""Which replica a request goes to. The scores are those of llm-d's endpoint picker with its default weights, over the
same index of prefixes that the embedded gateway has; a whole configuration is executed by PickerRouter. The sum is
written out here because a simulated day of requests has no time for a scheduler's objects: a test holds them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from apps.physics.fleet.types import Arrival, Seen
from apps.physics.routing.lru import PrefixIndex

Routing = Literal["round-robin", "least-loaded", "prefix"]
QUEUE, KV, PREFIX = 2.0, 2.0, 3.0
"""Weights of queue-scorer, kv-cache-utilization-scorer and prefix-cache-scorer (llm-d's default profile)."""


class Candidate(Protocol):
    """A ready replica as the picker knows it."""

    @property
    def number(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def kv_usage(self) -> float: ...


class Router:
    """Chooses among candidates. Deterministic: ties go to the least loaded replica, then the lowest number."""

    def __init__(self, routing: Routing) -> None:
        self.routing = routing
        self._turn = 0
        self._index = PrefixIndex()

    def choose(self, arrival: Arrival, candidates: Sequence[Candidate], now: float = 0.0) -> Candidate:
        """The replica for a request; `candidates` must not be empty."""
        if self.routing == "round-robin":
            self._turn += 1
            return candidates[self._turn % len(candidates)]
        if self.routing == "least-loaded" or not arrival.block_hashes:
            return min(candidates, key=lambda each: (each.in_flight, each.number))
        waiting = [each.waiting for each in candidates]
        least, spread = min(waiting), max(waiting) - min(waiting)
        best, best_score = candidates[0], (-1.0, 0, 0)
        for each, queue in zip(candidates, waiting, strict=True):
            score = QUEUE * (1 - (queue - least) / spread if spread else 1.0) + KV * (1 - each.kv_usage)
            score += PREFIX * self._index.match(each.number, arrival.block_hashes) / len(arrival.block_hashes)
            key = (score, -each.in_flight, -each.number)
            if key > best_score:
                best, best_score = each, key
        self._index.record(best.number, arrival.block_hashes)
        return best

    def sent(self, seen: Seen, chosen: Candidate) -> None:
        """The request is at the chosen replica: what was remembered of it when it was chosen is enough here."""

    def forget(self, number: int) -> None:
        """A replica is gone."""
        self._index.forget(number)

    def cached_blocks(self, number: int) -> int:
        """Blocks that the picker believes a replica holds."""
        return self._index.size(number)
