"""Celery tasks of the room."""

from __future__ import annotations

from celery import shared_task

from apps.telemetry import backfill, collect, packing, rollups, services


@shared_task(ignore_result=True)
def tick() -> None:
    """Every ten seconds: scrape all engines and store their signals."""
    collect.run_tick()


@shared_task(ignore_result=True)
def retention() -> None:
    """Every few minutes: fill what ticks missed, merge minutes into longer rows, pack them, drop what is old."""
    backfill.fill()
    rollups.roll_up_longer()
    packing.pack_old()
    services.retire()
