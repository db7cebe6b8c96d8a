"""A pool without replicas serves its first request: held by its picker until the pool is scaled up."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from apps.pools import services
from apps.pools.models import Pool
from tests.support.cluster import EmbeddedCluster, run_cluster
from tests.support.pools import (
    cluster_document,
    declare,
    delete,
    drain_until,
    model_document,
    pool,
    pool_document,
    variant_document,
)
from tests.support.wait import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    with run_cluster(nodes=True) as running:
        yield running


@pytest.fixture
def declared(cluster: EmbeddedCluster) -> Iterator[None]:
    empty = pool_document(variants=[variant_document(replicas={"min": 0, "max": 4})])
    declare(cluster_document(str(cluster.kubeconfig)), model_document(), empty)
    services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 0, "person")], actor="user:1")
    yield
    delete("Pool", "chat")
    drain_until(lambda: not Pool.objects.exists(), message="the pool is gone")


def ask(endpoint: str) -> Any:
    body = {"model": "tiny", "prompt": "hello there", "max_tokens": 3, "ignore_eos": True}
    request = urllib.request.Request(
        endpoint + "/v1/completions", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=90) as answer:
        return json.loads(answer.read())


def held(cluster: EmbeddedCluster) -> float:
    """Requests that the pool's picker holds, as its metrics tell."""
    kube = cluster.kube
    labels = {"lamplight.dev/pool": "chat", "app.kubernetes.io/component": "endpoint-picker"}
    pod = kube.list(kube.resource("Pod"), "serving", labels=labels)[0]
    page = urllib.request.urlopen(f"http://{pod['status']['podIP']}:9090/metrics", timeout=5).read().decode()
    series = [line for line in page.splitlines() if line.startswith("llm_d_epp_flow_control_queue_size{")]
    return sum(float(line.rpartition(" ")[2]) for line in series)


def listening(endpoint: str) -> bool:
    try:
        urllib.request.urlopen(endpoint + "/health", timeout=5)
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
        answer = threads.submit(ask, endpoint)
        wait_until(lambda: held(cluster) == 1, message="the request is held")
        assert not answer.done()
        services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 1, "autoscaling")], actor="system")
        drain_until(answer.done, message="the request is answered")
        assert answer.result()["usage"]["completion_tokens"] == 3
        assert time.monotonic() - begun > 0.5, "it waited for the engine's start"
    assert held(cluster) == 0
