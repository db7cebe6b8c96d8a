"""Celery tasks of the room."""

from __future__ import annotations

from celery import shared_task

from apps.core import clock
from apps.slos import alerting, delivering, integrity, measuring, ticking


@shared_task(ignore_result=True)
def tick() -> None:
    """Several times a minute: judge every SLO."""
    ticking.run_tick()


@shared_task(ignore_result=True)
def probe() -> None:
    """Once a minute: see whether every loop is fed."""
    integrity.run_probe()


@shared_task(ignore_result=True)
def retention() -> None:
    """Every few minutes: thin the ledger out, forget old alerts and messages."""
    now = clock.now()
    measuring.thin(now)
    alerting.forget(now)


@shared_task(ignore_result=True)
def deliver() -> None:
    """Every few seconds: send messages to webhooks."""
    delivering.deliver()
