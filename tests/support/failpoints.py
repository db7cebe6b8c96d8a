"""A worker that is killed (kill -9) at a call boundary of its work, chosen by number from all that there are.

A boundary is a request to an API server, or a statement or commit to the database that writes. Between two of them a
worker changes nothing outside of itself, so dying after the Nth is every way to die between the Nth and the next: after
its answer was read, while it was on its way, or before anything more was sent. With `lasting` only those count that
leave something behind: writes to the API server, commits, statements outside of a transaction. Dying after any other
one leaves what dying before it leaves.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

from django.db import connection

from apps.clusters import kube as kube_module

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


def _armed(work: Callable[[], Any], count: int | None, lasting: bool) -> list[str]:
    """Do `work` and return the boundaries that it met, unless it is killed at one."""
    seen: list[str] = []

    def before() -> None:
        if count is not None and len(seen) >= count:
            os.kill(os.getpid(), signal.SIGKILL)

    send = kube_module.Kube._send

    def watched_send(self: Any, method: str, path: str, *rest: Any) -> Any:
        if lasting and method == "GET":
            return send(self, method, path, *rest)
        before()
        answer = send(self, method, path, *rest)
        seen.append(f"{method} {path}")
        return answer

    def watched_sql(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        text = " ".join(str(sql).split())
        if text.startswith((*_READS, ASIDE)) or (lasting and connection.in_atomic_block):
            return execute(sql, params, many, context)
        before()
        answer = execute(sql, params, many, context)
        seen.append(text[:60])
        return answer

    commit = connection._commit

    def watched_commit() -> Any:
        before()
        answer = commit()
        seen.append("COMMIT")
        return answer

    # a fresh process knows nothing of a cluster yet
    kube_module._pool.clear()
    kube_module.Kube._send = watched_send  # type: ignore[method-assign]
    connection._commit = watched_commit  # type: ignore[method-assign]
    with connection.execute_wrapper(watched_sql):
        work()
    return seen
