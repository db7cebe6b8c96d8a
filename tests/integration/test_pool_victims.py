"""Scaling down on the embedded cluster takes the replica whose prefix cache saves least, not the youngest."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from apps.pools import services
from tests.support.cluster import EmbeddedCluster, shared_cluster
from tests.support.pools import (
    condition,
    declare_on,
    drain_until,
    engine_pods,
    pool,
    pool_document,
    take_down,
    variant_document,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]


cluster = shared_cluster(nodes=True)


@pytest.fixture
def replicas(cluster: EmbeddedCluster) -> Iterator[None]:
    document = pool_document(variants=[variant_document(replicas={"min": 1, "max": 3})])
    declare_on(cluster, document)
    want(1)
    drain_until(lambda: condition("chat", "Healthy")["status"] == "True", message="the pool serves")
    yield
    take_down("chat")


def want(count: int) -> None:
    services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", count, "person")], actor="user:1")


def engines(cluster: EmbeddedCluster) -> dict[str, dict[str, Any]]:
    return {pod["metadata"]["name"]: pod for pod in engine_pods(cluster)}


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
