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
from tests.unit.pools.test_import_releases import RELEASE, group

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


def test_an_adopted_engine_goes_on_reading_what_it_downloaded_or_the_plan_warns(api: Api, kube: Kube) -> None:
    obj = copy.deepcopy(PLAIN)
    obj["metadata"] = {"name": "chat-h200", "namespace": NAMESPACE, "labels": {"app": "chat"}}
    pod = obj["spec"]["template"]["spec"]
    pod["volumes"] = [{"name": "w", "hostPath": {"path": "/mnt/models"}}]
    pod["containers"][0]["volumeMounts"] = [{"name": "w", "mountPath": "/root/.cache/huggingface"}]
    kube.create(obj, manager="kubectl-create")
    (found,) = proposed(api)["items"]
    documents = found["documents"]

    def warned() -> list[str]:
        plan = json_of(api.send("POST", "plan", documents))["items"][1]["plan"]
        return [one["message"] for one in plan["warnings"] if one["reason"] == "WeightsFetchedAgain"]

    assert documents[1]["spec"]["engine"]["env"].pop("HF_HUB_CACHE") == "/root/.cache/huggingface/hub"
    (said,) = warned()
    assert "on the nodes' folder /mnt/models and will look for it in a volume that goes with each pod" in said
    documents[1]["spec"]["engine"]["env"]["HF_HUB_CACHE"] = "/root/.cache/huggingface/hub"
    assert warned() == []
    assert api.apply(json.dumps(documents)).status_code == 200
    drain()
    (engine,) = kube.get(kube.resource("Deployment", "apps"), "chat-h200", NAMESPACE)["spec"]["template"]["spec"][
        "containers"
    ]
    mounts = {mount["mountPath"]: mount["name"] for mount in engine["volumeMounts"]}
    assert mounts["/root/.cache/huggingface"] == "w", "their volume stays beside ours"
    assert json_of(api.send("POST", "teams/default/pools/chat/plan"))["warnings"] == []


def changed_objects(plan: Any) -> dict[str, list[str]]:
    """Paths of the fields that a plan changes, by kind/name, of what is there already."""
    found = [obj for obj in plan["objects"] if obj["action"] == "changed"]
    return {f"{obj['kind']}/{obj['name']}": [field["path"] for field in obj["fields"]] for obj in found}


def test_a_release_of_both_roles_is_one_pool_and_its_deployments_are_adopted_in_place(
    api: Api, cluster: EmbeddedCluster, kube: Kube
) -> None:
    theirs = {}
    for obj in copy.deepcopy(RELEASE):
        obj["metadata"] = {"name": obj["metadata"]["name"], "namespace": NAMESPACE}
        theirs[obj["metadata"]["name"]] = kube.create(obj, manager="helm")
    config = {"kind": "EndpointPickerConfig", "plugins": [{"type": "always-disagg-pd-decider"}]}
    picker = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "picker", "namespace": NAMESPACE}}
    kube.create(
        {**picker, "data": {"picker.yaml": json.dumps(config), "odd": "EndpointPickerConfig: ["}}, manager="helm"
    )

    (found,) = proposed(api)["items"]
    assert found["adopts"] == ["Deployment/ms-pd-prefill", "Deployment/ms-pd-decode"]
    documents = found["documents"]
    assert documents[1]["spec"]["routing"]["disaggregation"]["decider"] == {"always": True}
    (why,) = (note for note in found["notes"] if "replaced once" in note)
    assert "--shutdown-timeout" in why and "--max-model-len" not in why

    plan = json_of(api.send("POST", "plan", documents))["items"][1]["plan"]
    assert plan["summary"]["skipped"] == 0
    changed = changed_objects(plan)
    assert changed.keys() == {"Deployment/ms-pd-prefill", "Deployment/ms-pd-decode"}
    for paths in changed.values():
        assert not [path for path in paths if path.startswith(("spec.selector", "spec.replicas"))]
        assert not [path for path in paths if path.endswith((".image", ".nodeSelector", ".command"))], paths
        assert not [path for path in paths if "[modelserver].resources.limits" in path], "accelerators as they were"
    assert not [row for row in plan["accelerators"] if row["delta"]], "no accelerator more than before"

    assert api.apply(json.dumps(documents)).status_code == 200
    drain()
    held = cluster.objects(NAMESPACE)
    for name, before in theirs.items():
        adopted = held[f"Deployment/{name}"]
        assert adopted["metadata"]["uid"] == before["metadata"]["uid"], "the very same object"
        assert adopted["spec"]["replicas"] == before["spec"]["replicas"]
        pod = adopted["spec"]["template"]["spec"]
        assert [one["name"] for one in pod["containers"]] == ["modelserver"], "one engine in a pod"
    sidecars = held["Deployment/ms-pd-decode"]["spec"]["template"]["spec"]["initContainers"]
    assert [one["name"] for one in sidecars] == ["routing-proxy"], "one sidecar in front of it"
    assert condition("ms-pd", "Synced")["status"] == "True"
    assert proposed(api)["items"] == [], "it is a pool's now"
    assert json_of(api.send("POST", "teams/default/pools/ms-pd/plan"))["summary"]["empty"]


def test_groups_of_both_roles_are_adopted_in_place_as_wide_ep(api: Api, cluster: EmbeddedCluster, kube: Kube) -> None:
    theirs = {}
    for role in ("prefill", "decode"):
        obj = group(role, 1)
        obj["metadata"] = {"name": obj["metadata"]["name"], "namespace": NAMESPACE}
        theirs[obj["metadata"]["name"]] = kube.create(obj, manager="helm")
    (found,) = proposed(api)["items"]
    model, document = found["documents"]
    refused = json_of(
        api.send("POST", "plan", [model, document]),
    )
    assert "shape.experts" in json.dumps(refused), "what the note asks for is what is missing"
    model["spec"]["shape"] = {"layers": 61, "heads": 128, "kvHeads": 1, "headDim": 576, "experts": 256}
    plan = json_of(api.send("POST", "plan", [model, document]))["items"][1]["plan"]
    assert changed_objects(plan).keys() == {"LeaderWorkerSet/wide-ep-prefill", "LeaderWorkerSet/wide-ep-decode"}
    assert not [row for row in plan["accelerators"] if row["delta"]]
    assert api.apply(json.dumps([model, document])).status_code == 200
    drain()
    held = cluster.objects(NAMESPACE)
    for name, before in theirs.items():
        adopted = held[f"LeaderWorkerSet/{name}"]
        assert adopted["metadata"]["uid"] == before["metadata"]["uid"]
        assert adopted["metadata"]["labels"]["lamplight.dev/pool-uid"] == str(pool("wide-ep").uid)
    assert condition("wide-ep", "Synced")["status"] == "True"
    assert json_of(api.send("POST", "teams/default/pools/wide-ep/plan"))["summary"]["empty"]


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
    assert "cluster embedded has no namespace nowhere" in json.dumps(proposed(api, 422, namespace="nowhere"))
    declare(cluster_document(str(cluster.kubeconfig), namespaces=["serving"]))
    assert "no room for pools" in proposed(api, 422)["detail"]
