"""Celery tasks of the room."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from apps.whatif import services


@shared_task(ignore_result=True)
def play(simulation: str) -> None:
    """Play one simulation; whoever is late finds it taken."""
    services.play(UUID(simulation))


@shared_task(ignore_result=True)
def tick() -> None:
    """Every few seconds: what was lost on the way is sent again, what died is said to be dead."""
    for simulation in services.clear_up():
        play.apply_async((str(simulation),), expires=10, retry=False)
