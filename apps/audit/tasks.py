"""Ticks of the audit room."""

from __future__ import annotations

from celery import shared_task

from apps.audit import services


@shared_task
def retention() -> None:
    """Keep the timeline to two weeks; change records stay."""
    services.trim_events()
