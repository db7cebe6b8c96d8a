"""The queue of the workers by itself."""

from __future__ import annotations

import threading
import time
from uuid import uuid4


def queue() -> float:
    """Keys claimed and finished per second by eight threads of one worker, each key of one of four clusters."""
    from django.db import connection

    from apps.reconcile import queue as table
    from apps.reconcile import worker
    from apps.reconcile.domain.outcomes import Done
    from apps.reconcile.domain.priority import Priority

    number = 4000
    worker.register_controller("Bench", lambda _: Done())
    for shard in range(4):
        uids = [uuid4() for _ in range(number // 4)]
        table.enqueue(kind="Bench", uids=uids, priority=Priority.RESYNC, shard=f"bench-{shard}")

    def work() -> None:
        while _waiting_keys("Bench"):
            worker.drain(budget=60)
        connection.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return number / (time.monotonic() - started)


def _waiting_keys(kind: str) -> bool:
    from apps.reconcile.models import QueueItem

    return QueueItem.objects.filter(kind=kind).exists()
