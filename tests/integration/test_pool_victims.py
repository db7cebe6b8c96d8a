"""Scaling down on the embedded cluster takes the replica whose prefix cache saves least, not the youngest."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from apps.pools import services
from apps.pools.models import Pool
from tests.support.cluster import EmbeddedCluster, run_cluster
from tests.support.pools import (
    cluster_document,
    condition,
    declare,
    delete,
    drain_until,
    model_document,
    pool,
    pool_document,
    variant_document,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    with run_cluster(nodes=True) as running:
        yield running


@pytest.fixture
def replicas(cluster: EmbeddedCluster) -> Iterator[None]:
    document = pool_document(variants=[variant_document(replicas={"min": 1, "max": 3})])
    declare(cluster_document(str(cluster.kubeconfig)), model_document(), document)
    want(1)
    drain_until(lambda: condition("chat", "Healthy")["status"] == "True", message="the pool serves")
    yield
    delete("Pool", "chat")
    drain_until(lambda: not Pool.objects.exists(), message="the pool is gone")


def want(count: int) -> None:
    services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", count, "person")], actor="user:1")


def engines(cluster: EmbeddedCluster) -> dict[str, dict[str, Any]]:
    labels = {"lamplight.dev/pool": "chat", "app.kubernetes.io/component": "engine"}
    pods = cluster.kube.list(cluster.kube.resource("Pod"), "serving", labels=labels)
    return {pod["metadata"]["name"]: pod for pod in pods if "deletionTimestamp" not in pod["metadata"]}


def ask(pod: dict[str, Any], prompt: str) -> None:
    body = {"model": "tiny", "prompt": prompt, "max_tokens": 2, "ignore_eos": True}
    url = f"http://{pod['status']['podIP']}:8000/v1/completions"
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()


def ready() -> int:
    return int(pool().status["replicas"]["ready"])


@pytest.mark.usefixtures("replicas")
def test_the_replica_with_the_least_cache_value_goes(cluster: EmbeddedCluster) -> None:
    (oldest,) = engines(cluster)
    want(2)
    drain_until(lambda: ready() == 2 and len(engines(cluster)) == 2, message="a second replica serves")
    (youngest,) = set(engines(cluster)) - {oldest}
    for _ in range(4):
        ask(engines(cluster)[youngest], "the same long question " * 200)
    want(1)
    drain_until(lambda: len(engines(cluster)) == 1 and ready() == 1, message="one replica is left")
    assert set(engines(cluster)) == {youngest}, "a ReplicaSet alone would have kept the oldest"
