"""Celery: wake-ups and ticks. The work itself lives in Postgres; a lost message costs seconds, never work.

The beat schedule is static and in code. Every tick is idempotent, expires before the next one and takes an
advisory lock, so that two beats are harmless.
"""

from __future__ import annotations

import os
import time
from typing import Any

from celery import Celery
from celery.signals import task_postrun, task_prerun, worker_ready

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")

from django.conf import settings

from apps.core import instruments, memory

app = Celery("lamplight")
# for every thread of the process, not only for the one that imported this
app.set_default()
app.conf.update(
    broker_url=settings.REDIS_URL,
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "visibility_timeout": 600,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_timeout": 5,
        "socket_connect_timeout": 2,
        # who publishes is not kept waiting for a broker that is away; without these kombu tries for six seconds
        "max_retries": 1,
        "interval_start": 0,
    },
    # a wake-up that cannot be sent is dropped: the sweep finds the work
    task_publish_retry=False,
    worker_hijack_root_logger=False,
    timezone="UTC",
)
app.autodiscover_tasks()


def _tick(task: str, seconds: float) -> dict[str, Any]:
    return {"task": task, "schedule": seconds, "options": {"expires": seconds}}


def _sharded(name: str, task: str, seconds: float) -> dict[str, dict[str, Any]]:
    """One tick for each shard of the pools: workers share them. While two beats count differently, as in a roll-out,
    a pool may be decided for twice in a tick, the second time with nothing new."""
    shards = settings.AUTOSCALING_SHARDS
    whose = ({"shard": shard, "shards": shards} for shard in range(shards))
    return {f"{name}-{each['shard']}": {**_tick(task, seconds), "kwargs": each} for each in whose}


app.conf.beat_schedule = {
    "reconcile-sweep": _tick("apps.reconcile.tasks.sweep", 2.0),
    "reconcile-resync": _tick("apps.reconcile.tasks.resync", 300.0),
    "clusters-fall-back": _tick("apps.clusters.tasks.fall_back", 5.0),
    "telemetry-tick": _tick("apps.telemetry.tasks.tick", 10.0),
    "core-retention": _tick("apps.core.tasks.retention", 300.0),
    "accounts-retention": _tick("apps.accounts.tasks.retention", 300.0),
    "audit-retention": _tick("apps.audit.tasks.retention", 300.0),
    "pools-retention": _tick("apps.pools.tasks.retention", 300.0),
    "telemetry-retention": _tick("apps.telemetry.tasks.retention", 300.0),
    # twice as often as signals come: a decision is half as late, and a tick without news costs two queries
    **_sharded("autoscaling-tick", "apps.autoscaling.tasks.tick", 5.0),
    # a request that is held for a sleeping pool is not kept until signals come; without such pools it is one query
    **_sharded("autoscaling-wake", "apps.autoscaling.tasks.wake", 1.0),
    "autoscaling-retention": _tick("apps.autoscaling.tasks.retention", 300.0),
    "offload-tick": _tick("apps.offload.tasks.tick", 30.0),
    "offload-probes": _tick("apps.offload.tasks.probe", 15.0),
    "offload-retention": _tick("apps.offload.tasks.retention", 300.0),
    "slos-tick": _tick("apps.slos.tasks.tick", 15.0),
    "slos-integrity": _tick("apps.slos.tasks.probe", 60.0),
    "slos-deliver": _tick("apps.slos.tasks.deliver", 5.0),
    "slos-retention": _tick("apps.slos.tasks.retention", 300.0),
    "benchmarks-tick": _tick("apps.benchmarks.tasks.tick", 10.0),
    "benchmarks-retention": _tick("apps.benchmarks.tasks.retention", 300.0),
    "whatif-tick": _tick("apps.whatif.tasks.tick", 10.0),
    "gateways-tick": _tick("apps.gateways.tasks.tick", 10.0),
    "gateways-retention": _tick("apps.gateways.tasks.retention", 300.0),
}


_begun: dict[str, float] = {}


@task_prerun.connect
def _begin(task_id: str = "", **_: object) -> None:
    _begun[task_id] = time.perf_counter()


@task_postrun.connect
def _end(task_id: str = "", task: Any = None, state: str | None = None, **_: object) -> None:
    started = _begun.pop(task_id, None)
    if started is not None:
        seconds = time.perf_counter() - started
        instruments.task_seconds.labels(task=task.name, state=(state or "unknown").lower()).observe(seconds)


@worker_ready.connect
def _freeze(**_: object) -> None:
    memory.settle()
