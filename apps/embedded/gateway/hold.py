"""Requests that no replica can serve yet wait here, first come first served, instead of being refused.

A request passes at once while a replica serves and nobody waits. Otherwise it is held until one is ready and awake, and
let go as far as the replicas have room, so that a first replica is not given everything that waited for several. The
queue lives in this process: what is held when it ends is answered 503.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

from apps.embedded.gateway.domain.flow import FlowControl, Outcome
from apps.embedded.gateway.fleet import Fleet
from apps.embedded.gateway.flow_metrics import FlowMetrics

# how often a held request looks whether its time is over
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Held:
    """What is told of a request that may be held. size: bytes of its body."""

    model: str
    fairness: str
    priority: str
    size: int
    since: float


@dataclass(slots=True, eq=False)
class _Ticket:
    held: Held
    gone: asyncio.Future[Outcome] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class HoldQueue:
    """The queue in front of a fleet. With `limits` None nothing is held."""

    def __init__(self, fleet: Fleet, limits: FlowControl | None, metrics: FlowMetrics) -> None:
        self._fleet, self._limits, self._metrics = fleet, limits, metrics
        self._tickets: deque[_Ticket] = deque()
        self._bytes = 0
        # let go but not yet sent: they take room that the fleet does not see
        self._leaving = 0
        self._closed = False
        fleet.changed = self.release
        fleet.held = lambda: bool(self._tickets)

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
        if limits is None or (not self._tickets and not self._closed and self._fleet.serving()):
            return Outcome.DISPATCHED
        if self._closed:
            return self._refused(held, Outcome.EVICTED_OTHER)
        if len(self._tickets) >= limits.max_requests or self._bytes + held.size > limits.max_bytes:
            return self._refused(held, Outcome.REJECTED_CAPACITY)
        ticket = _Ticket(held)
        self._enter(ticket)
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
            self._metrics.left(
                held.fairness, held.priority, held.model, outcome, max(time.monotonic() - held.since, 0.0)
            )

    def release(self) -> None:
        """Let go as many as the replicas have room for, the oldest first."""
        if not self._tickets or self._limits is None:
            return
        room = self._fleet.room(self._limits.max_concurrency) - self._leaving
        while self._tickets and room > 0:
            self._let_go(self._tickets[0], Outcome.DISPATCHED)
            self._leaving += 1
            room -= 1

    def close(self) -> None:
        """The picker ends: nothing is held any more, and what is held is refused."""
        self._closed = True
        for ticket in list(self._tickets):
            self._let_go(ticket, Outcome.EVICTED_OTHER)

    async def _turn(self, ticket: _Ticket, limits: FlowControl) -> Outcome:
        while True:
            serving = self._fleet.serving()
            left = ticket.held.since + (limits.request_ttl if serving else limits.no_endpoint_ttl) - time.monotonic()
            if left <= 0 and not ticket.gone.done():
                return Outcome.EVICTED_TTL if serving else Outcome.EVICTED_NO_ENDPOINTS
            done, _ = await asyncio.wait({ticket.gone}, timeout=min(left, _LOOK_S))
            if done:
                return ticket.gone.result()

    def _let_go(self, ticket: _Ticket, outcome: Outcome) -> None:
        self._leave(ticket)
        ticket.gone.set_result(outcome)

    def _refused(self, held: Held, outcome: Outcome) -> Outcome:
        self._metrics.left(held.fairness, held.priority, held.model, outcome, 0.0)
        return outcome

    def _enter(self, ticket: _Ticket) -> None:
        self._tickets.append(ticket)
        self._count(ticket.held, 1)

    def _leave(self, ticket: _Ticket) -> None:
        if ticket in self._tickets:
            self._tickets.remove(ticket)
            self._count(ticket.held, -1)

    def _count(self, held: Held, sign: int) -> None:
        self._bytes += sign * held.size
        self._metrics.held(held.fairness, held.priority, held.model, sign, sign * held.size)
        self._metrics.queue(len(self._tickets), self._bytes, held.priority)
