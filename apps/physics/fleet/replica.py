"""One replica's engine as the fleet drives it: the exact one, where prefixes are shared; the jumping one elsewhere."""

from __future__ import annotations

import math
from typing import Protocol

from apps.physics.engine import Engine
from apps.physics.fleet.types import Load, Seen
from apps.physics.frontend import Frontend, FrontendModel
from apps.physics.steptime import StepTimeModel
from apps.physics.tiers import Tiers
from apps.physics.types import BlockEvent, EngineConfig, Request, StepPlan

INFINITY = math.inf


class ReplicaEngine(Protocol):
    """What the fleet needs of an engine. `load` and `ended` are emptied by the fleet at every tick."""

    load: Load
    ended: list[Seen]

    def advance(self, until: float) -> None: ...
    def send(self, seen: Seen) -> None: ...
    def kill(self) -> list[Seen]: ...

    @property
    def running(self) -> int: ...
    @property
    def waiting(self) -> int: ...
    @property
    def waiting_tokens(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def kv_usage(self) -> float: ...


class ExactEngine:
    """`Engine` behind its frontend, step by step: prefix cache, priorities, everything."""

    def __init__(
        self,
        config: EngineConfig,
        step_time: StepTimeModel,
        frontend: FrontendModel,
        slow: float = 1.0,
        tiers: Tiers | None = None,
    ) -> None:
        self.load = Load()
        self.ended: list[Seen] = []
        self._engine = Engine(config, step_time, tiers)
        self._frontend: Frontend[Seen] = Frontend(frontend)
        self._half = frontend.latency / 2
        self._slow = slow
        self._seen: dict[str, Seen] = {}
        self._plan: StepPlan | None = None
        self._ends = 0.0
        self._in_flight = 0
        self._events: list[BlockEvent] = []

    def send(self, seen: Seen) -> None:
        self.advance(seen.sent + self._half)
        self._in_flight += 1
        self._frontend.arrive(seen, seen.sent, seen.arrival.prompt_tokens)

    def advance(self, until: float) -> None:
        while True:
            if self._plan is None:
                begin = max(self._ends, min(self._frontend.next_through, self._engine.wake_at))
                if begin >= until:
                    return
                self._deliver(begin)
                self._begin(begin)
                continue
            if self._ends >= until:
                return
            self._finish(self._ends)

    def take_events(self) -> list[BlockEvent]:
        """What happened to the cache since it was last asked, where the engine's settings say `kv_events`."""
        events, self._events = self._events, []
        return events

    def kill(self) -> list[Seen]:
        lost = list(self._seen.values()) + [seen for _at, seen in self._frontend.through(INFINITY)]
        self._seen.clear()
        self._in_flight = 0
        return lost

    @property
    def running(self) -> int:
        return self._engine.gauges().running

    @property
    def waiting(self) -> int:
        return self._engine.gauges().waiting

    @property
    def waiting_tokens(self) -> int:
        return sum(seen.arrival.prompt_tokens for seen in self._seen.values() if not seen.first)

    @property
    def in_flight(self) -> int:
        return self._in_flight

    @property
    def kv_usage(self) -> float:
        return self._engine.gauges().kv_usage

    def _deliver(self, until: float) -> None:
        for at, seen in self._frontend.through(until):
            arrival = seen.arrival
            name = str(arrival.index)
            self._seen[name] = seen
            self._engine.submit(
                Request(name, at, arrival.prompt_tokens, arrival.block_hashes, arrival.output_tokens), at
            )

    def _begin(self, now: float) -> None:
        self._plan = self._engine.next_step(now)
        self._ends = now if self._plan is None else now + self._plan.duration * self._slow

    def _finish(self, now: float) -> None:
        plan = self._plan
        assert plan is not None
        self._deliver(now)
        result = self._engine.finish_step(now)
        visible = self._frontend.stream(now, len(result.tokens))
        self._events += result.block_events
        load = self.load
        load.steps += 1
        load.busy_seconds += plan.duration * self._slow
        load.prefill_tokens += plan.load.prefill_tokens
        load.generation_tokens += len(result.tokens) + sum(result.accepted.values())
        load.gaps(plan.duration * self._slow, len(result.tokens) - len(result.first_tokens))
        for name in result.first_tokens:
            self._seen[name].first = visible
            load.first_tokens.append(self._seen[name])
        for finished in result.finished:
            seen = self._seen.pop(finished.request_id)
            seen.last = visible
            seen.hit_tokens = finished.cached_tokens
            load.prompt_tokens += finished.prompt_tokens
            load.cached_tokens += finished.cached_tokens
            load.preemptions += finished.preemptions
            self._in_flight -= 1
            self.ended.append(seen)
        self._begin(now)
