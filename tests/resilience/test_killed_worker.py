"""A worker killed at any write of a reconcile leaves a state from which the next reconcile gets to the same end."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from apps.clusters import kube as kube_module
from apps.pools import services
from apps.pools.models import Pool
from apps.reconcile import services as reconcile
from apps.reconcile.models import QueueItem
from tests.support.cluster import EmbeddedCluster, run_cluster
from tests.support.pools import (
    cluster_document,
    condition,
    counted_calls,
    declare,
    delete,
    drain,
    model_document,
    pool,
    pool_document,
    variant_document,
    writes,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]
NAMESPACE = "serving"
MOST_WRITES = 40


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    with run_cluster() as running:
        yield running


def reconcile_and_die(at: int, *, sent: bool) -> bool:
    """Drain the queue in a process of its own that is killed at its write number `at`, before or after it is sent.

    Writes are those to the API server and the transactions that record a status. Returns whether it died.
    """
    connection.close()
    child = os.fork()
    if child == 0:
        try:
            _arm(at, sent)
            kube_module._pool.clear()
            drain()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


def _arm(at: int, sent: bool) -> None:
    left = [at]
    send, holding = kube_module.Kube._send, reconcile.holding

    def reached() -> bool:
        left[0] -= 1
        return left[0] < 0

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def deadly_send(self: Any, method: str, *rest: Any) -> Any:
        now = method != "GET" and reached()
        if now and not sent:
            die()
        answer = send(self, method, *rest)
        if now:
            die()
        return answer

    def deadly_holding(lease: Any, of: Any, *columns: str) -> Any:
        if reached():
            die()
        return holding(lease, of, *columns)

    kube_module.Kube._send = deadly_send  # type: ignore[method-assign]
    reconcile.holding = deadly_holding  # type: ignore[assignment]


def lease_runs_out() -> None:
    QueueItem.objects.exclude(lease_until=None).update(
        lease_until="2000-01-01T00:00:00Z", due_at="2000-01-01T00:00:00Z"
    )


def each_point(prepare: Callable[[], None], check: Callable[[], None], clean: Callable[[], None]) -> int:
    """Kill at every write in turn, before and after it; returns how many points there were."""
    points = 0
    for at in range(MOST_WRITES):
        died = False
        for sent in (False, True):
            prepare()
            if reconcile_and_die(at, sent=sent):
                died = True
                points += 1
                lease_runs_out()
            drain()
            check()
            clean()
        if not died:
            return points
    raise AssertionError(f"a reconcile makes more than {MOST_WRITES} writes")


def declared(cluster: EmbeddedCluster, **spec: Any) -> None:
    declare(
        cluster_document(str(cluster.kubeconfig)), model_document(), pool_document(routing={"picker": False}, **spec)
    )


def remove(cluster: EmbeddedCluster) -> Callable[[], None]:
    def clean() -> None:
        if Pool.objects.filter(deletion_requested_at=None).exists():
            delete("Pool", "chat")
        gone(cluster)

    return clean


def gone(cluster: EmbeddedCluster) -> None:
    for _ in range(6):
        if not Pool.objects.exists():
            break
        drain()
    assert not Pool.objects.exists()
    assert cluster.objects(NAMESPACE) == {}


def as_declared(cluster: EmbeddedCluster, replicas: int, model: str) -> Callable[[], None]:
    def check() -> None:
        drain()
        assert condition("chat", "Synced")["status"] == "True"
        deployment = cluster.objects(NAMESPACE)["Deployment/chat-h200"]
        assert deployment["spec"]["replicas"] == replicas
        assert deployment["spec"]["template"]["spec"]["containers"][0]["args"][0] == model
        owners = {
            (entry["manager"])
            for entry in deployment["metadata"]["managedFields"]
            if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
        }
        assert owners == {"lamplight-scaler"}
        with counted_calls() as calls:
            drain()
        assert writes(calls) == [], "settled"

    return check


LLAMA = "meta-llama/Llama-3.1-8B-Instruct"


def test_killed_while_creating(cluster: EmbeddedCluster) -> None:
    points = each_point(
        prepare=lambda: declared(cluster),
        check=as_declared(cluster, 2, LLAMA),
        clean=remove(cluster),
    )
    assert points >= 12, "before and after every object, step of the hand-over and record"


def test_killed_while_scaling_and_rolling(cluster: EmbeddedCluster) -> None:
    def prepare() -> None:
        declared(cluster)
        drain()
        services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 4, "person")], actor="user:1")
        declare(model_document(source="hf://Qwen/Qwen3-32B"))

    def clean() -> None:
        remove(cluster)()
        declare(model_document())

    points = each_point(prepare=prepare, check=as_declared(cluster, 4, "Qwen/Qwen3-32B"), clean=clean)
    assert points >= 4


def test_killed_while_deleting(cluster: EmbeddedCluster) -> None:
    def prepare() -> None:
        declared(cluster, variants=[variant_document(), variant_document("more")])
        drain()
        delete("Pool", "chat")

    points = each_point(prepare=prepare, check=lambda: gone(cluster), clean=lambda: None)
    assert points >= 4
