"""Celery tasks of the clusters room."""

from __future__ import annotations

from celery import shared_task

from apps.clusters import services


@shared_task(ignore_result=True)
def fall_back() -> None:
    """Where nobody watches, reconciles go back to looking every few seconds."""
    services.fall_back()
