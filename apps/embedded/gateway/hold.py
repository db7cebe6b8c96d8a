"""Requests that no replica can serve yet wait here instead of being refused, in the order of their configuration.

A request passes at once while a replica serves, nobody waits and the pool is not full (where a detector is configured
that tells). Otherwise it is held until one is ready and awake, and let go as far as the replicas have room, so that a
first replica is not given everything that waited for several. The queue lives in this process: what is held when it
ends is answered 503.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from apps.embedded.gateway.fleet import Fleet
from apps.embedded.gateway.flow_metrics import FlowMetrics
from apps.physics.routing.flow import FlowControl, FlowQueue, Outcome, Waiting

# how often a held request looks whether its time is over
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Held:
    """What is told of a request that may be held. size: bytes of its body. slo_ttft: seconds to its first token that
    its client allows; 0: it says nothing."""

    model: str
    fairness: str
    priority: int
    size: int
    since: float
    slo_ttft: float = 0.0


@dataclass(slots=True, eq=False)
class _Ticket:
    held: Held
    gone: asyncio.Future[Outcome] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class HoldQueue:
    """The queue in front of a fleet. With `limits` None nothing is held."""

    def __init__(self, fleet: Fleet, limits: FlowControl | None, metrics: FlowMetrics) -> None:
        self._fleet, self._limits, self._metrics = fleet, limits, metrics
        self._tickets: FlowQueue[_Ticket] = FlowQueue(limits or FlowControl())
        self._waiting: dict[_Ticket, Waiting[_Ticket]] = {}
        # let go but not yet sent: they take room that the fleet does not see
        self._leaving = 0
        self._closed = False
        fleet.changed = self.release
        fleet.held = lambda: len(self._tickets) > 0

    @property
    def limits(self) -> FlowControl | None:
        return self._limits

    def __len__(self) -> int:
        return len(self._tickets)

    async def admit(self, held: Held) -> Outcome:
        """Wait until the request may be sent (DISPATCHED) or not at all (any other outcome).

        The caller sends it without waiting for anything else first.
        """
        limits = self._limits
        if limits is None:
            return Outcome.DISPATCHED
        if not self._tickets and not self._closed and self._fleet.serving() and not self._full(limits):
            return Outcome.DISPATCHED
        if self._closed:
            return self._refused(held, Outcome.EVICTED_OTHER)
        if not self._tickets.fits(held.priority, held.size):
            return self._refused(held, Outcome.REJECTED_CAPACITY)
        ticket = _Ticket(held)
        self._enter(ticket, limits)
        self.release()
        outcome = Outcome.EVICTED_CANCELLED
        try:
            outcome = await self._turn(ticket, limits)
            return outcome
        finally:
            if ticket.gone.done() and ticket.gone.result() is Outcome.DISPATCHED:
                self._leaving -= 1
                if outcome is not Outcome.DISPATCHED:
                    self.release()
            else:
                self._leave(ticket)
            waited = max(time.monotonic() - held.since, 0.0)
            self._metrics.left(held.fairness, str(held.priority), held.model, outcome, waited)

    def release(self) -> None:
        """Let go as many as the replicas have room for."""
        limits = self._limits
        if not self._tickets or limits is None:
            return
        room = self._room(limits) - self._leaving
        while room > 0 and (waiting := self._tickets.next()) is not None:
            self._gone(waiting)
            waiting.ticket.gone.set_result(Outcome.DISPATCHED)
            self._leaving += 1
            room -= 1

    def close(self) -> None:
        """The picker ends: nothing is held any more, and what is held is refused."""
        self._closed = True
        for waiting in self._tickets.everybody():
            self._leave(waiting.ticket)
            waiting.ticket.gone.set_result(Outcome.EVICTED_OTHER)

    def _room(self, limits: FlowControl) -> float:
        room: float = self._fleet.room(limits.max_concurrency)
        return min(room, limits.detector.room(self._fleet.candidates())) if limits.detector else room

    def _full(self, limits: FlowControl) -> bool:
        return limits.detector is not None and self._room(limits) - self._leaving <= 0

    async def _turn(self, ticket: _Ticket, limits: FlowControl) -> Outcome:
        while True:
            serving = self._fleet.serving()
            left = ticket.held.since + (limits.request_ttl if serving else limits.no_endpoint_ttl) - time.monotonic()
            if left <= 0 and not ticket.gone.done():
                return Outcome.EVICTED_TTL if serving else Outcome.EVICTED_NO_ENDPOINTS
            done, _ = await asyncio.wait({ticket.gone}, timeout=min(left, _LOOK_S))
            if done:
                return ticket.gone.result()

    def _refused(self, held: Held, outcome: Outcome) -> Outcome:
        self._metrics.left(held.fairness, str(held.priority), held.model, outcome, 0.0)
        return outcome

    def _enter(self, ticket: _Ticket, limits: FlowControl) -> None:
        held = ticket.held
        due = held.since + held.slo_ttft if held.slo_ttft else float("inf")
        until = held.since + limits.request_ttl
        waiting = Waiting(ticket, held.priority, held.fairness, held.size, held.since, until, due)
        self._waiting[ticket] = waiting
        self._tickets.add(waiting)
        self._count(held, 1)

    def _leave(self, ticket: _Ticket) -> None:
        waiting = self._waiting.get(ticket)
        if waiting is not None and self._tickets.remove(waiting):
            self._gone(waiting)

    def _gone(self, waiting: Waiting[_Ticket]) -> None:
        """It was taken out of the queue."""
        del self._waiting[waiting.ticket]
        self._count(waiting.ticket.held, -1)

    def _count(self, held: Held, sign: int) -> None:
        priority = str(held.priority)
        self._metrics.held(held.fairness, priority, held.model, sign, sign * held.size)
        self._metrics.queue(len(self._tickets), self._tickets.bytes, priority)
