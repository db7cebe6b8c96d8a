"""Plans through REST against the embedded API server: what would change, asked by dry run, and nothing written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from apps.clusters.errors import Conflict
from apps.clusters.kube import Kube
from apps.clusters.models import Cluster
from apps.core.domain.access import Role
from apps.pools.models import Pool, PoolPlan
from tests.support.cluster import EmbeddedCluster, emptied, shared_cluster
from tests.support.faults import script
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


cluster = shared_cluster(options={"apiserver": ["--faults"]})


@pytest.fixture
def kube(cluster: EmbeddedCluster) -> Iterator[Kube]:
    with emptied(cluster, NAMESPACE) as client:
        yield client


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


@pytest.mark.parametrize("verbs", [["get"], ["patch"]])
def test_a_new_pool_where_a_right_is_missing_is_planned_and_the_right_is_named(
    api: Api, cluster: EmbeddedCluster, verbs: list[str]
) -> None:
    script(cluster, {"verbs": verbs, "resources": ["deployments"], "times": 0, "fault": "forbidden"})
    try:
        planned = plan(api, document(), query="?dry_run=true")
    finally:
        script(cluster)
    refused = named(planned)["Deployment/chat-h200"]
    assert (refused["action"], refused["reason"]) == ("skipped", "Forbidden")
    assert 'cannot change resource "deployments"' in refused["message"]
    assert named(planned)["Service/chat"]["action"] == "created"


@pytest.mark.usefixtures("live")
def test_the_plan_of_a_pool_whose_objects_may_not_be_listed_is_a_sentence(api: Api, cluster: EmbeddedCluster) -> None:
    script(cluster, {"verbs": ["list"], "resources": ["deployments"], "times": 0, "fault": "forbidden"})
    try:
        response = api.send("POST", f"{POOLS}/chat/plan?dry_run=true", None)
    finally:
        script(cluster)
    assert response.status_code == 502
    assert 'cannot change resource "deployments"' in json_of(response)["detail"]


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
    assert (found["action"], found["effect"]) == ("changed", "restart")
    field = next(f for f in found["fields"] if f["path"].endswith("terminationGracePeriodSeconds"))
    assert (field["before"], field["writers"][0]["manager"]) == (5, "kubectl-edit")
    assert field["writers"][0]["at"]
    assert found["conflicts"][0]["fields"] == [".spec.template.spec.terminationGracePeriodSeconds"]


@pytest.mark.usefixtures("live")
def test_a_field_that_another_apply_claims_is_left_alone(api: Api, kube: Kube) -> None:
    claim = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "chat-h200", "namespace": NAMESPACE},
        "spec": {"template": {"spec": {"terminationGracePeriodSeconds": 5}}},
    }
    kube.apply(claim, manager="ops", force=True)
    planned = plan(api)
    found = named(planned)["Deployment/chat-h200"]
    assert (found["action"], found["reason"]) == ("skipped", "OwnershipConflict")
    assert found["conflicts"][0]["manager"] == "ops"
    assert [w["reason"] for w in planned["warnings"]] == ["OwnershipConflict"]


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


# --- applying ------------------------------------------------------------------------------------------------------


def apply(api: Api, planned: dict[str, Any], body: Any = None, status: int = 200) -> dict[str, Any]:
    response = api.send("POST", f"{POOLS}/{planned['pool']}/plans/{planned['id']}/apply", body or {})
    assert response.status_code == status, response.content
    return dict(json_of(response))


def edit(kube: Kube, **pod: Any) -> None:
    kube._call(
        "PATCH",
        kube.resource("Deployment", "apps").path(NAMESPACE, "chat-h200"),
        {"fieldManager": "kubectl-edit"},
        body={"spec": {"template": {"spec": pod}}},
        content_type="application/merge-patch+json",
    )


@pytest.mark.usefixtures("live")
def test_an_applied_plan_does_what_it_said_once(api: Api, cluster: EmbeddedCluster) -> None:
    planned = plan(api, document(engine={"args": ["--max-model-len=8192"]}), query="?reason=why+not")
    became = apply(api, planned)
    assert (became["state"], became["generation"]) == ("applied", 2)
    assert (pool().generation, pool().spec["engine"]["args"]) == (2, ["--max-model-len=8192"])
    assert pool().revisions.get(generation=2).reason == "why not"
    drain()
    args = cluster.objects(NAMESPACE)["Deployment/chat-h200"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert "--max-model-len=8192" in args
    assert api.get(f"{POOLS}/chat/plans/{planned['id']}")["carriedOutAt"]
    assert "already" in apply(api, planned, status=409)["detail"]
    assert plan(api)["summary"]["empty"]


def test_a_plan_of_a_new_pool_makes_it(api: Api, cluster: EmbeddedCluster) -> None:
    planned = plan(api, document("idea"), "idea")
    apply(api, planned)
    drain()
    assert "Deployment/idea-h200" in cluster.objects(NAMESPACE)
    again = plan(api, document("late"), "late")
    declare(pool_document("late"))
    moved = apply(api, again, status=409)
    assert moved["errors"] == [
        {"pointer": "/base", "detail": "there is a pool of this name now, and the plan was of a new one"}
    ]


@pytest.mark.usefixtures("live")
def test_a_plan_whose_declaration_moved_is_refused_and_says_so(api: Api) -> None:
    planned = plan(api, document(engine={"args": ["--max-model-len=8192"]}))
    declare(pool_document(engine={"args": ["--max-model-len=4096"]}))
    moved = apply(api, planned, status=409)
    assert moved["type"] == "urn:lamplight:problem:plan-moved"
    assert moved["errors"] == [
        {"pointer": "/base/generation", "detail": "the pool is at generation 2 now, the plan was made on 1"}
    ]
    assert pool().spec["engine"]["args"] == ["--max-model-len=4096"]


@pytest.mark.usefixtures("live")
def test_a_plan_whose_live_objects_moved_is_refused_and_names_them(api: Api, kube: Kube) -> None:
    planned = plan(api, document(engine={"args": ["--max-model-len=8192"]}))
    kube.scale(kube.resource("Deployment", "apps"), "chat-h200", NAMESPACE, 3, manager="kubectl")
    kube.delete(kube.resource("Service"), "chat", NAMESPACE)
    edit(kube, terminationGracePeriodSeconds=5)
    moved = {fault["pointer"]: fault["detail"] for fault in apply(api, planned, status=409)["errors"]}
    assert set(moved) == {"/objects/Deployment/chat-h200", "/objects/Service/chat"}
    assert "kubectl-edit wrote it at 20" in moved["/objects/Deployment/chat-h200"]
    assert moved["/objects/Service/chat"] == "Service chat is gone"
    assert pool().generation == 1


@pytest.mark.usefixtures("live")
def test_status_and_replicas_alone_do_not_move_a_plan(api: Api, kube: Kube) -> None:
    planned = plan(api, document(engine={"args": ["--max-model-len=8192"]}))
    kube.scale(kube.resource("Deployment", "apps"), "chat-h200", NAMESPACE, 3, manager="kubectl")
    assert apply(api, planned)["state"] == "applied"


@pytest.mark.usefixtures("live")
def test_a_plan_that_renders_differently_by_now_is_refused(api: Api) -> None:
    planned = plan(api, document(engine={"args": ["--max-model-len=8192"]}))
    declare(model_document(source="hf://Qwen/Qwen3-8B"))
    assert [fault["pointer"] for fault in apply(api, planned, status=409)["errors"]] == ["/base/renderedHash"]


@pytest.mark.usefixtures("live")
def test_a_plan_that_rests_on_its_bundle_is_not_applied_alone(api: Api) -> None:
    bundle = [
        {"apiVersion": "lamplight.dev/v1", **model_document(source="hf://Qwen/Qwen3-8B")},
        document(engine={"args": ["--max-model-len=8192"]}),
    ]
    planned = json_of(api.send("POST", "plan", bundle))["items"][1]["plan"]
    assert "apply the bundle" in apply(api, planned, status=409)["detail"]


@pytest.mark.usefixtures("live")
def test_what_is_immutable_is_made_anew_with_consent_only(api: Api, cluster: EmbeddedCluster, kube: Kube) -> None:
    deployment = kube.resource("Deployment", "apps")
    held = kube.get(deployment, "chat-h200", NAMESPACE)
    kube.delete(deployment, "chat-h200", NAMESPACE)
    # as an earlier version might have rendered it: ours, with another selector
    template = held["spec"]["template"]
    labels = {**template["metadata"]["labels"], "old": "yes"}
    kube.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "chat-h200",
                "namespace": NAMESPACE,
                "labels": {**held["metadata"]["labels"], "lamplight.dev/spec-hash": "0"},
            },
            "spec": {
                "replicas": 3,
                "selector": {"matchLabels": {**held["spec"]["selector"]["matchLabels"], "old": "yes"}},
                "template": {"metadata": {"labels": labels}, "spec": template["spec"]},
            },
        },
        manager="lamplight",
    )
    drain()
    synced = condition("chat", "Synced")
    assert (synced["status"], synced["reason"]) == ("False", "RecreateNeedsConsent")
    assert "spec.selector" in synced["message"]
    old = cluster.objects(NAMESPACE)["Deployment/chat-h200"]["metadata"]["uid"]
    planned = plan(api)
    found = named(planned)["Deployment/chat-h200"]
    assert (found["action"], found["effect"], found["immutable"]) == ("changed", "recreate", ["spec.selector"])
    assert planned["summary"]["consentNeeded"] == ["recreate"]
    assert "NoReplicaLeft" in {w["reason"] for w in planned["warnings"]}
    assert apply(api, planned, status=409)["type"] == "urn:lamplight:problem:consent-needed"
    drain()
    assert cluster.objects(NAMESPACE)["Deployment/chat-h200"]["metadata"]["uid"] == old
    apply(api, planned, {"consent": ["recreate"]})
    drain()
    anew = cluster.objects(NAMESPACE)["Deployment/chat-h200"]
    assert anew["metadata"]["uid"] != old
    assert "old" not in anew["spec"]["selector"]["matchLabels"]
    assert condition("chat", "Synced")["status"] == "True"
    assert api.get(f"{POOLS}/chat/plans/{planned['id']}")["carriedOutAt"]


# --- revisions -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("live")
def test_history_is_compared_and_rolled_back_to(api: Api) -> None:
    declare(pool_document(engine={"args": ["--max-model-len=8192"]}))
    drain()
    compared = api.get(f"{POOLS}/chat/revisions/1/diff/2")
    assert [f["path"] for f in compared["spec"]] == ["spec.engine.args"]
    assert compared["to"]["reason"] == "a test"
    assert [(o["name"], o["effect"]) for o in compared["objects"]] == [("chat-h200", "restart")]
    assert api.get(f"{POOLS}/chat/revisions/2/diff/2")["spec"] == []
    seen = Cluster.objects.get().status
    Cluster.objects.update(status={})
    compared = api.get(f"{POOLS}/chat/revisions/1/diff/2")
    assert (compared["objects"], "not been seen" in compared["reason"]) == (None, True)
    Cluster.objects.update(status=seen)

    path = f"{POOLS}/chat/revisions/1/rollback"
    assert api.send("POST", path).status_code == 428
    assert api.send("POST", path, If_Match='"x:1"').status_code == 412
    dry = api.send("POST", f"{path}?dry_run=true", If_Match=pool().etag)
    assert (dry.status_code, pool().generation) == (200, 2)
    response = api.send("POST", path, If_Match=pool().etag)
    assert response.status_code == 200, response.content
    newest = pool().revisions.order_by("-generation").first()
    assert (newest.generation, newest.reason, newest.spec) == (
        3,
        "roll back to generation 1",
        pool().revisions.get(generation=1).spec,
    )
    drain()
    first, last = (pool().revisions.get(generation=number).rendered_hash for number in (1, 3))
    assert first and first == last, "the same declaration has the same hash, however its roll-out goes"
    compared = api.get(f"{POOLS}/chat/revisions/1/diff/3")
    assert (compared["spec"], compared["objects"]) == ([], [])
    assert compared["to"]["author"] == "ada", "people read names; records keep ids"
    again = api.send("POST", path, If_Match=pool().etag)
    assert (again.status_code, "already" in json_of(again)["detail"]) == (409, True)
    assert api.send("POST", f"{POOLS}/chat/revisions/9/rollback", If_Match=pool().etag).status_code == 404


def test_a_migration_is_a_document_that_can_be_planned(api: Api, live: None) -> None:
    answer = api.send("POST", f"{POOLS}/chat/migration", {"to": "0.5"})
    assert answer.status_code == 200, answer.content
    proposal = json_of(answer)
    assert (proposal["from"], proposal["to"], proposal["blocked"]) == ("current", "0.5", [])
    assert proposal["document"]["spec"]["dialect"] == "0.5"
    planned = plan(api, proposal["document"], query="?dry_run=true")
    assert named(planned)["Deployment/chat-h200"]["action"] == "changed"
    assert pool().spec.get("dialect") is None

    wrong = api.send("POST", f"{POOLS}/chat/migration", {"to": "0.4"})
    assert wrong.status_code == 422
    assert b"'current' or '0.5'" in wrong.content


@pytest.mark.usefixtures("live")
def test_pods_that_the_pool_would_catch_and_should_not_are_named(api: Api, kube: Kube) -> None:
    engine = kube.get(kube.resource("Deployment", "apps"), "chat-h200", NAMESPACE)["spec"]["template"]
    debug = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "debug", "namespace": NAMESPACE, "labels": engine["metadata"]["labels"]},
        "spec": engine["spec"],
    }
    inference = kube.resources()["InferencePool.inference.networking.k8s.io"]
    wide = kube.get(inference, "chat", NAMESPACE)
    theirs = {
        "apiVersion": wide["apiVersion"],
        "kind": "InferencePool",
        "metadata": {"name": "theirs", "namespace": NAMESPACE},
        "spec": {**wide["spec"], "selector": {"matchLabels": {"llm-d.ai/inference-serving": "true"}}},
    }
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": NAMESPACE}}
    for obj in (account, debug, theirs):
        kube.create(obj, manager="kubectl")
    try:
        [warned] = [w for w in plan(api)["warnings"] if w["reason"] == "SelectorCatches"]
        assert "catches pod debug: nobody made it but a person" in warned["message"]
        assert "InferencePool theirs of the namespace catches this pool's engines too" in warned["message"]
        found = api.get(f"{POOLS}/chat/selected")
        assert [(row["pod"], bool(row["fault"])) for row in found["items"]] == [("debug", True)]
        assert found["caughtByOthers"] == ["theirs"]
        # a new pool would be caught by it too, before any of it is there
        proposed = plan(api, document("idea"), "idea")["warnings"]
        assert any(w["reason"] == "SelectorCatches" and "theirs" in w["message"] for w in proposed)
    finally:
        kube.delete(inference, "theirs", NAMESPACE)
        kube.delete(kube.resource("Pod"), "debug", NAMESPACE)
    assert api.get(f"{POOLS}/chat/selected")["fault"] is None


def test_quotas_queues_and_new_nodes_are_known_to_a_plan(api: Api, kube: Kube, cluster: EmbeddedCluster) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "team", "namespace": NAMESPACE},
        "spec": {"hard": {"requests.nvidia.com/gpu": "1"}},
    }
    for obj in (namespace, quota):
        with suppress(Conflict):
            kube.create(obj, manager="kubectl")
    try:
        queued = variant_document(queue="team-a")
        said = {w["message"] for w in plan(api, document("idea", variants=[queued]), "idea")["warnings"]}
        assert any(
            "ResourceQuota team of namespace serving leaves 1 of requests.nvidia.com/gpu, and 2" in s for s in said
        )
        assert any("goes through the queue team-a, and the cluster does not know LocalQueues" in s for s in said)
    finally:
        kube.delete(kube.resource("ResourceQuota"), "team", NAMESPACE)
    h200 = {"resource": "nvidia.com/gpu", "product": "NVIDIA-H200", "free": 0, "largestNode": 8, "nodes": 1, "total": 8}
    Cluster.objects.update(status={"accelerators": [h200]})
    reasons = [w["reason"] for w in plan(api, document("idea"), "idea")["warnings"]]
    assert "NotEnoughAccelerators" in reasons
    declare(cluster_document(str(cluster.kubeconfig), provisioning="6m"))
    [waits] = [w for w in plan(api, document("idea"), "idea")["warnings"] if w["reason"] == "WaitsForNodes"]
    assert waits["message"].endswith("wait for new nodes, which take about 6m")


def test_a_fixed_host_tier_that_no_node_has_room_for_is_told_before_it_is_applied(api: Api, kube: Kube) -> None:
    def said(size: str, mode: str = "fixed") -> list[str]:
        tiers = {"mode": mode, "tiers": [{"kind": "host", "bytes": size}]}
        warned = plan(api, document("idea", offload=tiers), "idea")["warnings"]
        return [w["message"] for w in warned if w["reason"] == "OverBounds" and "host tier" in w["message"]]

    assert said("900Gi") == [], "nobody knows what nodes have"
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "gpu-1", "labels": {"nvidia.com/gpu.product": "NVIDIA-H200"}},
        "status": {"allocatable": {"memory": "800Gi", "nvidia.com/gpu": "8"}},
    }
    kube.create(node, manager="kubelet")
    try:
        (message,) = said("900Gi")
        assert "no room for its host tier of 900 GiB: node gpu-1 has 800 GiB for pods" in message
        assert "set offload.mode to auto" in message
        assert said("100Gi") == said("900Gi", "auto") == []
    finally:
        kube.delete(kube.resource("Node"), "gpu-1")


def test_weights_that_may_change_under_chunks_that_stay_are_told_before_the_tier_is_applied(api: Api) -> None:
    def said(*, kind: str = "filesystem", mode: str = "fixed") -> list[str]:
        claim = {"claim": "kv-cache"} if kind == "filesystem" else {}
        tiers = {"mode": mode, "tiers": [{"kind": kind, "bytes": "100Gi", **claim}]}
        warned = plan(api, document("idea", offload=tiers), "idea")["warnings"]
        return [w["message"] for w in warned if w["reason"] == "WeightsMayMove"]

    (message,) = said()
    assert "hf://meta-llama/Llama-3.1-8B-Instruct at main" in message
    assert "name a commit as the Model's revision" in message
    assert len(said(mode="auto")) == 1
    assert said(kind="host") == said(mode="advisory") == [], "nothing is kept beyond an engine"
    model = model_document()
    declare({**model, "spec": {**model["spec"], "revision": "0e9e39f249a16976918f6564b8830bc894c89659"}})
    assert said() == []
