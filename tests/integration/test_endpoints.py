"""The endpoint controller against the embedded API server: objects, conditions, weights, deletion."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from apps.clusters.kube import Kube
from apps.core.services import BundleRefused
from apps.endpoints.models import Endpoint
from apps.pools.models import Pool
from apps.reconcile import services as reconcile
from apps.reconcile.domain.priority import Priority
from tests.support.cluster import EmbeddedCluster, emptied, shared_cluster
from tests.support.pools import cluster_document, declare, declare_on, delete, drain, model_document, pool_document

pytestmark = pytest.mark.django_db(transaction=True)
NAMESPACE = "serving"


cluster = shared_cluster()


@pytest.fixture
def kube(cluster: EmbeddedCluster) -> Iterator[Kube]:
    with emptied(cluster, NAMESPACE) as client:
        yield client


def endpoint_document(*backends: dict[str, Any], **spec: Any) -> dict[str, Any]:
    models = [{"name": "public", "backends": list(backends) or [{"pool": "chat", "weight": 9}]}]
    return {
        "apiVersion": "lamplight.dev/v1",
        "kind": "Endpoint",
        "metadata": {"name": "front"},
        "spec": {"cluster": "embedded", "namespace": NAMESPACE, "models": models, **spec},
    }


@pytest.fixture
def declared(cluster: EmbeddedCluster, kube: Kube) -> None:
    declare_on(cluster, pool_document(), endpoint_document())
    drain()


def ready() -> tuple[str, str, str]:
    row = next(c for c in Endpoint.objects.get(name="front").conditions if c["type"] == "Ready")
    return row["status"], row["reason"], row["message"]


def table(cluster: EmbeddedCluster) -> Any:
    return json.loads(cluster.objects(NAMESPACE)["ConfigMap/front-gw"]["data"]["endpoint.json"])


@pytest.mark.usefixtures("declared")
def test_an_endpoint_becomes_objects_and_says_what_it_waits_for(cluster: EmbeddedCluster) -> None:
    names = cluster.objects(NAMESPACE).keys()
    assert {"ConfigMap/front-gw", "Deployment/front-gw", "Service/front"} <= names
    assert table(cluster)["models"]["public"]["backends"][0]["url"] == "http://chat.serving.svc:8000"
    assert ready()[:2] == ("False", "DataPlaneStarting")
    held = Endpoint.objects.get(name="front")
    assert held.status["pools"] == [{"name": "chat", "ready": 0}]
    assert held.status["endpoint"].startswith("http://")


@pytest.mark.usefixtures("declared")
def test_new_weights_reach_the_table_and_nothing_else_is_written(cluster: EmbeddedCluster) -> None:
    before = cluster.objects(NAMESPACE)["Service/front"]["metadata"]["uid"]
    declare(endpoint_document({"pool": "chat", "weight": 3, "adapter": "sql"}))
    drain()
    assert table(cluster)["models"]["public"]["backends"] == [
        {"pool": "chat", "url": "http://chat.serving.svc:8000", "model": "sql", "weight": 3}
    ]
    assert cluster.objects(NAMESPACE)["Service/front"]["metadata"]["uid"] == before


@pytest.mark.usefixtures("declared")
def test_with_a_gateway_the_data_plane_goes_and_a_missing_kind_is_said(cluster: EmbeddedCluster) -> None:
    declare(endpoint_document(gateway={"name": "public"}))
    drain()
    status, reason, message = ready()
    if "InferenceModelRewrite.llm-d.ai" in cluster.kube.resources():
        assert "HTTPRoute/front" in cluster.objects(NAMESPACE)
        assert "Deployment/front-gw" not in cluster.objects(NAMESPACE)
    else:
        assert (status, reason) == ("False", "GatewayNotAvailable")
        assert "install it there" in message


@pytest.mark.usefixtures("declared")
def test_a_pool_that_goes_is_missed_and_one_that_comes_back_is_found() -> None:
    delete("Pool", "chat")
    drain()
    Pool.objects.all().delete()
    drain()
    assert ready()[1] in ("PoolMissing", "DataPlaneStarting")
    held = Endpoint.objects.get(name="front")
    reconcile.enqueue(kind="Endpoint", uid=held.uid, priority=Priority.PERSON, shard=str(held.cluster_uid))
    drain()
    assert ready()[:2] == ("False", "PoolMissing")
    declare(pool_document())
    drain()
    assert ready()[1] == "DataPlaneStarting"


@pytest.mark.usefixtures("declared")
def test_a_deleted_endpoint_leaves_nothing(cluster: EmbeddedCluster) -> None:
    delete("Endpoint", "front")
    for _ in range(3):
        drain()
    assert not Endpoint.objects.filter(name="front").exists()
    assert not {name for name in cluster.objects(NAMESPACE) if "front" in name}
    assert "InferencePool/chat" in cluster.objects(NAMESPACE), "its pools stay"


def test_a_gateway_does_not_reach_a_pool_of_another_namespace(cluster: EmbeddedCluster, kube: Kube) -> None:
    declare_on(cluster, pool_document())
    with pytest.raises(BundleRefused) as refused:
        declare(endpoint_document(namespace="other", gateway={"name": "public"}))
    assert any("one namespace of one cluster" in fault.detail for fault in refused.value.faults)


@pytest.mark.usefixtures("kube")
def test_fail_over_reaches_a_pool_of_another_cluster(cluster: EmbeddedCluster) -> None:
    second = cluster_document(str(cluster.kubeconfig))
    second["metadata"]["name"] = "second"
    spare = pool_document("spare", cluster="second")
    model = {"name": "public", "backends": [{"pool": "chat"}], "failover": ["spare"]}
    declare(cluster_document(str(cluster.kubeconfig)), second, model_document(), pool_document(), spare)
    drain()
    declare(endpoint_document(models=[model]))
    drain()
    (row,) = table(cluster)["models"]["public"]["failover"]
    assert row["url"] == Pool.objects.get(name="spare").status["endpoint"]
    assert {pool["name"] for pool in Endpoint.objects.get(name="front").status["pools"]} == {"chat", "spare"}
    # an address inside another real cluster is no way to it
    Pool.objects.filter(name="spare").update(status={"endpoint": "http://10.96.0.7:8000"})
    held = Endpoint.objects.get(name="front")
    reconcile.enqueue(kind="Endpoint", uid=held.uid, priority=Priority.PERSON, shard=str(held.cluster_uid))
    drain()
    assert ready()[:2] == ("False", "PoolNotOutside")
