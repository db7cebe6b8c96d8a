"""Celery tasks: wake-ups and the sweep. The work is in Postgres."""

from __future__ import annotations

from celery import shared_task

from apps.reconcile import worker


@shared_task(ignore_result=True)
def wake() -> None:
    """Somebody enqueued work."""
    worker.drain(budget=20.0)


@shared_task(ignore_result=True)
def sweep() -> None:
    """Work that came due by the clock, or whose wake-up was lost."""
    worker.drain(budget=20.0)


@shared_task(ignore_result=True)
def resync() -> None:
    """Safety net: every declared object is in the queue."""
    worker.resync()
