"""Ticks of the pools room."""

from __future__ import annotations

from celery import shared_task

from apps.pools import plans


@shared_task
def retention() -> None:
    """Keep plans to a week; those that wait for approval stay."""
    plans.forget_old()
