"""Celery tasks of the room."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from apps.gateways import verifying


@shared_task(ignore_result=True)
def verify(identity: str) -> None:
    """Run one self-test; whoever is late finds it taken."""
    verifying.run(UUID(identity))


@shared_task(ignore_result=True)
def tick() -> None:
    """Every few seconds: test what has been rolled out, and send what waits to the workers."""
    for identity in verifying.follow_rollouts():
        verify.apply_async((str(identity),), expires=60, retry=False)


@shared_task(ignore_result=True)
def retention() -> None:
    """Every few minutes: forget old tests."""
    verifying.forget()
