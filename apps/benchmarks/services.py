"""Writes: asking for a load and for its end, what its worker tells of it, clearing up."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Literal
from urllib.parse import urlsplit
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from apps.audit.services import record_event
from apps.benchmarks.domain.asking import LoadBody
from apps.benchmarks.domain.tally import Promise
from apps.benchmarks.domain.telling import ending
from apps.benchmarks.models import DONE, FAILED, LOST, QUEUED, RUNNING, STOPPED, UNFINISHED, LoadRun
from apps.core import changes, clock
from apps.core.domain.addresses import refused_inside
from apps.core.domain.conditions import format_time
from apps.core.domain.refusals import Clash
from apps.core.locks import in_turn
from apps.pools import selectors as pools
from apps.pools.models import Pool
from apps.slos.selectors import slos_of_pool

__all__ = ["address_of", "ask", "clear_up", "finish", "forget", "request_stop", "take", "touch"]

SOURCE = "load"
KEPT = 50
MOST_UNFINISHED = 8
# two that ask at once must not count each other out
_COUNTING = 0x6C6F616473
# a worker says each second that it lives; a run that it is silent about for so long is lost
SILENT = timedelta(seconds=20)
# nobody took it
_WAITED = timedelta(minutes=2)
_SEND_AGAIN = timedelta(seconds=10)
_MOST_PROMISES = 32


def ask(*, pool: Pool, body: LoadBody, actor: str, request_id: str) -> LoadRun:
    """Queue a load. Raises Clash while the pool has one, has no address, or the installation has enough."""
    address_of(pool)
    now = clock.now()
    try:
        with transaction.atomic():
            in_turn(_COUNTING)
            if LoadRun.objects.filter(status__in=UNFINISHED).count() >= MOST_UNFINISHED:
                raise Clash(f"{MOST_UNFINISHED} loads are under way in this installation: wait for one, or stop one.")
            run: LoadRun = LoadRun.objects.create(
                pool=pool.uid,
                team=pool.team,
                name=pool.name,
                generation=pool.generation,
                label=body.label,
                request=body.to_document(),
                promises=[promise.to_json() for promise in _promises(pool)],
                created_by=actor,
                created_at=now,
            )
            _record(run, actor, request_id, {"load": None}, {"load": body.sentence})
            return run
    except IntegrityError:
        other = LoadRun.objects.filter(pool=pool.uid, status__in=UNFINISHED).first()
        since = f", since {format_time(other.created_at)}" if other else ""
        raise Clash(f"{pool.key} is under a load already{since}: wait for its end, or stop it.") from None


def request_stop(*, run: LoadRun, actor: str, request_id: str) -> LoadRun:
    """Ask the worker to end a load; one that nobody took yet is over at once. Raises Clash when it is over."""
    now = clock.now()
    with transaction.atomic():
        held: LoadRun = LoadRun.objects.select_for_update().get(id=run.id)
        if held.status not in UNFINISHED:
            raise Clash(f"This load is over already: {held.status}.")
        if held.stop_requested_at is None:
            held.stop_requested_at = now
            held.save(update_fields=["stop_requested_at"])
            said = LoadBody.from_document(held.request, at="").sentence
            _record(held, actor, request_id, {"load": said}, {"load": "to be stopped"})
    if held.status == QUEUED:
        finish(held.id, STOPPED)
        held.refresh_from_db()
    return held


def take(identity: UUID) -> LoadRun | None:
    """Have a queued load for oneself; None where another has it, or it is over."""
    now = clock.now()
    if not LoadRun.objects.filter(id=identity, status=QUEUED).update(
        status=RUNNING, started_at=now, touched_at=now, ready_at_start=_ready(identity)
    ):
        return None
    run: LoadRun = LoadRun.objects.get(id=identity)
    _tell(run, "Normal", "LoadStarted", f"A load began: {LoadBody.from_document(run.request, at='').sentence}.")
    return run


def touch(run: LoadRun, measured: Mapping[str, Any] | None) -> Literal["on", "stop", "gone"]:
    """Say that a load goes on, with what it measured; answers whether it shall."""
    values: dict[str, Any] = {"touched_at": clock.now()} | ({} if measured is None else {"measured": measured})
    if not LoadRun.objects.filter(id=run.id, status=RUNNING).update(**values):
        return "gone"
    asked = LoadRun.objects.filter(id=run.id, stop_requested_at__isnull=False).exists()
    living = Pool.objects.living().filter(uid=run.pool).exists()
    return "stop" if asked or not living else "on"


def finish(identity: UUID, status: str, *, message: str = "", measured: Mapping[str, Any] | None = None) -> bool:
    """End a load that is not over; False where it is. Its sentence goes to the timeline."""
    with transaction.atomic():
        run = LoadRun.objects.select_for_update().filter(id=identity, status__in=UNFINISHED).first()
        if run is None:
            return False
        run.status, run.finished_at = status, clock.now()
        if measured is not None:
            run.measured = measured
        run.ready_at_end = _ready(identity)
        run.message = ending(status, run.measured, message)
        run.save(update_fields=["status", "finished_at", "measured", "ready_at_end", "message"])
        reason = {DONE: "LoadDone", STOPPED: "LoadStopped", FAILED: "LoadFailed", LOST: "LoadLost"}[status]
        _tell(run, "Normal" if status in (DONE, STOPPED) else "Warning", reason, run.message)
        return True


def clear_up() -> list[UUID]:
    """Say which loads were lost with their workers; those that are queued and nobody took, to be sent again."""
    now = clock.now()
    silent = Q(status=RUNNING, touched_at__lt=now - SILENT)
    for identity in LoadRun.objects.filter(silent).values_list("id", flat=True):
        finish(identity, LOST)
    for identity in LoadRun.objects.filter(status=QUEUED, created_at__lt=now - _WAITED).values_list("id", flat=True):
        finish(identity, FAILED, message="No worker took it; see whether one runs")
    waiting = LoadRun.objects.filter(status=QUEUED, created_at__lt=now - _SEND_AGAIN).order_by("created_at")
    return list(waiting.values_list("id", flat=True)[:MOST_UNFINISHED])


def forget() -> None:
    """Keep the newest loads of each pool, and none of pools that are gone."""
    over = LoadRun.objects.exclude(status__in=UNFINISHED)
    over.exclude(pool__in=Pool.objects.values("uid")).delete()
    for pool in over.values_list("pool", flat=True).distinct():
        old = over.filter(pool=pool).order_by("-created_at").values_list("id", flat=True)[KEPT:]
        LoadRun.objects.filter(id__in=list(old)).delete()


def address_of(pool: Pool) -> str:
    """Where the pool's users send their requests. Raises Clash where there is none, or it may not be called."""
    address = pool.status.get("endpoint")
    if not address:
        raise Clash(f"{pool.key} has no address yet: it appears when the pool's service exists.")
    host = urlsplit(str(address)).hostname or ""
    # names are resolved by the cluster; addresses are checked
    why = refused_inside(host) if host.replace(".", "").isdigit() or ":" in host else None
    if why is not None:
        raise Clash(f"The address of {pool.key} may not be called: {host} {why}.")
    return str(address)


