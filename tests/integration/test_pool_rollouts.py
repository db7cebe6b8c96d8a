"""Looking into a pool and steering its roll-outs, on a cluster with controllers, scheduler and kubelet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from apps.core import reasons
from apps.core.domain.access import Role
from apps.pools.models import Pool
from tests.support.cluster import EmbeddedCluster, run_cluster
from tests.support.people import Api, api_of, json_of, person
from tests.support.pools import (
    cluster_document,
    declare,
    delete,
    drain_until,
    model_document,
    pool,
    pool_document,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(240)]
NAMESPACE = "serving"
POOL = "teams/default/pools/chat"


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    with run_cluster(nodes=True) as running:
        yield running


@pytest.fixture
def declared(cluster: EmbeddedCluster) -> Iterator[None]:
    declare(cluster_document(str(cluster.kubeconfig)), model_document(), pool_document())
    drain_until(serving, message="two replicas serve")
    yield
    said = [(c["type"], c["reason"]) for c in pool().conditions if not reasons.known("Pool", c["type"], c["reason"])]
    assert said == [], "every reason is registered"
    delete("Pool", "chat")
    drain_until(lambda: not Pool.objects.exists(), message="the pool is gone")


def serving() -> bool:
    status = pool().status
    return status.get("health") == "Healthy" and status.get("observedGeneration") == pool().generation


@pytest.fixture
def viewer() -> Api:
    return api_of(person("eve", default=Role.VIEWER))


def by_id(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {node["id"]: node for node in found["items"]}


@pytest.mark.usefixtures("declared")
def test_the_tree_goes_down_to_containers_with_events(viewer: Api) -> None:
    found = viewer.get(f"{POOL}/tree")
    nodes = by_id(found)
    assert found["items"][0]["id"] == "pool"
    deployment = nodes["Deployment/chat-h200"]
    assert (deployment["health"], deployment["sync"], deployment["parent"]) == ("Healthy", "Synced", "pool")
    assert deployment["replicas"] == {"desired": 2, "ready": 2, "updated": 2}
    (replica_set,) = [n for n in found["items"] if n["parent"] == "Deployment/chat-h200"]
    assert (replica_set["kind"], replica_set["revision"]) == ("ReplicaSet", 1)
    pods = [n for n in found["items"] if n["parent"] == replica_set["id"]]
    assert [n["health"] for n in pods] == ["Healthy", "Healthy"]
    (container,) = [n for n in found["items"] if n["parent"] == pods[0]["id"]]
    assert (container["name"], container["state"], container["depth"]) == ("vllm", "running", 4)
    abouts = {event["about"] for event in found["events"]}
    assert pods[0]["id"] in abouts
    assert abouts <= set(nodes)
    assert nodes["Service/chat"]["health"] is None
    assert not found["truncated"]


@pytest.mark.usefixtures("declared")
def test_the_tree_shows_what_differs_and_what_is_missing(cluster: EmbeddedCluster, viewer: Api) -> None:
    kube = cluster.kube
    kube.delete(kube.resource("Service"), "chat", NAMESPACE)
    kube._call(
        "PATCH",
        kube.resource("PodDisruptionBudget", "policy").path(NAMESPACE, "chat-h200"),
        body={"spec": {"maxUnavailable": 2}},
        content_type="application/merge-patch+json",
    )
    nodes = by_id(viewer.get(f"{POOL}/tree"))
    assert (nodes["Service/chat"]["health"], nodes["Service/chat"]["sync"]) == ("Missing", "OutOfSync")
    assert nodes["PodDisruptionBudget/chat-h200"]["sync"] == "OutOfSync"
    assert nodes["Deployment/chat-h200"]["sync"] == "Synced"
    drain_until(serving, message="it is healed")


@pytest.mark.usefixtures("declared")
def test_logs_of_a_pod_of_the_pool_and_of_no_other(cluster: EmbeddedCluster, viewer: Api) -> None:
    kube = cluster.kube
    name = next(n["name"] for n in viewer.get(f"{POOL}/tree")["items"] if n["kind"] == "Pod" and "h200" in n["name"])
    found = viewer.get(f"{POOL}/pods/{name}/logs?tail=3")
    assert (found["container"], found["containers"], found["previous"]) == ("vllm", ["vllm"], False)
    assert 1 <= len(found["lines"]) <= 3
    assert json_of(viewer.send("GET", f"{POOL}/pods/{name}/logs?container=other"))["status"] == 422
    assert json_of(viewer.send("GET", f"{POOL}/pods/{name}/logs?tail=5000"))["status"] == 422
    never = json_of(viewer.send("GET", f"{POOL}/pods/{name}/logs?previous=true"))
    assert never["status"] == 422
    assert "previous" in never["detail"]
    theirs = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "theirs", "namespace": NAMESPACE},
        "spec": {"containers": [{"name": "a", "image": "lamplight/process", "command": ["sleep", "60"]}]},
    }
    kube.create(theirs, manager="somebody")
    try:
        for pod in ("theirs", "nobody", "..%2Fsecrets"):
            assert viewer.send("GET", f"{POOL}/pods/{pod}/logs").status_code == 404
    finally:
        kube.delete(kube.resource("Pod"), "theirs", NAMESPACE)


@pytest.mark.usefixtures("declared")
def test_conditions_are_a_tree_whose_parts_agree_with_the_whole() -> None:
    conditions = {c["type"]: c for c in pool().conditions}
    parents = {entry.type: entry.parent for entry in reasons.condition_types() if entry.kind == "Pool"}
    assert set(parents) <= set(conditions)
    for type_ in set(parents.values()) - {None}:
        parts = [conditions[part]["status"] for part, parent in parents.items() if parent == type_]
        assert (conditions[type_]["status"] == "True") == (set(parts) == {"True"})
