"""Claims keys and runs their controllers. Knows keys and outcomes, nothing of what is reconciled."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from apps.core import instruments, logs, tracing
from apps.reconcile import services, wakeup
from apps.reconcile.desk import Desk, Finished
from apps.reconcile.domain.dealing import PATIENCE_SECONDS
from apps.reconcile.domain.outcomes import Outcome, Retry, Superseded, Told, Untouched
from apps.reconcile.queue import LEASE_SECONDS, Lease

log = logging.getLogger(__name__)

Controller = Callable[[Lease], Outcome]
# reads what is needed of several keys at once: a controller that has it at hand
Prepare = Callable[[Sequence[Lease]], Controller]
# what is opened before the keys of a hand are worked on, and closed before they are settled
Around = Callable[[], AbstractContextManager[None]]
# every key that must be in the queue, with its shard
Keys = Callable[[], Iterable[tuple[UUID, str]]]

LONGEST_HOLD_SECONDS = 600.0  # a controller that takes longer hangs: its lease is no longer renewed


@dataclass(frozen=True)
class _Registered:
    controller: Controller
    list_keys: Keys | None
    prepare: Prepare | None = None
    around: Around = nullcontext


_controllers: dict[str, _Registered] = {}


def register_controller(
    kind: str,
    controller: Controller,
    *,
    keys: Keys | None = None,
    prepare: Prepare | None = None,
    around: Around = nullcontext,
    recorder: services.Recorder | None = None,
) -> None:
    """Let `controller` reconcile objects of `kind`; `keys` lists those that the resync must find in the queue.

    `prepare` reads for several keys at once, `recorder` writes what controllers tell with their outcomes. `around`: a
    block around the work on the keys of a hand, which ends before they are settled.
    """
    _controllers[kind] = _Registered(controller, keys, prepare, around)
    if recorder is not None:
        services.register_recorder(kind, recorder)


def registered_kinds() -> list[str]:
    return sorted(_controllers)


def drain(budget: float = 10.0) -> int:
    """Work on due keys until there are none or `budget` seconds have passed. Returns how many were worked on.

    A first hand is worked on however little time there is: a worker that was not given a processor for that long would
    go home with nothing done. Several threads and processes may drain at once. A database that is away ends the round;
    the leases expire.
    """
    end = time.monotonic() + budget
    worked = 0
    done: list[Finished] = []
    try:
        while True:
            hand = _exchange(done, wants=not worked or time.monotonic() < end)
            if not hand:
                break
            if _desk.full(hand):
                # whoever has nothing to do takes the next one, and wakes another in turn
                wakeup.request()
            try:
                done = _work_off(hand)
            except BaseException:
                _desk.forget(hand)
                raise
            worked += sum(not isinstance(outcome, Untouched) for _, outcome in done)
    except (DatabaseError, InterfaceError) as error:
        log.warning("draining the queue stopped, the database is away: %s", error)
        connection.close()
    return worked


def _exchange(done: Sequence[Finished], *, wants: bool) -> list[Lease]:
    if not done and not wants:
        return []
    lost, hand = _desk.exchange(done, wants=wants)
    for lease in lost:
        log.info("%s %s: the lease was lost before its end", lease.kind, lease.uid)
    return hand


_desk = Desk(registered_kinds, lambda: settings.RECONCILE_THREADS)


def _work_off(hand: Sequence[Lease]) -> list[Finished]:
    """Work on the keys of a hand one after another; where that takes long, others may have the rest."""
    started = begun = time.monotonic()
    done: list[Finished] = []
    with _keeper.keep(hand), ExitStack() as around:
        for kind in {lease.kind for lease in hand}:
            around.enter_context(_controllers[kind].around())
        controllers = _prepared(hand)
        for lease in hand:
            if done and begun - started > PATIENCE_SECONDS:
                done.append((lease, Untouched()))
                continue
            done.append((lease, _work(lease, controllers[lease.kind])))
            ended = time.monotonic()
            _desk.took(lease.shard, ended - begun)
            begun = ended
    return done


def _prepared(hand: Sequence[Lease]) -> dict[str, Controller]:
    """Controllers of the kinds of a hand, with what they need of its keys at hand where that is more than one."""
    found = {}
    for kind in {lease.kind for lease in hand}:
        registered = _controllers[kind]
        keys = [lease for lease in hand if lease.kind == kind]
        found[kind] = registered.controller
        if registered.prepare is None or len(keys) < 2:
            continue
        try:
            found[kind] = registered.prepare(keys)
        except (DatabaseError, InterfaceError):
            raise
        except Exception:
            log.exception("reading of %d keys of %s at once failed: one by one", len(keys), kind)
    return found


def reconcile(lease: Lease) -> Outcome:
    """Run the controller of one claimed key and settle it."""
    registered = _controllers[lease.kind]
    with _keeper.keep([lease]), registered.around():
        outcome = _work(lease, registered.controller)
    services.finish(lease, outcome)
    return outcome


def _work(lease: Lease, controller: Controller) -> Outcome:
    started = time.monotonic()
    about = f"{lease.kind}/{lease.uid}#{lease.fence}"
    with logs.bound(reconcile=about), instruments.taken(instruments.reconcile_seconds, kind=lease.kind) as labels:
        labels["outcome"] = "broken"
        with tracing.span("reconcile", kind=lease.kind, uid=str(lease.uid)):
            outcome = _run(lease, controller)
        plain = outcome.outcome if isinstance(outcome, Told) else outcome
        labels["outcome"] = type(plain).__name__.lower()
        log.log(
            logging.DEBUG if not isinstance(plain, Retry) else logging.INFO,
            "%s %s: %s in %.2f s",
            lease.kind,
            lease.uid,
            plain,
            time.monotonic() - started,
        )
    return outcome


def _run(lease: Lease, controller: Controller) -> Outcome:
    try:
        return controller(lease)
    except services.LeaseLost:
        return Superseded()
    except (DatabaseError, InterfaceError):
        raise
    except Exception as error:
        log.exception("reconciling %s %s failed", lease.kind, lease.uid)
        return Retry(f"{type(error).__name__}: {error}")


def resync() -> int:
    """Put every key that fell out of the queue back in. Returns how many were missing."""
    missing = 0
    for kind, registered in list(_controllers.items()):
        if registered.list_keys is None:
            continue
        by_shard: dict[str, list[UUID]] = {}
        for uid, shard in registered.list_keys():
            by_shard.setdefault(shard, []).append(uid)
        for shard, uids in by_shard.items():
            missing += services.enqueue_missing(kind=kind, uids=uids, shard=shard)
    return missing


class _LeaseKeeper:
    """Renews the leases of this process's running controllers from one thread."""

    def __init__(self) -> None:
        self._held: dict[int, tuple[Lease, float]] = {}
        self._changed = threading.Condition()
        self._process = 0

    @contextmanager
    def keep(self, leases: Sequence[Lease]) -> Iterator[None]:
        with self._changed:
            self._held |= {lease.fence: (lease, time.monotonic()) for lease in leases}
            if self._process != os.getpid():
                self._process = os.getpid()
                threading.Thread(target=self._renew_forever, name="reconcile-leases", daemon=True).start()
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                for lease in leases:
                    self._held.pop(lease.fence, None)

    def _renew_forever(self) -> None:
        while True:
            with self._changed:
                while not self._held:
                    connection.close()
                    self._changed.wait()
            time.sleep(LEASE_SECONDS / 3)
            with self._changed:
                now = time.monotonic()
                due = [lease for lease, since in self._held.values() if now - since < LONGEST_HOLD_SECONDS]
            for lease in due:
                try:
                    services.renew(lease)
                except (DatabaseError, InterfaceError) as error:
                    log.warning("the lease on %s %s was not renewed: %s", lease.kind, lease.uid, error)
                    connection.close()


_keeper = _LeaseKeeper()
