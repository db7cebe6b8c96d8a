"""Celery tasks of the room."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from apps.benchmarks import running, services


@shared_task(ignore_result=True)
def begin(load: str) -> None:
    """Have one load sent by a process of its own; whoever is late finds it taken."""
    running.begin(UUID(load))


@shared_task(ignore_result=True)
def tick() -> None:
    """Every few seconds: what was lost on the way is sent again, what was lost with its worker is said to be lost."""
    for load in services.clear_up():
        begin.apply_async((str(load),), expires=10, retry=False)


@shared_task(ignore_result=True)
def retention() -> None:
    """Every few minutes: forget old loads."""
    services.forget()