def _promises(pool: Pool) -> list[Promise]:
    """What is promised of all requests of the pool."""
    return [
        Promise(name, objective.key, objective.metric, objective.seconds, float(objective.fraction))
        for name, spec in slos_of_pool(pool.team, pool.name)
        if spec.traffic is None
        for objective in spec.objectives
    ][:_MOST_PROMISES]


def _ready(identity: UUID) -> int | None:
    pool = pool_of(identity)
    ready = ((pool.status or {}).get("replicas") or {}).get("ready") if pool is not None else None
    return ready if isinstance(ready, int) else None


def pool_of(identity: UUID) -> Pool | None:
    """The pool of a load; None where it is gone."""
    uid = LoadRun.objects.filter(id=identity).values_list("pool", flat=True).first()
    found: Pool | None = Pool.objects.living().filter(uid=uid).first()
    return found


def served_name(pool: Pool) -> str:
    """The name that the pool's engines answer to."""
    told = pool.status.get("servedName")
    if isinstance(told, str) and told:
        return told
    model = pools.model_of(pool)
    return str(pool.spec["model"]) if model is None else str(pools.model_facts(model).served_name)


def _record(run: LoadRun, actor: str, request_id: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    changes.record(
        changes.Change(
            actor=actor,
            request_id=request_id,
            action="update",
            kind="Pool",
            uid=run.pool,
            team=run.team,
            name=run.name,
            # nothing was declared
            generation=None,
            before=before,
            after=after,
            reason=run.label,
        )
    )


def _tell(run: LoadRun, type_: Literal["Normal", "Warning"], reason: str, message: str) -> None:
    record_event(
        kind="Pool", uid=run.pool, team=run.team, name=run.name, type=type_, reason=reason, message=message,
        source=SOURCE,
    )  # fmt: skip
