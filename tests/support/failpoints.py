"""A worker that is killed (kill -9) at a call boundary of its work, chosen by number from all that there are.

A boundary is a request to an API server, or a statement or commit to the database that writes. Between two of them a
worker changes nothing outside of itself, so dying after the Nth is every way to die between the Nth and the next: after
its answer was read, while it was on its way, or before anything more was sent. With `lasting` only those count that
leave something behind: writes to the API server, commits, statements outside of a transaction. Dying after any other
one leaves what dying before it leaves.
"""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import connection

from apps.clusters import answers
from apps.clusters import kube as kube_module
from apps.pools.models import Pool
from apps.reconcile import worker
from apps.reconcile.models import QueueItem

_READS = ("SELECT", "SAVEPOINT", "RELEASE SAVEPOINT")
# begins a statement of the test itself, which is none of the worker's work
ASIDE = "/* aside */ "


def recorded(work: Callable[[], Any], *, lasting: bool = False) -> list[str]:
    """The boundaries of `work`, in order, as a worker process of its own meets them."""
    read_end, write_end = os.pipe()
    child = _forked(lambda: _write(write_end, _armed(work, None, lasting)))
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    assert status == 0 and said, "the worker that is recorded comes to its end"
    return list(json.loads(said))


def killed_after(work: Callable[[], Any], count: int, *, lasting: bool = False) -> bool:
    """Do `work` in a process of its own that is killed after `count` boundaries (0: before the first).

    Returns whether it died; it did not when there are fewer.
    """
    child = _forked(lambda: _armed(work, count, lasting))
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def stopped_after(work: Callable[[], Any], count: int, *, lasting: bool = False) -> int:
    """As killed_after, of a process that is stopped (SIGSTOP) right after them; returns its id once it stands still.

    `resumed` lets it go on.
    """
    child = _forked(lambda: _armed(work, count, lasting, signal.SIGSTOP))
    _, status = os.waitpid(child, os.WUNTRACED)
    assert os.WIFSTOPPED(status), "it comes to that boundary"
    return child


def resumed(child: int) -> None:
    """Let a stopped worker go on, and wait for its end."""
    os.kill(child, signal.SIGCONT)
    _, status = os.waitpid(child, 0)
    assert os.WIFEXITED(status)


def work_on(uid: UUID, rounds: int = 8) -> Callable[[], None]:
    """What a worker does about one pool until nothing more is to be done soon; all others wait."""

    def work() -> None:
        for _ in range(rounds):
            with connection.cursor() as cursor:
                cursor.execute(f"{ASIDE}UPDATE reconcile_queue SET due_at = '2000-01-01' WHERE uid = %s", [uid])
            worker.drain(budget=0.001)
            if not Pool.objects.filter(uid=uid).exclude(deletion_requested_at=None).exists():
                return

    return work


def all_wait() -> None:
    """Nothing is due."""
    QueueItem.objects.update(due_at="2099-01-01T00:00:00Z")


def lease_runs_out(uid: UUID) -> None:
    """The lease of a worker that died would keep others of its cluster from being worked on meanwhile."""
    QueueItem.objects.filter(uid=uid).update(lease_until="2000-01-01T00:00:00Z", due_at="2099-01-01T00:00:00Z")


def _forked(run: Callable[[], Any]) -> int:
    connection.close()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            run()
            code = 0
        finally:
            os._exit(code)
    return child


def _write(pipe: int, seen: list[str]) -> None:
    with os.fdopen(pipe, "w") as out:
        json.dump(seen, out)


def _armed(
    work: Callable[[], Any], count: int | None, lasting: bool, sign: signal.Signals = signal.SIGKILL
) -> list[str]:
    """Do `work` and return the boundaries that it met; after `count` of them this process gets the signal."""
    seen: list[str] = []

    def before() -> None:
        if len(seen) == count and sign == signal.SIGKILL:
            os.kill(os.getpid(), sign)

    def after(boundary: str) -> None:
        seen.append(boundary)
        # whoever stands still in a transaction holds up everybody: it ends by the database's timeout
        if len(seen) == count and sign == signal.SIGSTOP:
            os.kill(os.getpid(), sign)

    send = kube_module.Kube._send

    def watched_send(self: Any, method: str, path: str, *rest: Any) -> Any:
        if lasting and method == "GET":
            return send(self, method, path, *rest)
        before()
        answer = send(self, method, path, *rest)
        after(f"{method} {path}")
        return answer

    def watched_sql(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        text = " ".join(str(sql).split())
        if text.startswith((*_READS, ASIDE)) or (lasting and connection.in_atomic_block):
            return execute(sql, params, many, context)
        before()
        answer = execute(sql, params, many, context)
        after(text[:60])
        return answer

    commit = connection._commit

    def watched_commit() -> Any:
        before()
        answer = commit()
        after("COMMIT")
        return answer

    # how many answers are kept at once would be up to the clock: as many as can be
    answers.PATIENCE_SECONDS = math.inf
    # a fresh process knows nothing of a cluster yet
    kube_module._pool.clear()
    kube_module.Kube._send = watched_send  # type: ignore[method-assign]
    connection._commit = watched_commit  # type: ignore[method-assign]
    with connection.execute_wrapper(watched_sql):
        work()
    return seen
