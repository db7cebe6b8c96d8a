"""Probes: is the process alive, can it serve, and (for people) how far behind is what runs in the background."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from apps.core import clock
from apps.reconcile.selectors import queue_state
from apps.telemetry.selectors import INTERVAL, last_tick_at

__all__ = ["healthz", "readyz"]

_READ_ONLY = "takes no changes: it is read only"
# a tick that is this late has stopped
_LATE_TICKS = 6


def healthz(request: HttpRequest) -> JsonResponse:
    """The process answers. Nothing else is asked: a database that is down is no reason to restart the process."""
    return _answer({"status": "ok", "version": product_version()})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers and has all migrations, else 503 and why. `?verbose` adds the background.

    A database that is only read from is said, and no reason to send nobody here: what is there can be shown.
    """
    checks: dict[str, Any] = {}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SHOW transaction_read_only")
            checks["database"] = _READ_ONLY if cursor.fetchone() == ("on",) else "ok"
        waiting = _unapplied()
        checks["migrations"] = f"{waiting} not applied: run `manage.py migrate`" if waiting else "ok"
        if "verbose" in request.GET:
            checks |= _background()
    except DatabaseError as error:
        checks["database"] = f"cannot be reached: {type(error).__name__}"
    ready = checks["database"] in ("ok", _READ_ONLY) and checks.get("migrations") == "ok"
    return _answer({"status": "ok" if ready else "unavailable", "checks": checks}, 200 if ready else 503)


def _background() -> dict[str, Any]:
    queue = queue_state()
    tick = last_tick_at()
    lag = (clock.now() - tick).total_seconds() if tick else None
    if lag is None:
        beat = "no tick yet: is the beat process running?"
    elif lag > _LATE_TICKS * INTERVAL:
        beat = f"the last tick was {lag:.0f} s ago: are beat and worker running?"
    else:
        beat = "ok"
    return {
        "beat": beat,
        "tickLagSeconds": lag,
        "queue": {
            "total": queue.total,
            "due": queue.due,
            "leased": queue.leased,
            "retrying": queue.retrying,
            "oldestDueSeconds": queue.oldest_due_seconds,
        },
    }


_migrated = False


def _unapplied() -> int:
    """Migrations still to be applied. Once none is left the answer is kept: code does not change while it runs."""
    global _migrated
    if _migrated:
        return 0
    executor = MigrationExecutor(connection)
    waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    _migrated = waiting == 0
    return waiting


@cache
def product_version() -> str:
    try:
        return version("lamplight")
    except PackageNotFoundError:
        return "unknown"


def _answer(body: dict[str, Any], status: int = 200) -> JsonResponse:
    response = JsonResponse(body, status=status)
    response["Cache-Control"] = "no-store"
    return response
