"""Ticks of the accounts room."""

from __future__ import annotations

from celery import shared_task
from django.contrib.sessions.models import Session

from apps.core import clock


@shared_task
def retention() -> None:
    """Drop sessions that have run out; tokens stay in their owners' lists until they delete them."""
    Session.objects.filter(expire_date__lt=clock.now()).delete()
