"""What the transcripts do not show: answers of the server over HTTP that Lamplight relies on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from apps.embedded.client import Access, KubeClient, KubeError
from tests.conformance.apiserver import TOKENS, Running, running_server


@pytest.fixture
async def api() -> AsyncIterator[Running]:
    async with running_server(install_crds=True) as running:
        yield running


@pytest.fixture
async def client(api: Running) -> AsyncIterator[KubeClient]:
    async with KubeClient(Access(api.url, TOKENS["admin"], None)) as client:
        yield client


async def test_a_namespace_goes_when_its_finalizer_is_taken_through_finalize(client: KubeClient) -> None:
    namespace = await client.create("", "v1", "namespaces", {"metadata": {"name": "gone"}})
    namespace = await client.delete("", "v1", "namespaces", "gone")
    assert namespace["status"]["phase"] == "Terminating"
    unheld = {**namespace, "spec": {}}
    await client.update("", "v1", "namespaces", unheld)
    assert (await client.get("", "v1", "namespaces", "gone"))["spec"] == {"finalizers": ["kubernetes"]}
    await client.update("", "v1", "namespaces", {**namespace, "spec": {}}, subresource="finalize")
    with pytest.raises(KubeError, match="not found"):
        await client.get("", "v1", "namespaces", "gone")


@pytest.mark.parametrize(
    "path",
    [
        "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers",
        "/apis/batch/v1/namespaces/default/cronjobs",
        "/api/v1/namespaces/default/pods/p/exec",
    ],
)
async def test_what_kubernetes_has_and_we_do_not_is_501_and_says_so(client: KubeClient, path: str) -> None:
    with pytest.raises(KubeError) as refused:
        await client.request("GET", path)
    assert (refused.value.status, refused.value.reason) == (501, "NotImplemented")
    assert "not served by the embedded cluster" in refused.value.message


async def test_protobuf_is_refused_with_the_way_out(client: KubeClient) -> None:
    with pytest.raises(KubeError) as refused:
        await client.request("POST", "/api/v1/namespaces", body={}, content_type="application/vnd.kubernetes.protobuf")
    assert refused.value.status == 415
    assert "kubectl apply -f" in refused.value.message


async def test_a_body_that_is_too_large_is_413(client: KubeClient) -> None:
    huge = {"metadata": {"name": "a", "namespace": "default"}, "data": {"k": "x" * (4 * 1024 * 1024)}}
    with pytest.raises(KubeError) as refused:
        await client.create("", "v1", "configmaps", huge)
    assert refused.value.status == 413


async def test_a_definition_takes_its_objects_along(client: KubeClient) -> None:
    group, version, plural = "inference.networking.k8s.io", "v1", "inferencepools"
    spec = {"selector": {"matchLabels": {"a": "b"}}, "targetPorts": [{"number": 8000}]}
    body = {
        "apiVersion": f"{group}/{version}",
        "kind": "InferencePool",
        "metadata": {"name": "x", "namespace": "default"},
        "spec": spec,
    }
    await client.create(group, version, plural, body)
    definition = await client.get("apiextensions.k8s.io", "v1", "customresourcedefinitions", f"{plural}.{group}")
    assert {c["type"]: c["status"] for c in definition["status"]["conditions"]}["Established"] == "True"
    await client.delete("apiextensions.k8s.io", "v1", "customresourcedefinitions", f"{plural}.{group}")
    with pytest.raises(KubeError) as refused:
        await client.get(group, version, plural, "x", namespace="default")
    assert refused.value.status == 404
    fresh = {key: definition[key] for key in ("apiVersion", "kind", "spec")}
    fresh["metadata"] = {"name": f"{plural}.{group}"}
    await client.create("apiextensions.k8s.io", "v1", "customresourcedefinitions", fresh)
    assert (await client.list(group, version, plural))["items"] == []


async def test_cluster_addresses_are_unique_and_come_back(client: KubeClient) -> None:
    async def service(name: str) -> str:
        body = {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": [{"port": 80}]}}
        return (await client.create("", "v1", "services", body))["spec"]["clusterIP"]

    addresses = [await service(f"s{number}") for number in range(10)]
    assert len(set(addresses)) == 10
    taken = {
        "metadata": {"name": "other", "namespace": "default"},
        "spec": {"clusterIP": addresses[0], "ports": [{"port": 80}]},
    }
    with pytest.raises(KubeError, match="already allocated"):
        await client.create("", "v1", "services", taken)
    await client.delete("", "v1", "services", "s0", namespace="default")
    assert (await client.create("", "v1", "services", taken))["spec"]["clusterIP"] == addresses[0]


async def test_an_eviction_spends_the_budget_and_is_refused_without(client: KubeClient) -> None:
    await client.create("", "v1", "serviceaccounts", {"metadata": {"name": "default", "namespace": "default"}})
    spec = {"containers": [{"name": "c", "image": "i"}], "nodeName": "n"}
    pod = {"metadata": {"name": "p", "namespace": "default", "labels": {"app": "x"}}, "spec": spec}
    await client.create("", "v1", "pods", pod)
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "b", "namespace": "default"},
        "spec": {"selector": {"matchLabels": {"app": "x"}}, "minAvailable": 1},
    }
    stored = await client.create("policy", "v1", "poddisruptionbudgets", budget)
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p"}}
    options = {"namespace": "default", "name": "p", "subresource": "eviction"}
    with pytest.raises(KubeError) as refused:
        await client.create("", "v1", "pods", eviction, **options)
    assert refused.value.status == 429
    stored["status"]["disruptionsAllowed"] = 1
    await client.update_status("policy", "v1", "poddisruptionbudgets", stored)
    await client.create("", "v1", "pods", eviction, **options)
    evicted = await client.get("", "v1", "pods", "p", namespace="default")
    assert evicted["metadata"]["deletionGracePeriodSeconds"] == 30
    left = await client.get("policy", "v1", "poddisruptionbudgets", "b", namespace="default")
    assert left["status"]["disruptionsAllowed"] == 0


async def test_a_pod_is_bound_once(client: KubeClient) -> None:
    await client.create("", "v1", "serviceaccounts", {"metadata": {"name": "default", "namespace": "default"}})
    spec = {"containers": [{"name": "c", "image": "i"}]}
    await client.create("", "v1", "pods", {"metadata": {"name": "p", "namespace": "default"}, "spec": spec})
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": "p"},
        "target": {"kind": "Node", "name": "n"},
    }
    options = {"namespace": "default", "name": "p", "subresource": "binding"}
    await client.create("", "v1", "pods", binding, **options)
    pod = await client.get("", "v1", "pods", "p", namespace="default")
    assert pod["spec"]["nodeName"] == "n"
    assert [(c["type"], c["status"]) for c in pod["status"]["conditions"]] == [("PodScheduled", "True")]
    with pytest.raises(KubeError, match="already assigned"):
        await client.create("", "v1", "pods", binding, **options)


@pytest.mark.parametrize("depth", [300, 900])
async def test_an_object_that_is_nested_too_deeply_is_refused(api: Running, depth: int) -> None:
    marker = "the deep schema"
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": marker}}
    spec = {"group": "g.io", "scope": "Cluster", "names": {"plural": "xs", "kind": "X"}, "versions": [version]}
    shallow = json.dumps({"metadata": {"name": "xs.g.io"}, "spec": spec})
    body = shallow.replace(json.dumps(marker), '{"a":' * depth + "1" + "}" * depth)
    url = f"{api.url}/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    headers = {"Authorization": f"Bearer {TOKENS['admin']}", "Content-Type": "application/json"}
    async with api.session.post(url, data=body, headers=headers) as response:
        assert response.status == 400, await response.text()
        assert "nested too deeply" in (await response.json())["message"]
    async with api.session.get(f"{url}/xs.g.io", headers=headers) as response:
        assert response.status == 404
