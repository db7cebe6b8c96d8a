"""The pool controller after each fault of an API server: everything there once, nothing lost, no status goes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.cluster import EmbeddedCluster, shared_cluster
from tests.support.faults import script, struck
from tests.support.pools import (
    condition,
    counted_calls,
    declare,
    declare_on,
    drain,
    drain_until,
    pool,
    pool_document,
    take_down,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
NAMESPACE = "serving"
WRITES = ["patch", "create", "update"]


cluster = shared_cluster(options={"apiserver": ["--faults"]})


@pytest.fixture
def declared(cluster: EmbeddedCluster) -> Iterator[None]:
    script(cluster)
    declare_on(cluster, pool_document())
    yield
    script(cluster)
    take_down("chat")


def synced() -> bool:
    status = pool().status
    return status.get("observedGeneration") == pool().generation and condition("chat", "Synced")["status"] == "True"


FAULTS = [
    {"fault": "conflict", "resources": ["deployments"]},
    {"fault": "already-exists", "resources": ["configmaps"]},
    {"fault": "apply-conflict", "resources": ["configmaps"]},
    {"fault": "throttled", "resources": ["deployments"], "times": 2},
    {"fault": "internal", "resources": ["configmaps"], "times": 2},
    {"fault": "unavailable", "times": 3},
    {"fault": "forbidden", "resources": ["deployments"]},
    {"fault": "admission", "skip": 1},
    {"fault": "terminating", "skip": 2},
    {"fault": "reset", "resources": ["deployments"]},
    {"fault": "reset", "skip": 1, "times": 2},
    {"fault": "stall", "seconds": 1.5},
    {"fault": "lost-answer", "resources": ["deployments"]},
    {"fault": "lost-answer", "skip": 1, "times": 2},
    {"fault": "not-served", "resources": ["deployments"]},
]


@pytest.mark.usefixtures("declared")
def test_after_each_fault_it_converges(cluster: EmbeddedCluster) -> None:
    """One pool through all of them, each met by a change that has to be written: an engine flag and a weight."""
    drain_until(synced, message="the pool is written")
    before = {name: obj["metadata"]["uid"] for name, obj in cluster.objects(NAMESPACE).items()}
    observed = pool().status["observedGeneration"]
    for number, fault in enumerate(FAULTS):
        script(cluster, {"verbs": WRITES, **fault})
        length = 4096 + 16 * number
        declare(
            pool_document(engine={"args": [f"--max-model-len={length}"]}, routing={"weights": {"queue": number + 3}})
        )
        generation = pool().generation
        drain()
        assert struck(cluster) >= 1, f"{fault} was met"
        assert pool().status["observedGeneration"] >= observed, f"after {fault} the status goes back"
        drain_until(synced, message=f"{fault} is got over")
        observed = pool().status["observedGeneration"]
        assert observed == generation
        objects = cluster.objects(NAMESPACE)
        assert {name: obj["metadata"]["uid"] for name, obj in objects.items()} == before, f"{fault} made others"
        containers = objects["Deployment/chat-h200"]["spec"]["template"]["spec"]["containers"]
        assert f"--max-model-len={length}" in containers[0]["args"]
        assert f"weight: {number + 3}" in objects["ConfigMap/chat-epp"]["data"]["config.yaml"]


READS = [
    {"fault": "gone", "resources": ["services"]},
    {"fault": "gone", "resources": ["deployments"]},
    {"fault": "throttled", "resources": ["pods"]},
    {"fault": "internal", "resources": ["configmaps"]},
    {"fault": "forbidden", "resources": ["deployments"]},
    {"fault": "reset", "resources": ["services"]},
]


@pytest.mark.usefixtures("declared")
def test_a_list_that_comes_apart_takes_nothing_away(cluster: EmbeddedCluster) -> None:
    """What could not be read is not gone: nothing is deleted, made anew or scaled because of it."""
    drain_until(synced, message="the pool is written")
    before = {name: obj["metadata"]["uid"] for name, obj in cluster.objects(NAMESPACE).items()}
    for number, fault in enumerate(READS):
        script(cluster, {"verbs": ["list"], **fault})
        declare(pool_document(engine={"args": [f"--max-model-len={8192 + 16 * number}"]}))
        with counted_calls() as calls:
            drain()
        assert struck(cluster) >= 1, f"{fault} was met"
        assert not [path for method, path in calls if method in ("DELETE", "POST") and "accessreviews" not in path]
        drain_until(synced, message=f"{fault} is got over")
        objects = cluster.objects(NAMESPACE)
        assert {name: obj["metadata"]["uid"] for name, obj in objects.items()} == before
        assert objects["Deployment/chat-h200"]["spec"]["replicas"] == 2
