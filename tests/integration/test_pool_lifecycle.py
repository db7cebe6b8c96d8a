"""A pool's whole life on a cluster with controllers, scheduler and kubelet: pods run, scale, roll, fail, go."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from apps.audit.models import Event
from apps.pools import services
from apps.pools.models import Pool
from tests.support.cluster import EmbeddedCluster, run_cluster
from tests.support.pools import (
    cluster_document,
    condition,
    declare,
    delete,
    drain,
    drain_until,
    model_document,
    pool,
    pool_document,
    variant_document,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]
NAMESPACE = "serving"


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    with run_cluster(nodes=True) as running:
        yield running


@pytest.fixture
def declared(cluster: EmbeddedCluster) -> Iterator[None]:
    declare(cluster_document(str(cluster.kubeconfig)), model_document(), pool_document())
    yield
    if Pool.objects.filter(deletion_requested_at=None).exists():
        delete("Pool", "chat")
    drain_until(lambda: not Pool.objects.exists(), message="the pool is gone")


def settled(**replicas: int) -> Any:
    """A check that the pool is healthy at these counts."""

    def check() -> bool:
        status = pool().status
        return (
            status.get("health") == "Healthy"
            and status.get("observedGeneration") == pool().generation
            and all(status["replicas"][name] == count for name, count in replicas.items())
        )

    return check


def pods(cluster: EmbeddedCluster, component: str = "engine") -> dict[str, Any]:
    kube = cluster.kube
    labels = {"lamplight.dev/pool": "chat", "app.kubernetes.io/component": component}
    return {p["metadata"]["name"]: p for p in kube.list(kube.resource("Pod"), NAMESPACE, labels=labels)}


@pytest.mark.usefixtures("declared")
def test_from_declaration_to_answers_and_back_to_nothing(cluster: EmbeddedCluster) -> None:
    drain_until(settled(desired=2, ready=2, starting=0), message="two replicas serve")
    assert condition("chat", "Ready")["reason"] == "AllReplicasReady"
    assert len(pods(cluster)) == 2
    answer = ask(pool().status["endpoint"], "tiny")
    assert answer["usage"]["completion_tokens"] == 3

    services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 3, "person")], actor="user:1")
    before = set(pods(cluster))
    drain_until(settled(desired=3, ready=3), message="a third replica serves")
    assert before < set(pods(cluster)), "scaling restarts nothing"

    declare(pool_document(engine={"args": ["--max-model-len=8192"]}))
    drain_until(settled(desired=3, ready=3), message="the new argument is rolled out")
    rolled = pods(cluster)
    assert not before & {name for name, p in rolled.items() if not p["metadata"].get("deletionTimestamp")}
    assert all("--max-model-len=8192" in p["spec"]["containers"][0]["args"] for p in rolled.values())

    delete("Pool", "chat")
    drain_until(lambda: not Pool.objects.exists(), message="the pool is gone")
    assert cluster.objects(NAMESPACE) == {}
    kube = cluster.kube
    assert kube.list(kube.resource("Pod"), NAMESPACE) == []
    assert kube.list(kube.resource("ReplicaSet", "apps"), NAMESPACE) == []
    assert kube.get(kube.resource("Namespace"), NAMESPACE)["status"]["phase"] == "Active"


def ask(endpoint: str, model: str) -> Any:
    body = {"model": model, "prompt": "hello there", "max_tokens": 3, "ignore_eos": True}
    request = urllib.request.Request(
        endpoint + "/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.loads(answer.read())


@pytest.mark.usefixtures("declared")
def test_more_than_there_is_stays_pending_with_the_scheduler_s_own_reason() -> None:
    declare(pool_document(variants=[variant_document(parallelism={"tensor": 8}, replicas={"min": 3, "max": 3})]))
    drain_until(lambda: condition("chat", "Healthy")["reason"] == "Unschedulable", message="no room is said")
    assert "Insufficient nvidia.com/gpu" in condition("chat", "Ready")["message"]
    assert pool().status["health"] == "Progressing"
    assert Event.objects.filter(reason="Unschedulable", type="Warning").exists()


@pytest.mark.usefixtures("declared")
def test_an_image_that_is_not_there_is_said_and_the_running_replicas_stay(cluster: EmbeddedCluster) -> None:
    drain_until(settled(desired=2, ready=2), message="two replicas serve")
    running = set(pods(cluster))
    declare(pool_document(engine={"image": "nobody/nothing:v0.33.0"}))
    drain_until(lambda: pool().status["health"] == "Degraded", message="the bad image is said")
    assert condition("chat", "Healthy")["reason"] in ("ErrImagePull", "ImagePullBackOff")
    assert "nobody/nothing" in condition("chat", "Ready")["message"]
    assert pool().status["replicas"]["ready"] == 2
    assert running <= set(pods(cluster))


@pytest.mark.usefixtures("declared")
def test_a_crashing_engine_is_said_with_its_last_words() -> None:
    declare(pool_document(engine={"args": ["--max-model-len=999999999"]}))

    def said() -> bool:
        found = condition("chat", "Healthy")
        return found["reason"] in ("CrashLoopBackOff", "Error") and "it last said" in found["message"]

    drain_until(said, message="the crash is said")
    assert pool().status["health"] == "Degraded"


@pytest.mark.usefixtures("declared")
def test_killed_processes_of_the_cluster_come_back_and_so_does_the_pool(cluster: EmbeddedCluster) -> None:
    drain_until(settled(desired=2, ready=2), message="two replicas serve")
    for name in ("kubelet", "controllers", "apiserver"):
        cluster.kill(name)
    drain()
    assert condition("chat", "Ready")["reason"] == "ClusterUnreachable"
    for name in ("apiserver", "controllers", "kubelet"):
        cluster.start(name)

    def restarted() -> bool:
        return settled(desired=2, ready=2)() and all(
            p["status"]["containerStatuses"][0]["restartCount"] >= 1 for p in pods(cluster).values()
        )

    drain_until(restarted, message="the same pods serve again, restarted")
