"""A pool without replicas serves its first request: held by its picker until the pool is scaled up."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from apps.pools import services
from tests.support.cluster import EmbeddedCluster, shared_cluster
from tests.support.pools import (
    complete,
    declare_on,
    drain_until,
    pool,
    pool_document,
    take_down,
    variant_document,
)
from tests.support.wait import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]


cluster = shared_cluster(nodes=True)


@pytest.fixture
def declared(cluster: EmbeddedCluster) -> Iterator[None]:
    empty = pool_document(variants=[variant_document(replicas={"min": 0, "max": 4})])
    declare_on(cluster, empty)
    services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 0, "person")], actor="user:1")
    yield
    take_down("chat")


def held(cluster: EmbeddedCluster) -> float:
    """Requests that the pool's picker holds, as its metrics tell."""
    kube = cluster.kube
    labels = {"lamplight.dev/pool": "chat", "app.kubernetes.io/component": "endpoint-picker"}
    pod = kube.list(kube.resource("Pod"), "serving", labels=labels)[0]
    page = urllib.request.urlopen(f"http://{pod['status']['podIP']}:9090/metrics", timeout=30).read().decode()
    series = [line for line in page.splitlines() if line.startswith("llm_d_epp_flow_control_queue_size{")]
    return sum(float(line.rpartition(" ")[2]) for line in series)


def listening(endpoint: str) -> bool:
    try:
        urllib.request.urlopen(endpoint + "/health", timeout=30)
    except urllib.error.HTTPError as refused:
        return refused.code == 503 and b"readyEndpoints" in refused.read()
    except OSError:
        pass
    return False


@pytest.mark.usefixtures("declared")
def test_the_first_request_waits_for_the_first_replica(cluster: EmbeddedCluster) -> None:
    drain_until(lambda: pool().status.get("endpoint"), message="the pool has an address")
    endpoint = pool().status["endpoint"]
    drain_until(lambda: listening(endpoint), message="the picker listens, without an endpoint")
    with ThreadPoolExecutor(1) as threads:
        begun = time.monotonic()
        answer = threads.submit(complete, endpoint, timeout=90)
        wait_until(lambda: held(cluster) == 1, message="the request is held")
        assert not answer.done()
        services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 1, "autoscaling")], actor="system")
        drain_until(answer.done, message="the request is answered")
        assert answer.result()["usage"]["completion_tokens"] == 3
        assert time.monotonic() - begun > 0.5, "it waited for the engine's start"
    assert held(cluster) == 0
