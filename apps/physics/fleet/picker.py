"""A fleet routed by an endpoint picker's configuration: the scheduler that the gateway executes, in virtual time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from apps.physics import routing
from apps.physics.fleet.types import Arrival, Seen
from apps.physics.routing import Chance, Endpoint, Load, Request, Scheduler, read_config
from apps.physics.types import BlocksCleared, BlocksRemoved, BlocksStored

SCRAPE_SECONDS = 0.05
"""How often llm-d's picker reads the replicas' metrics."""


class Replica(Protocol):
    """A ready replica as the picker meets it."""

    @property
    def number(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def kv_usage(self) -> float: ...
    @property
    def engine(self) -> Any: ...


class Blocks:
    """A prompt by the chained hashes of its blocks of `width` tokens; other block sizes must be whole multiples."""

    __slots__ = ("_hashes", "_width", "tokens")

    def __init__(self, arrival: Arrival, width: int) -> None:
        self._hashes, self._width, self.tokens = arrival.block_hashes, width, arrival.prompt_tokens

    def hashes(self, block_tokens: int, most_blocks: int) -> Sequence[int]:
        return self.keys(block_tokens)[:most_blocks]

    def keys(self, block_tokens: int) -> Sequence[int]:
        # a chained hash stands for everything before it, so the last one of several blocks stands for all of them
        step = block_tokens // self._width
        return self._hashes if step == 1 else self._hashes[step - 1 :: step]


@dataclass(slots=True)
class _Known:
    """What the picker knows of a replica. pending: requests sent whose first token has not come, with what they have
    to compute."""

    endpoint: Endpoint
    load: Load
    pending: list[tuple[Seen, int]] = field(default_factory=list)
    learned: int = 0

    def inflight_tokens(self, now: float) -> int:
        self.pending = [(seen, tokens) for seen, tokens in self.pending if not seen.first or seen.first > now]
        return sum(tokens for _, tokens in self.pending)


class PickerRouter:
    """Executes `document` (an EndpointPickerConfig). block_tokens: of the trace's hashes and the engines' blocks.

    The replicas' load is as old as `scrape` seconds; KV events arrive at once. slo: (TTFT, TPOT) in seconds that every
    request allows, (0, 0): nothing is said.
    """

    routing = "picker"

    def __init__(
        self,
        document: Mapping[str, Any],
        chance: Chance,
        *,
        block_tokens: int,
        scrape: float = SCRAPE_SECONDS,
        slo: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        self.scheduler = Scheduler(read_config(document))
        self.decisions = 0
        self._chance, self._block_tokens, self._scrape, self._slo = chance, block_tokens, scrape, slo
        self._known: dict[int, _Known] = {}
        self._read_at = -1.0
        self._sent: list[tuple[routing.Decision, Endpoint, Seen]] = []

    def choose(self, arrival: Arrival, candidates: Sequence[Any], now: float) -> Any:
        """The replica for a request; `candidates` must not be empty."""
        self._look(candidates, now)
        prompt = Blocks(arrival, self._block_tokens)
        request = Request(prompt, slo_ttft=self._slo[0], slo_tpot=self._slo[1])
        by_key = {str(each.number): each for each in candidates}
        seen = [
            routing.Candidate(known.endpoint, known.load, each.in_flight, known.inflight_tokens(now))
            for each in candidates
            for known in (self._known[each.number],)
        ]
        decision = self.scheduler.schedule(request, seen, self._chance, now)
        if not isinstance(decision, routing.Decision):
            return candidates[0]
        self.decisions += 1
        self.scheduler.sent(decision)
        self._decision = decision
        return by_key[decision.chosen.key]

    def sent(self, seen: Seen, chosen: Any) -> None:
        """The request is at the replica that was chosen last."""
        decision, known = self._decision, self._known[chosen.number]
        known.pending.append((seen, self.scheduler.uncached(decision, known.endpoint)))
        if self.scheduler.predictor is not None:
            self._sent.append((decision, known.endpoint, seen))

    def forget(self, number: int) -> None:
        """A replica is gone."""
        self._known.pop(number, None)
        self.scheduler.forget(str(number))

    def cached_blocks(self, number: int) -> int:
        """Blocks that the picker believes a replica holds."""
        return self.scheduler.remembered(str(number))

    def _look(self, candidates: Sequence[Any], now: float) -> None:
        fresh = now - self._read_at >= self._scrape
        for each in candidates:
            key, known = str(each.number), self._known.get(each.number)
            if known is None or fresh:
                load = Load(each.waiting, each.engine.running, each.kv_usage)
                if known is None:
                    self._known[each.number] = _Known(Endpoint(key, key), load)
                else:
                    known.load = load
            if self.scheduler.precise:
                self._hear(key, each.engine.take_events())
        if fresh:
            self._read_at = now
            self._learn(now)

    def _hear(self, key: str, events: Sequence[Any]) -> None:
        for plugin in self.scheduler.precise:
            for event in events:
                if isinstance(event, BlocksStored):
                    plugin.index.hold(key, event.medium, event.hashes)
                elif isinstance(event, BlocksRemoved):
                    plugin.index.drop(key, event.medium, event.hashes)
                elif isinstance(event, BlocksCleared):
                    plugin.index.forget(key)

    def _learn(self, now: float) -> None:
        if self.scheduler.predictor is None:
            return
        left = []
        for decision, endpoint, seen in self._sent:
            if seen.last and seen.last <= now:
                tpot = seen.tpot if seen.arrival.output_tokens > 1 else None
                self.scheduler.seen(decision, endpoint, seen.first - seen.sent, tpot)
            else:
                left.append((decision, endpoint, seen))
        self._sent = left
