"""Celery tasks of the room."""

from __future__ import annotations

from celery import shared_task

from apps.autoscaling import services, ticking, waking


@shared_task(ignore_result=True)
def tick(shard: int = 0, shards: int = 1) -> None:
    """Every few seconds: decide for every pool of a shard that has new signals."""
    ticking.run_tick(shard=shard, shards=shards)


@shared_task(ignore_result=True)
def wake(shard: int = 0, shards: int = 1) -> None:
    """Every second: decide at once for pools without a replica that somebody waits for."""
    waking.run_watch(shard=shard, shards=shards)


@shared_task(ignore_result=True)
def retention() -> None:
    """Every few minutes: drop decisions and memories that nothing needs any more."""
    services.retire()
