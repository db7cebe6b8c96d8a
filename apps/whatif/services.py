"""Writes: asking for a simulation, playing it, clearing up."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys
import threading
import zlib
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from apps.core import clock
from apps.core.domain.refusals import Refusal
from apps.core.locks import in_turn
from apps.pools.models import Pool
from apps.whatif.domain.arrivals import NothingToPlay
from apps.whatif.domain.request import MOST_BYTES, SimulateBody, Trace
from apps.whatif.models import Simulation
from apps.whatif.planning import plan_of

__all__ = ["Busy", "ask", "clear_up", "play"]

MOST_UNFINISHED = 8
KEPT = 50
_COUNTING = 0x776861746966
# a simulation that took longer is ended; one whose worker was silent for so long is given up
LONGEST_SECONDS = 300.0
SILENT = timedelta(minutes=10)
UNFINISHED = ("queued", "running")


class Busy(Refusal):
    status = 409
    type = "too-many-simulations"
    title = "Too many simulations are unfinished"


def ask(*, pool: Pool, body: SimulateBody, by: str) -> Simulation:
    """Store a simulation to be played. Raises Busy."""
    document = body.to_document()
    trace = None
    if isinstance(body.source, Trace):
        content = body.source.content.encode()
        if len(content) > MOST_BYTES:
            raise Refusal(f"The trace has {len(content)} bytes; at most {MOST_BYTES} are taken: cut it.")
        document["source"] |= {"content": {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}}
        trace = zlib.compress(content)
    with transaction.atomic():
        # one writer at a time: the count below is true until the row is in
        in_turn(_COUNTING)
        if Simulation.objects.filter(team=pool.team, status__in=UNFINISHED).count() >= MOST_UNFINISHED:
            raise Busy(
                f"{MOST_UNFINISHED} simulations of team {pool.team} are unfinished: wait for one, then ask again."
            )
        made = Simulation.objects.create(
            pool=pool.uid,
            team=pool.team,
            name=pool.name,
            label=body.label,
            request=document,
            trace=trace,
            created_by=by,
            created_at=clock.now(),
        )
        old = Simulation.objects.filter(pool=pool.uid).exclude(status__in=UNFINISHED).order_by("-created_at")
        Simulation.objects.filter(id__in=[row.id for row in old.only("id")[KEPT - 1 :]]).delete()
        return made


def play(simulation: UUID) -> bool:
    """Play one that is queued, in a process of its own; False when another worker has it or there is none."""
    now = clock.now()
    taken = Simulation.objects.filter(id=simulation, status="queued").update(
        status="running", started_at=now, touched_at=now
    )
    if not taken:
        return False
    row = Simulation.objects.get(id=simulation)
    try:
        pool = Pool.objects.filter(uid=row.pool).first()
        if pool is None:
            raise NothingToPlay("The pool is gone.")
        plan = plan_of(pool, _body(row), now=now)
        result = _in_child(row, pickle.dumps(plan))
    except (NothingToPlay, Refusal) as refused:
        _finish(row, status="failed", message=getattr(refused, "detail", str(refused)))
    except Exception:
        _finish(row, status="failed", message="The simulation broke; the worker's log says where.")
        raise
    else:
        _finish(row, status="done", result=result, progress=1.0)
    return True


def clear_up() -> list[UUID]:
    """Give up those whose worker is silent; those that are queued and nobody took, to be sent again."""
    now = clock.now()
    Simulation.objects.filter(status="running", touched_at__lt=now - SILENT).update(
        status="failed", finished_at=now, trace=None, message="Its worker died: ask for it again."
    )
    waiting = Simulation.objects.filter(status="queued", created_at__lt=now - timedelta(seconds=15))
    return [row.id for row in waiting.order_by("created_at").only("id")[:8]]


def _body(row: Simulation) -> SimulateBody:
    document = dict(row.request)
    if row.trace is not None:
        document["source"] = {**document["source"], "content": zlib.decompress(row.trace).decode()}
    return SimulateBody.from_document(document, at="")


def _in_child(row: Simulation, plan: bytes) -> Mapping[str, Any]:
    child = subprocess.Popen(
        [sys.executable, "-m", "apps.whatif.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=settings.BASE_DIR,
    )
    deadline = threading.Timer(LONGEST_SECONDS, child.kill)
    # what it complains of is read beside its answers, so that neither pipe can fill up
    complaints: list[bytes] = []
    reader = threading.Thread(target=lambda: complaints.append(child.stderr.read()), daemon=True)  # type: ignore[union-attr]
    deadline.start()
    reader.start()
    try:
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(plan)
            child.stdin.close()
        except BrokenPipeError:
            pass
        touched = clock.now()
        for line in child.stdout:
            said = json.loads(line)
            if "result" in said:
                return dict(said["result"])
            if "error" in said:
                raise NothingToPlay(said["error"])
            now = clock.now()
            if (now - touched).total_seconds() >= 0.5:
                touched = now
                Simulation.objects.filter(id=row.id).update(progress=said["progress"], touched_at=now)
        child.wait()
        reader.join(5)
        if child.returncode == -9:
            raise NothingToPlay(
                f"It took more than {LONGEST_SECONDS:.0f} s and was ended: play fewer hours, requests or policies."
            )
        raise RuntimeError(f"the simulation ended with {child.returncode}: {b''.join(complaints)[-2000:]!r}")
    finally:
        deadline.cancel()
        child.kill()
        child.wait()
        reader.join(5)
        for pipe in (child.stdin, child.stdout, child.stderr):
            if pipe is not None:
                pipe.close()


def _finish(row: Simulation, **values: Any) -> None:
    now = clock.now()
    Simulation.objects.filter(id=row.id).update(finished_at=now, touched_at=now, trace=None, **values)
