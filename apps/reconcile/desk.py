"""Where a process's threads hand in what they have done and get the next keys, together: one transaction for many.

While one thread is at the database for all, what the others bring meanwhile waits for the next turn. So a quiet queue
costs no delay, and a busy one few transactions (group commit).
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from django.db import InterfaceError, OperationalError, transaction

from apps.reconcile import services
from apps.reconcile.domain.dealing import full, hand_size, smoothed
from apps.reconcile.domain.fairness import share
from apps.reconcile.domain.outcomes import Outcome, Retry
from apps.reconcile.queue import Lease

log = logging.getLogger(__name__)

Finished = tuple[Lease, Outcome]
_MOST_SHARDS = 1000


@dataclass
class _Ticket:
    """What one thread brings and wants. `lost`: of what it brought, the keys whose lease was not held to the end."""

    finished: list[Finished]
    wants: bool
    settled: bool = False
    lost: list[Lease] = field(default_factory=list)
    hand: list[Lease] = field(default_factory=list)
    error: BaseException | None = None


class Desk:
    """One per process. `kinds`: of keys that are wanted; `threads`: how many work here at most."""

    def __init__(self, kinds: Callable[[], list[str]], threads: Callable[[], int]) -> None:
        self._kinds, self._threads = kinds, threads
        self._changed = threading.Condition()
        self._waiting: list[_Ticket] = []
        self._working: dict[str, str] = {}
        self._leading = False
        self._seconds: dict[str, float] = {}

    def exchange(self, finished: Sequence[Finished], *, wants: bool = True) -> tuple[list[Lease], list[Lease]]:
        """Settle what was done, and take the next hand if it `wants` one. Raises DatabaseError, InterfaceError.

        Returns the keys whose lease had been lost, and those of the next hand: all of one shard, mostly one.
        """
        ticket = _Ticket(list(finished), wants)
        with self._changed:
            self._waiting.append(ticket)
            self._changed.wait_for(lambda: ticket.settled or not self._leading)
            if not ticket.settled:
                self._leading = True
        if not ticket.settled:
            self._lead(ticket)
        if ticket.error is not None:
            raise ticket.error
        return ticket.lost, ticket.hand

    def forget(self, hand: Sequence[Lease]) -> None:
        """Nobody works on these keys here any more, and nothing is settled: their leases run out."""
        with self._changed:
            for lease in hand:
                self._working.pop(lease.hand, None)

    def took(self, shard: str, seconds: float) -> None:
        """A key of a shard took so long: how many of its keys are taken at once follows from it."""
        with self._changed:
            self._seconds[shard] = smoothed(self._seconds.pop(shard, None), seconds)
            while len(self._seconds) > _MOST_SHARDS:
                self._seconds.pop(next(iter(self._seconds)))

    def full(self, hand: Sequence[Lease]) -> bool:
        """Whether it holds so many keys that there are more of them, mostly."""
        with self._changed:
            size = hand_size(self._seconds.get(hand[0].shard))
        return full(len(hand), size)

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
        """One transaction. Returns the tickets for which there may be another hand."""
        asking = [ticket for ticket in batch if ticket.wants]
        bring = [ticket for ticket in batch if ticket.finished]
        for ticket in bring:
            # whatever becomes of the transaction: nobody works on it here any more
            self.forget([lease for lease, _ in ticket.finished])
        try:
            try:
                with transaction.atomic():
                    self._finish(bring)
                    hands, full = self._claim(len(asking)) if asking else ([], False)
                self._finish_alone(bring)
            except (OperationalError, InterfaceError):
                raise
            except Exception:
                if not bring:
                    raise
                log.exception("what was done cannot be written down together: one by one")
                self._one_by_one(bring)
                return batch
        except BaseException as error:
            for ticket in batch:
                self._settle(ticket, error)
            return []
        for ticket in bring:
            ticket.finished = []
        left = asking[len(hands) :] if full else []
        for ticket, hand in zip(asking, hands, strict=False):
            ticket.hand = hand
            with self._changed:
                self._working[hand[0].hand] = hand[0].shard
        for ticket in batch:
            if ticket not in left:
                self._settle(ticket, None)
        return left

    @staticmethod
    def _finish(tickets: list[_Ticket]) -> None:
        done = [one for ticket in tickets for one in ticket.finished]
        if not done:
            return
        held = iter(services.finish_several(done))
        for ticket in tickets:
            ticket.lost = [lease for lease, _ in ticket.finished if not next(held)]

    @staticmethod
    def _finish_alone(tickets: list[_Ticket]) -> None:
        """What was left out of the transaction because its row was locked is waited for, with nothing else held."""
        if sum(len(ticket.finished) for ticket in tickets) < 2:
            return
        for ticket in tickets:
            outcomes = {lease.fence: outcome for lease, outcome in ticket.finished}
            ticket.lost = [lease for lease in ticket.lost if not _alone(lease, outcomes[lease.fence])]

    @staticmethod
    def _one_by_one(tickets: list[_Ticket]) -> None:
        for ticket in tickets:
            ticket.lost = [lease for lease, outcome in ticket.finished if not _alone(lease, outcome)]
            ticket.finished = []

    def _claim(self, asking: int) -> tuple[list[list[Lease]], bool]:
        with self._changed:
            found = share(Counter(self._working.values()), self._threads(), asking)
            sizes = {shard: hand_size(seconds) for shard, seconds in self._seconds.items()}
        holder = f"{socket.gethostname()}:{os.getpid()}"
        leases = services.claim_several(kinds=self._kinds(), holder=holder, share=found, sizes=sizes)
        hands: dict[str, list[Lease]] = {}
        for lease in leases:
            hands.setdefault(lease.hand, []).append(lease)
        return list(hands.values()), len(hands) == found.most

    @staticmethod
    def _settle(ticket: _Ticket, error: BaseException | None) -> None:
        ticket.error, ticket.settled = error, True


def _alone(lease: Lease, outcome: Outcome) -> bool:
    """Settle one key. What cannot be written down is tried again later: it is no reason to keep the others."""
    try:
        return services.finish(lease, outcome)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.exception("%s %s: what was done cannot be written down", lease.kind, lease.uid)
        return services.finish(lease, Retry(f"{type(error).__name__}: {error}"))
