"""The queue with real Celery workers and a real Valkey: wake-ups, lost wake-ups, killed workers."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from django.conf import settings

import controlplane.celery  # noqa: F401  (tasks are sent through this app, as in the web process)
from apps.clusters.models import Cluster
from apps.reconcile import services, wakeup
from apps.reconcile.domain.priority import Priority
from apps.reconcile.models import QueueItem
from tests.support.cluster import EmbeddedCluster, shared_cluster
from tests.support.pools import cluster_document, condition, declare, model_document, pool, pool_document
from tests.support.wait import wait_until
from tests.support.workers import Workers

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
PROJECT = Path(__file__).resolve().parents[2]


cluster = shared_cluster()


@pytest.fixture
def workers(valkey_server: str, tmp_path: Path) -> Iterator[Workers]:
    running = Workers(valkey_server, tmp_path / "worker.log")
    try:
        yield running
    except BaseException:
        sys.stderr.write((tmp_path / "worker.log").read_text()[-4000:])
        raise
    finally:
        running.stop()


def ready(reason: str = "Ready") -> bool:
    found = [c for c in Cluster.objects.get().conditions if c["type"] == "Ready"]
    return bool(found) and found[0]["reason"] == reason


def sweep() -> None:
    """As beat does every two seconds."""
    from apps.reconcile.tasks import sweep as task

    task.apply_async(expires=5)


def test_a_change_wakes_a_worker_without_any_sweep(cluster: EmbeddedCluster, workers: Workers) -> None:
    workers.start()
    wait_until(workers.up, message="the worker listens", step=0.3)
    declare(cluster_document(str(cluster.kubeconfig)))
    wait_until(
        lambda: QueueItem.objects.get().lease_until is None and ready(), message="the worker looked at the cluster"
    )
    declare(model_document(), pool_document())
    wait_until(lambda: pool().status.get("sync") == "Synced", message="the pool is applied")
    assert condition("chat", "Synced")["status"] == "True"


def test_a_process_of_manage_py_sends_wake_ups_to_the_broker(workers: Workers) -> None:
    """As informers do; without our Celery app they would go to amqp://localhost, and changes wait for the sweep."""
    client = redis.Redis.from_url(settings.REDIS_URL.replace("redis+socket", "unix").partition("?")[0])
    client.flushall()
    said = "from apps.reconcile.wakeup import Waker; Waker().send()"
    subprocess.run([sys.executable, "manage.py", "shell", "-c", said], cwd=PROJECT, env=workers.env, check=True)
    assert client.llen("celery") >= 1


def test_a_flushed_valkey_loses_wake_ups_and_no_work(cluster: EmbeddedCluster, workers: Workers) -> None:
    declare(cluster_document(str(cluster.kubeconfig)))
    client = redis.Redis.from_url(settings.REDIS_URL.replace("redis+socket", "unix").partition("?")[0])
    client.flushall()
    workers.start()

    def swept() -> bool:
        sweep()
        return ready()

    wait_until(swept, message="the sweep finds the work", step=1.0)


def test_a_worker_killed_with_a_key_in_hand_is_replaced(cluster: EmbeddedCluster, workers: Workers) -> None:
    declare(cluster_document(str(cluster.kubeconfig)))
    dead = services.claim(kinds=["Cluster"], holder="a worker that was killed", lease=2.0)
    assert dead is not None
    workers.start()

    def swept() -> bool:
        sweep()
        return ready()

    wait_until(swept, message="the expired lease is taken over", step=0.5)
    assert not services.renew(dead)


def test_asking_never_waits_for_a_broker_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()
    sent: list[float] = []

    def hang() -> None:
        sent.append(time.monotonic())
        answered.wait(60)

    waker = wakeup.Waker()
    monkeypatch.setattr(waker, "send", hang)
    monkeypatch.setattr(wakeup, "_waker", waker)
    declare(cluster_document("/nowhere"))
    uid = Cluster.objects.get().uid
    wait_until(lambda: sent, message="a wake-up is being sent")
    started = time.monotonic()
    for _ in range(20):
        services.enqueue(kind="Cluster", uid=uid, priority=Priority.PERSON)
    assert time.monotonic() - started < 30.0, "nobody waited"
    answered.set()
    wait_until(lambda: len(sent) == 2, message="twenty requests became one more message")
