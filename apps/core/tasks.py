"""Ticks of the core room."""

from __future__ import annotations

from celery import shared_task

from apps.core import outbox


@shared_task
def retention() -> None:
    """Keep the outbox to a day."""
    outbox.trim()
