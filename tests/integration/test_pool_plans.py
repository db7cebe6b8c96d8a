"""Plans through REST against the embedded API server: what would change, asked by dry run, and nothing written."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from apps.clusters.kube import Kube
from apps.core.domain.access import Role
from apps.pools.models import Pool, PoolPlan
from tests.support.cluster import EmbeddedCluster, run_cluster
from tests.support.people import Api, api_of, json_of, person
from tests.support.pools import (
    cluster_document,
    condition,
    counted_calls,
    declare,
    drain,
    model_document,
    pool,
    pool_document,
    variant_document,
    writes,
)

pytestmark = pytest.mark.django_db(transaction=True)
NAMESPACE = "serving"
POOLS = "teams/default/pools"


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    with run_cluster() as running:
        yield running


@pytest.fixture
def kube(cluster: EmbeddedCluster) -> Iterator[Kube]:
    client = cluster.kube
    yield client
    for obj in cluster.objects(NAMESPACE).values():
        client.delete(client.resource_of(obj), obj["metadata"]["name"], NAMESPACE)


@pytest.fixture
def api(cluster: EmbeddedCluster, kube: Kube) -> Api:
    declare(cluster_document(str(cluster.kubeconfig), prices={"nvidia-h200": "3.20 USD/h"}), model_document())
    return api_of(person("ada", default=Role.EDITOR))


@pytest.fixture
def live(api: Api) -> None:
    declare(pool_document())
    drain()


def document(name: str = "chat", **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "lamplight.dev/v1", **pool_document(name, **spec)}


def plan(api: Api, body: Any = None, name: str = "chat", query: str = "") -> dict[str, Any]:
    response = api.send("POST", f"{POOLS}/{name}/plan{query}", body)
    assert response.status_code in (200, 201), response.content
    return dict(json_of(response))


def named(planned: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {f"{o['kind']}/{o['name']}": o for o in planned["objects"]}


@pytest.mark.usefixtures("live")
def test_a_plan_of_what_is_declared_and_live_is_empty(api: Api, cluster: EmbeddedCluster) -> None:
    before = cluster.objects(NAMESPACE)
    with counted_calls() as calls:
        planned = plan(api)
    assert planned["summary"]["empty"] is True
    assert planned["summary"]["unchanged"] == len(planned["objects"]) > 5
    assert (planned["origin"], planned["state"], planned["base"]["generation"]) == ("declaration", "open", 1)
    assert len(writes(calls)) == len(planned["objects"]), "the cluster was asked about each object"
    assert cluster.objects(NAMESPACE) == before


@pytest.mark.usefixtures("live")
def test_a_changed_document_is_planned_field_by_field_and_changes_nothing(api: Api, cluster: EmbeddedCluster) -> None:
    before = {name: obj["metadata"]["resourceVersion"] for name, obj in cluster.objects(NAMESPACE).items()}
    changed = document(
        engine={"args": ["--max-model-len=8192"]},
        variants=[variant_document(replicas={"min": 3, "max": 4}), variant_document("spare", replicas={"min": 1})],
    )
    planned = plan(api, changed, query="?reason=longer+context")
    objects = named(planned)
    deployment = objects["Deployment/chat-h200"]
    assert (deployment["action"], deployment["effect"], deployment["restarts"]) == ("changed", "restart", 2)
    fields = {field["path"]: field for field in deployment["fields"]}
    args = fields["spec.template.spec.containers[vllm].args"]
    assert "--max-model-len=8192" in args["after"]
    assert "--max-model-len=8192" not in args["before"]
    assert args["effect"] == "restart"
    assert fields["spec.replicas"] == {
        "path": "spec.replicas",
        "op": "changed",
        "effect": "inPlace",
        "before": 2,
        "after": 3,
    }
    assert objects["Deployment/chat-spare"]["action"] == "created"
    assert objects["Service/chat"]["action"] == "unchanged"
    assert {f["path"] for f in planned["spec"]} == {
        "spec.engine.args",
        "spec.variants[h200].replicas.min",
        "spec.variants[spare]",
    }
    summary = planned["summary"]
    assert (summary["created"], summary["changed"], summary["replicasRestarted"]) == (2, 1, 2)
    assert planned["accelerators"] == [{"accelerator": "nvidia-h200", "before": 2.0, "after": 4.0, "delta": 2.0}]
    assert planned["cost"] == [{"currency": "USD", "per": "h", "before": 6.4, "after": 12.8, "delta": 6.4}]
    assert (planned["reason"], planned["actor"][:5]) == ("longer context", "user:")
    after = {name: obj["metadata"]["resourceVersion"] for name, obj in cluster.objects(NAMESPACE).items()}
    assert (after, pool().generation) == (before, 1)


def test_a_pool_that_is_only_proposed_is_planned_too(api: Api, cluster: EmbeddedCluster) -> None:
    planned = plan(api, document("idea"), "idea")
    assert {o["action"] for o in planned["objects"]} == {"created"}
    assert planned["base"] == {"generation": None, "version": None}
    assert named(planned)["Deployment/idea-h200"]["manifest"]["spec"]["replicas"] == 2
    assert not Pool.objects.exists()
    assert not [name for name in cluster.objects(NAMESPACE) if "/idea" in name]
    listed = api.get(f"{POOLS}/idea/plans")["items"]
    assert [row["id"] for row in listed] == [planned["id"]]
    assert "objects" not in listed[0]
    assert api.get(f"{POOLS}/idea/plans/{planned['id']}") == planned
    assert api.send("GET", f"{POOLS}/other/plans/{planned['id']}").status_code == 404


@pytest.mark.usefixtures("live")
def test_what_goes_is_named(api: Api) -> None:
    planned = plan(api, document(variants=[variant_document("new")]))
    deleted = {f"{o['kind']}/{o['name']}" for o in planned["objects"] if o["action"] == "deleted"}
    assert deleted == {"Deployment/chat-h200", "PodDisruptionBudget/chat-h200"}


@pytest.mark.usefixtures("live")
def test_a_field_that_somebody_edited_is_shown_with_who_wrote_it(api: Api, kube: Kube) -> None:
    path = kube.resource("Deployment", "apps").path(NAMESPACE, "chat-h200")
    kube._call(
        "PATCH",
        path,
        {"fieldManager": "kubectl-edit"},
        body={"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 5}}}},
        content_type="application/merge-patch+json",
    )
    found = named(plan(api))["Deployment/chat-h200"]
    assert (found["action"], found["reason"]) == ("skipped", "OwnershipConflict")
    field = next(f for f in found["fields"] if f["path"].endswith("terminationGracePeriodSeconds"))
    assert (field["before"], field["writers"][0]["manager"]) == (5, "kubectl-edit")
    assert field["writers"][0]["at"]
    assert found["conflicts"][0]["fields"] == [".spec.template.spec.terminationGracePeriodSeconds"]


def test_a_name_that_is_taken_is_left_alone_and_said(api: Api, kube: Kube) -> None:
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "spec": {"ports": [{"port": 80}]},
        "metadata": {"name": "idea-engines", "namespace": NAMESPACE},
    }
    try:
        kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}, manager="x")
    except Exception as error:  # an earlier test made it
        assert "AlreadyExists" in str(error) or "exists" in str(error)
    kube.create(theirs, manager="somebody")
    planned = plan(api, document("idea"), "idea")
    found = named(planned)["Service/idea-engines"]
    assert (found["action"], found["reason"]) == ("skipped", "NameClash")
    assert [w["reason"] for w in planned["warnings"]] == ["NameClash"]


@pytest.mark.usefixtures("live")
def test_a_bundle_is_planned_with_the_pools_that_it_touches(api: Api) -> None:
    changed = {"apiVersion": "lamplight.dev/v1", **model_document(source="hf://Qwen/Qwen3-8B")}
    response = api.send("POST", "plan", [changed])
    assert response.status_code == 200, response.content
    model, touched = json_of(response)["items"]
    assert (model["kind"], model["action"], model["spec"][0]["path"]) == ("Model", "updated", "spec.source")
    assert (touched["name"], touched["because"], touched["action"]) == ("chat", "Model default/tiny", "unchanged")
    assert named(touched["plan"])["Deployment/chat-h200"]["effect"] == "restart"
    assert touched["plan"]["restsOn"] == ["Model default/tiny"]


def test_a_document_that_is_wrong_is_refused_as_apply_refuses_it(api: Api) -> None:
    wrong = document(variants=[variant_document(accelerator="nvidia-h2000")])
    for path in (f"{POOLS}/chat/plan", "plan"):
        response = api.send("POST", path, wrong)
        assert response.status_code == 422, response.content
        assert "nvidia-h200" in response.content.decode()
    other = api.send("POST", f"{POOLS}/other/plan", document("chat"))
    assert other.status_code == 422
    assert api.send("POST", f"{POOLS}/nobody/plan").status_code == 404


@pytest.mark.usefixtures("live")
def test_an_unreachable_cluster_cannot_be_planned_for(api: Api, cluster: EmbeddedCluster) -> None:
    cluster.kill("apiserver")
    try:
        response = api.send("POST", f"{POOLS}/chat/plan")
        assert response.status_code == 502
        assert "cannot be asked" in json_of(response)["detail"]
        bundle = json_of(api.send("POST", "plan", document(engine={"args": ["--max-model-len=1024"]})))
        assert bundle["items"][0]["problem"]["status"] == 502
        assert bundle["items"][0]["spec"][0]["path"] == "spec.engine.args"
    finally:
        cluster.start("apiserver")
    assert condition("chat", "Synced")["status"] == "True"


@pytest.mark.usefixtures("live")
def test_plans_are_kept_in_bounds_and_a_dry_run_keeps_none(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.pools.plans.KEPT_PER_POOL", 3)
    assert plan(api, query="?dry_run=true")["id"] is None
    numbers = [plan(api)["id"] for _ in range(4)]
    assert list(PoolPlan.objects.order_by("id").values_list("pk", flat=True)) == numbers[1:]
    page = api.get(f"{POOLS}/chat/plans?limit=2")
    assert [row["id"] for row in page["items"]] == numbers[:1:-1]
    rest = api.get(f"{POOLS}/chat/plans?limit=2&cursor={page['next']}")
    assert ([row["id"] for row in rest["items"]], rest["next"]) == ([numbers[1]], None)
