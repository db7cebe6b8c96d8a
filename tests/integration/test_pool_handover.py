"""Replicas handed over to an HPA on the embedded cluster, and taken back; KEDA where it is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from apps.pools import services
from tests.support.cluster import EmbeddedCluster, shared_cluster
from tests.support.pools import (
    condition,
    declare,
    declare_on,
    drain,
    drain_until,
    pool,
    pool_document,
    take_down,
    variant_document,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
HPA_MANAGER = "kube-controller-manager"


cluster = shared_cluster(nodes=True)


@pytest.fixture
def declared(cluster: EmbeddedCluster) -> Iterator[EmbeddedCluster]:
    declare_on(cluster)
    yield cluster
    take_down("chat")


def of_mode(**autoscaling: Any) -> dict[str, Any]:
    return pool_document(variants=[variant_document(replicas={"min": 1, "max": 4})], autoscaling=autoscaling)


def scalers(cluster: EmbeddedCluster) -> list[dict[str, Any]]:
    return cluster.kube.list(cluster.kube.resource("HorizontalPodAutoscaler", "autoscaling"), "serving")


def deployment(cluster: EmbeddedCluster) -> dict[str, Any]:
    return cluster.kube.get(cluster.kube.resource("Deployment", "apps"), "chat-h200", "serving")


def scale_as_the_hpa_does(cluster: EmbeddedCluster, replicas: int) -> None:
    version = deployment(cluster)["metadata"]["resourceVersion"]
    resource = cluster.kube.resource("Deployment", "apps")
    cluster.kube.scale(resource, "chat-h200", "serving", replicas, manager=HPA_MANAGER, version=version)


def test_an_hpa_is_rendered_and_is_the_one_writer_until_it_is_taken_back(declared: EmbeddedCluster) -> None:
    cluster = declared
    declare(of_mode(mode="external", handover="hpa"))
    drain_until(lambda: condition("chat", "Healthy")["status"] == "True", message="the pool serves")
    (hpa,) = scalers(cluster)
    assert hpa["spec"]["scaleTargetRef"]["name"] == "chat-h200"
    metric = hpa["spec"]["metrics"][0]["external"]
    assert metric["metric"]["name"] == "wva_desired_replicas"
    assert metric["metric"]["selector"]["matchLabels"]["variant_name"] == "chat-h200"
    # the cluster's own controller reads it: without a metrics adapter it says that it cannot see the metric
    drain_until(
        lambda: any(
            c["reason"] == "FailedGetExternalMetric" and "wva_desired_replicas" in c["message"]
            for c in (scalers(cluster)[0].get("status") or {}).get("conditions") or []
        ),
        message="the HPA is read",
    )

    scale_as_the_hpa_does(cluster, 3)
    drain_until(lambda: pool().status["replicas"] == {"desired": 3, "ready": 3, "starting": 0}, message="three serve")
    drain()
    assert deployment(cluster)["spec"]["replicas"] == 3, "not ours to write"
    owner = condition("chat", "ReplicasOwner")
    assert (owner["status"], owner["reason"]) == ("True", "External")
    with pytest.raises(Exception, match="another scaler"):
        wanted = services.Wanted("h200", 1, "person")
        services.set_replica_targets(pool=pool(), wanted=[wanted], actor="system:test")

    declare(of_mode(mode="active"))
    drain_until(lambda: not scalers(cluster), message="the HPA goes with the mode")
    wanted = services.Wanted("h200", 2, "autoscaler")
    services.set_replica_targets(pool=pool(), wanted=[wanted], actor="system:test")
    drain_until(lambda: deployment(cluster)["spec"]["replicas"] == 2, message="Lamplight writes replicas again")
    assert condition("chat", "ReplicasOwner")["reason"] == "Lamplight"


def test_keda_where_it_is_not_installed_is_refused_with_its_mend(declared: EmbeddedCluster) -> None:
    declare(of_mode(mode="external", handover="keda"))
    drain_until(lambda: condition("chat", "Rendered")["reason"] == "KedaMissing", message="it is refused")
    assert "install KEDA there, or hand over to hpa" in condition("chat", "Rendered")["message"]
    assert not scalers(declared)
