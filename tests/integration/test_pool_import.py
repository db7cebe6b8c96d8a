"""Importing what runs in a namespace: proposals, their plans, and an adoption in place, on the embedded cluster."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from apps.clusters.errors import Conflict
from apps.clusters.kube import Kube
from apps.core.domain.access import Role
from tests.support.cluster import EmbeddedCluster, run_cluster
from tests.support.people import Api, api_of, json_of, person
from tests.support.pools import cluster_document, condition, declare, delete, drain, install_kind, pool
from tests.unit.pools.test_import_proposals import PLAIN

pytestmark = pytest.mark.django_db(transaction=True)
NAMESPACE = "legacy"


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    with run_cluster() as running:
        install_kind(running.kube, "serving.kserve.io", "v1alpha1", "LLMInferenceService", "llminferenceservices")
        yield running


@pytest.fixture
def kube(cluster: EmbeddedCluster) -> Iterator[Kube]:
    client = cluster.kube
    with suppress(Conflict):
        client.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, manager="x")
    yield client
    for obj in cluster.objects(NAMESPACE).values():
        client.delete(client.resource_of(obj), obj["metadata"]["name"], NAMESPACE)


@pytest.fixture
def api(cluster: EmbeddedCluster, kube: Kube) -> Api:
    declare(cluster_document(str(cluster.kubeconfig)))
    return api_of(person("ada", default=Role.EDITOR))


def run_plain(kube: Kube) -> dict[str, Any]:
    obj = copy.deepcopy(PLAIN)
    obj["metadata"] = {"name": "chat-h200", "namespace": NAMESPACE, "labels": {"app": "chat"}}
    return kube.create(obj, manager="kubectl-create")


def proposed(api: Api, status: int = 200, **body: str) -> Any:
    response = api.send("POST", "teams/default/import", {"namespace": NAMESPACE, **body})
    assert response.status_code == status, response.content
    return json_of(response)


def test_a_plain_deployment_is_imported_and_adopted_in_place(api: Api, cluster: EmbeddedCluster, kube: Kube) -> None:
    theirs = run_plain(kube)
    (found,) = proposed(api)["items"]
    assert found["adopts"] == ["Deployment/chat-h200"]
    documents = found["documents"]
    assert documents[1]["metadata"]["annotations"] == {"lamplight.dev/take-ownership-from": "kubectl-create"}

    items = json_of(api.send("POST", "plan", documents))["items"]
    plan = items[1]["plan"]
    deployment = next(o for o in plan["objects"] if o["kind"] == "Deployment")
    assert (deployment["action"], deployment["effect"]) == ("changed", "restart")
    (why,) = (note for note in found["notes"] if "replaced once" in note)
    assert "lamplight.dev/" in why and "--custom-histogram-buckets" in why, "told before anybody plans"
    assert "sk-verysecretvalue" not in why
    paths = {field["path"] for field in deployment["fields"]}
    assert not [path for path in paths if path.startswith(("spec.selector", "spec.replicas"))]
    assert not [path for path in paths if path.endswith((".image", ".nodeSelector"))], "what is there already stays"
    assert plan["summary"]["skipped"] == 0
    assert "hf_averysecrettoken" not in json.dumps(items)

    assert api.apply(json.dumps(documents)).status_code == 200
    drain()
    adopted = cluster.objects(NAMESPACE)["Deployment/chat-h200"]
    assert adopted["metadata"]["uid"] == theirs["metadata"]["uid"], "the very same object"
    assert adopted["metadata"]["labels"]["lamplight.dev/pool-uid"] == str(pool().uid)
    assert adopted["spec"]["selector"] == theirs["spec"]["selector"]
    assert adopted["spec"]["replicas"] == 3
    (engine,) = adopted["spec"]["template"]["spec"]["containers"]
    assert engine["name"] == "server", "one engine in a pod, under the name that it had"
    assert "--served-model-name=llama" in engine["args"]
    assert condition("chat", "Synced")["status"] == "True"
    assert proposed(api)["items"] == [], "it is a pool's now"
    assert json_of(api.send("POST", "teams/default/pools/chat/plan"))["summary"]["empty"]


def test_without_the_annotation_nothing_is_taken_over(api: Api, cluster: EmbeddedCluster, kube: Kube) -> None:
    theirs = run_plain(kube)
    documents = proposed(api)["items"][0]["documents"]
    documents[1]["metadata"].pop("annotations")
    plan = json_of(api.send("POST", "plan", documents))["items"][1]["plan"]
    clash = next(o for o in plan["objects"] if o["kind"] == "Deployment")
    assert (clash["action"], clash["reason"]) == ("skipped", "NameClash")
    assert "hf_averysecrettoken" not in json.dumps(plan)
    api.apply(json.dumps(documents))
    drain()
    assert condition("chat", "Synced")["reason"] == "NameClash"
    assert cluster.objects(NAMESPACE)["Deployment/chat-h200"]["metadata"] == theirs["metadata"]
    delete("Pool", "chat")
    drain()
    assert "Deployment/chat-h200" in cluster.objects(NAMESPACE), "objects without our uid are never deleted"


def test_a_kserve_service_is_read_where_the_cluster_has_the_kind(api: Api, kube: Kube) -> None:
    service = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "LLMInferenceService",
        "metadata": {"name": "qwen", "namespace": NAMESPACE},
        "spec": {"model": {"uri": "hf://Qwen/Qwen3-8B", "name": "qwen3"}, "replicas": 2},
    }
    kube.create(service, manager="kubectl")
    (found,) = proposed(api)["items"]
    assert (found["via"], found["adopts"]) == ("kserve", [])
    items = json_of(api.send("POST", "plan", found["documents"]))["items"]
    assert items[1]["plan"]["summary"]["skipped"] == 0, "nothing of KServe's is touched"
    kube.delete(kube.resource("LLMInferenceService", "serving.kserve.io"), "qwen", NAMESPACE)


def test_what_cannot_be_imported_is_said(api: Api, cluster: EmbeddedCluster, kube: Kube) -> None:
    assert proposed(api)["items"] == []
    assert "no Cluster named nowhere" in proposed(api, 422, cluster="nowhere")["detail"]
    assert proposed(api, 422, namespace="Not A Name")
    declare(cluster_document(str(cluster.kubeconfig), namespaces=["serving"]))
    assert "no room for pools" in proposed(api, 422)["detail"]
