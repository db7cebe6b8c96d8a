"""Where a process's threads hand in what they have done and get the next keys, together: one transaction for many.

While one thread is at the database for all, what the others bring meanwhile waits for the next turn. So a quiet queue
costs no delay, and a busy one few transactions (group commit).
"""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction

from apps.reconcile import services
from apps.reconcile.domain.fairness import share
from apps.reconcile.domain.outcomes import Outcome
from apps.reconcile.queue import Lease

Finished = tuple[Lease, Outcome]


@dataclass
class _Ticket:
    """What one thread brings and wants. `held`: whether the lease of what it brought was held to the end."""

    finished: Finished | None
    wants: bool
    settled: bool = False
    held: bool = True
    lease: Lease | None = None
    error: BaseException | None = None


class Desk:
    """One per process. `kinds`: of keys that are wanted; `threads`: how many work here at most."""

    def __init__(self, kinds: Callable[[], list[str]], threads: Callable[[], int]) -> None:
        self._kinds, self._threads = kinds, threads
        self._changed = threading.Condition()
        self._waiting: list[_Ticket] = []
        self._working: dict[int, str] = {}
        self._leading = False

    def exchange(self, finished: Finished | None, *, wants: bool = True) -> tuple[bool, Lease | None]:
        """Settle what was done, and take the next key if it `wants` one. Raises DatabaseError, InterfaceError.

        Returns whether the lease of what was done had been held, and the next key or None.
        """
        ticket = _Ticket(finished, wants)
        with self._changed:
            self._waiting.append(ticket)
            self._changed.wait_for(lambda: ticket.settled or not self._leading)
            if not ticket.settled:
                self._leading = True
        if not ticket.settled:
            self._lead(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.held, ticket.lease

    def forget(self, lease: Lease) -> None:
        """Nobody works on this key here any more, and nothing is settled: its lease runs out."""
        with self._changed:
            self._working.pop(lease.fence, None)

    def _lead(self, mine: _Ticket) -> None:
        """Go to the database for everybody who waits, until one's own ticket is settled."""
        try:
            while not mine.settled:
                with self._changed:
                    batch, self._waiting = self._waiting, []
                left = self._turn(batch)
                with self._changed:
                    self._waiting = [*left, *self._waiting]
                    self._changed.notify_all()
        finally:
            with self._changed:
                self._leading = False
                self._changed.notify_all()

    def _turn(self, batch: list[_Ticket]) -> list[_Ticket]:
        """One transaction. Returns the tickets for which there may be another key."""
        try:
            with transaction.atomic():
                self._finish([ticket for ticket in batch if ticket.finished is not None])
                asking = [ticket for ticket in batch if ticket.wants]
                leases, full = self._claim(len(asking)) if asking else ([], False)
            self._finish_alone(batch)
        except BaseException as error:
            for ticket in batch:
                self._settle(ticket, error)
            return []
        for ticket in batch:
            ticket.finished = None
        left = asking[len(leases) :] if full else []
        for ticket, lease in zip(asking, leases, strict=False):
            ticket.lease = lease
            with self._changed:
                self._working[lease.fence] = lease.shard
        for ticket in batch:
            if ticket not in left:
                self._settle(ticket, None)
        return left

    def _finish(self, tickets: list[_Ticket]) -> None:
        done = [ticket.finished for ticket in tickets if ticket.finished is not None]
        if not done:
            return
        for lease, _ in done:
            # whatever becomes of the transaction: nobody works on it here any more
            self.forget(lease)
        for ticket, held in zip(tickets, services.finish_several(done), strict=True):
            ticket.held = held

    @staticmethod
    def _finish_alone(batch: list[_Ticket]) -> None:
        """What was left out of the transaction because its row was locked is waited for, with nothing else held."""
        for ticket in batch if len(batch) > 1 else ():
            if ticket.finished is not None and not ticket.held:
                ticket.held = services.finish(*ticket.finished)

    def _claim(self, asking: int) -> tuple[list[Lease], bool]:
        found = share(Counter(self._working.values()), self._threads(), asking)
        holder = f"{socket.gethostname()}:{os.getpid()}"
        leases = services.claim_several(kinds=self._kinds(), holder=holder, share=found)
        return leases, len(leases) == found.most

    @staticmethod
    def _settle(ticket: _Ticket, error: BaseException | None) -> None:
        ticket.error, ticket.settled = error, True
