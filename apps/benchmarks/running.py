"""Sending a load: a process for it, and a thread of the worker that hands on what it says.

No task waits for it: a load lasts for minutes, and the worker's threads are there to reconcile. The process ends with
the worker, whose end of the pipe closes with it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
import threading
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection

from apps.benchmarks import services
from apps.benchmarks.child import Order
from apps.benchmarks.domain.asking import LoadBody
from apps.benchmarks.domain.tally import Promise
from apps.benchmarks.models import DONE, FAILED, STOPPED, LoadRun
from apps.core.domain.refusals import Refusal

__all__ = ["begin"]

log = logging.getLogger(__name__)

# beyond the duration and the last request's deadline
_GRACE_SECONDS = 30.0
_COMMAND = [sys.executable, "-m", "apps.benchmarks.child"]
_BROKE = "the process that sent it broke; the worker's log says how"


def begin(identity: UUID) -> threading.Thread | None:
    """Take a queued load and send it; returns at once with the thread that watches it, None where it is taken."""
    run = services.take(identity)
    if run is None:
        return None
    pool = services.pool_of(identity)
    try:
        if pool is None:
            raise Refusal("the pool is gone")
        body = LoadBody.from_document(run.request, at="")
        promises = tuple(map(Promise.from_json, run.promises))
        seed = body.seed if body.seed is not None else run.id.int % 2**31
        order = Order(services.address_of(pool), services.served_name(pool), body, promises, seed)
        child = _child(order)
    except (Refusal, OSError) as refused:
        services.finish(identity, FAILED, message=str(refused))
        return None
    watcher = threading.Thread(target=_watch, args=(run, child, body), name=f"load-{identity}", daemon=True)
    watcher.start()
    return watcher


def _child(order: Order) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        _COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=settings.BASE_DIR,
    )
    assert child.stdin is not None
    try:
        child.stdin.write(order.to_line())
        child.stdin.flush()
    except OSError:
        _bury(child)
        raise
    return child


def _bury(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            _close(pipe)


def _watch(run: LoadRun, child: subprocess.Popen[bytes], body: LoadBody) -> None:
    """Hand on what the process says until it ends; whatever happens, it is dead afterwards and the run is over."""
    longest = body.seconds + body.deadline.total_seconds() + _GRACE_SECONDS
    deadline = threading.Timer(longest, child.kill)
    deadline.start()
    last: dict[str, Any] | None = None
    try:
        assert child.stdout is not None
        for line in child.stdout:
            last = json.loads(line)
            if "ended" in last or not _goes_on(run, child, last["measured"]):
                break
        _end(run, last)
    except Exception:
        log.exception("a load of %s/%s", run.team, run.name)
        # silence says it otherwise: the tick finds it lost
        _try_to_end(run, last)
    finally:
        deadline.cancel()
        _bury(child)
        connection.close()


def _goes_on(run: LoadRun, child: subprocess.Popen[bytes], measured: dict[str, Any]) -> bool:
    """Write down what is measured, and pass on that it shall stop; False when the run is no longer ours."""
    close_old_connections()
    try:
        said = services.touch(run, measured)
    except DatabaseError as error:
        # the load goes on while Postgres starts again; if that takes long it is lost, and the next look says so
        log.warning("a load of %s/%s could not be written down: %s", run.team, run.name, error)
        return True
    if said == "stop":
        assert child.stdin is not None
        try:
            child.stdin.write(b"stop\n")
            child.stdin.flush()
        except BrokenPipeError:
            return True
    return said != "gone"


def _end(run: LoadRun, last: dict[str, Any] | None) -> None:
    close_old_connections()
    how = (last or {}).get("ended")
    measured = (last or {}).get("measured")
    if how is None:
        services.finish(run.id, FAILED, message=_BROKE, measured=measured)
    else:
        services.finish(run.id, DONE if how == "done" else STOPPED, measured=measured)


def _try_to_end(run: LoadRun, last: dict[str, Any] | None) -> None:
    try:
        close_old_connections()
        services.finish(run.id, FAILED, message=_BROKE, measured=(last or {}).get("measured"))
    except DatabaseError as error:
        log.warning("the end of a load of %s/%s could not be written down: %s", run.team, run.name, error)


def _close(pipe: Any) -> None:
    with contextlib.suppress(BrokenPipeError):
        pipe.close()
