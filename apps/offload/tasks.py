"""Celery tasks of the room."""

from __future__ import annotations

from celery import shared_task

from apps.offload import probing, services, ticking


@shared_task(ignore_result=True)
def tick() -> None:
    """Every half minute: decide on the tiers of every pool whose offload mode is auto or advisory."""
    ticking.run_tick()


@shared_task(ignore_result=True)
def probe() -> None:
    """Every few seconds: begin and read the Jobs that measure volumes."""
    probing.run_probes()


@shared_task(ignore_result=True)
def retention() -> None:
    """Every few minutes: drop what nothing needs any more."""
    services.retire()
