"""A worker process as in production, woken without the broker: threads that drain the queue.

Counts its calls of the API server and its looks at objects.

A wake-up that goes through the broker in production wakes a thread of this process. For those of other processes, while
none of its threads works, one more thread asks for due keys 50 times a second.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any


def main() -> None:
    import django

    django.setup()
    from django.db import connection

    import controlplane.celery  # noqa: F401  (wake-ups are sent through this app)
    from apps.clusters import kube
    from apps.core import memory
    from apps.reconcile import wakeup, worker

    counts: Counter[str] = Counter()
    plain = kube.Kube._send

    def send(self: Any, method: str, path: str, *rest: Any) -> Any:
        counts[method] += 1
        return plain(self, method, path, *rest)

    kube.Kube._send = send  # type: ignore[method-assign]
    looks = 0
    plain_work = worker._work

    def counted(*arguments: Any) -> Any:
        nonlocal looks
        looks += 1
        return plain_work(*arguments)

    worker._work = counted
    stop = threading.Event()
    size = int(os.environ.get("LAMPLIGHT_WORKER_THREADS", "8"))
    wake_ups: queue.Queue[None] = queue.Queue(size)
    working = 0
    changed = threading.Lock()

    def request() -> None:
        with suppress(queue.Full):
            wake_ups.put_nowait(None)

    wakeup.request = request

    def work() -> None:
        nonlocal working
        while not stop.is_set():
            with suppress(queue.Empty):
                wake_ups.get(timeout=0.5)
                with changed:
                    working += 1
                worker.drain(budget=5)
                with changed:
                    working -= 1
                connection.close()

    def wake() -> None:
        while not stop.is_set():
            if not working and _anything_due():
                request()
            time.sleep(0.02)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threads = [threading.Thread(target=work) for _ in range(size)]
    threads.append(threading.Thread(target=wake))
    memory.settle()
    for thread in threads:
        thread.start()
    out = Path(sys.argv[1])
    partial = out.with_suffix(".partial")
    told: dict[str, Any] = {}
    while not stop.is_set():
        stop.wait(0.2)
        state = {"calls": dict(counts), "looks": looks}
        if state == told:
            continue
        told = state
        partial.write_text(json.dumps(state))
        partial.rename(out)
    for thread in threads:
        thread.join(10)


def _anything_due() -> bool:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM reconcile_queue WHERE due_at <= clock_timestamp() AND lease_until IS NULL)"
        )
        return bool(cursor.fetchone()[0])


if __name__ == "__main__":
    main()
