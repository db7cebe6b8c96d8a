"""Celery tasks of the room."""

from __future__ import annotations

from celery import shared_task

from apps.telemetry import collect, services


@shared_task(ignore_result=True)
def tick() -> None:
    """Every ten seconds: scrape all engines and store their signals."""
    collect.run_tick()


@shared_task(ignore_result=True)
def retention() -> None:
    """Every few minutes: merge tens of minutes and hours, make partitions ahead, drop what is old."""
    services.roll_up_longer()
    services.retire()
