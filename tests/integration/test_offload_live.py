"""Offload on an embedded cluster: a probe Job measures the declared volume, and events of a running engine are
collected."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import requests

from apps.offload import probing, services
from apps.offload.collector import Collector
from apps.offload.engines import find_publishers
from apps.offload.models import Probe, ReuseState
from tests.support.cluster import EmbeddedCluster, run_cluster
from tests.support.pools import (
    cluster_document,
    declare,
    drain_until,
    model_document,
    pool,
    pool_document,
    take_down,
    variant_document,
)
from tests.support.wait import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]

OFFLOAD = {
    "mode": "advisory",
    "tiers": [{"kind": "host", "bytes": "8Gi"}, {"kind": "filesystem", "bytes": "50Gi", "claim": "kv-cache"}],
}


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with run_cluster(nodes=True) as running:
        variants = [variant_document(replicas={"min": 1, "max": 1})]
        declare(
            cluster_document(str(running.kubeconfig)),
            model_document(),
            pool_document(variants=variants, offload=OFFLOAD, routing={"picker": False}),
        )
        yield running
        take_down("chat")


def test_a_volume_is_measured_and_a_running_engine_is_heard(cluster: EmbeddedCluster) -> None:
    drain_until(lambda: pool().status.get("health") == "Healthy", message="the engine serves")

    services.ask_for_probe(pool=pool())
    wait_until(
        lambda: probing.run_probes() == 0 or Probe.objects.get().state not in ("asked", "running"),
        message="the probe Job ends",
    )
    probe = Probe.objects.get()
    assert (probe.state, probe.problem) == ("done", "")
    assert probe.result["load"] > 1e6

    (publishers,) = find_publishers()
    assert len(publishers.endpoints) == 1, publishers
    assert list((publishers.others or {}).values()) == [1]
    rows: list[dict[str, object]] = []
    stop = threading.Event()
    collector = Collector(lambda: [publishers], rows.extend, lambda _: None, tick=0.2, look=0.2)
    thread = threading.Thread(target=collector.run, args=(stop,))
    thread.start()
    try:
        address = publishers.endpoints[0].address.removeprefix("tcp://").rpartition(":")[0]
        url = f"http://{address}:8000/v1/completions"

        def heard() -> bool:
            body = {"model": "tiny", "prompt": "a prefix that fills some blocks " * 40, "max_tokens": 1}
            assert requests.post(url, json=body, timeout=30).ok
            return bool(rows and rows[-1]["engines"] and rows[-1]["counters"]["blocks"])  # type: ignore[index]

        wait_until(heard, message="stored blocks are collected")
    finally:
        stop.set()
        thread.join(20)
    services.store_reuse(rows[-1:])
    assert ReuseState.objects.get().engines
