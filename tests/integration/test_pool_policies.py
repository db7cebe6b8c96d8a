"""Policies of a pool against the embedded API server: approval, drift, and replicas that somebody else writes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.audit.models import Event
from apps.clusters.kube import Kube
from apps.core import clock
from apps.core.domain.access import Role
from apps.pools import services
from apps.pools.models import Pool, PoolPlan
from tests.support.cluster import EmbeddedCluster, emptied, shared_cluster
from tests.support.people import Api, api_of, json_of, person
from tests.support.pools import (
    condition,
    counted_calls,
    declare,
    declare_on,
    install_kind,
    pool,
    pool_document,
    variant_document,
    writes,
)
from tests.support.pools import drain as drain_once

pytestmark = pytest.mark.django_db(transaction=True)
NAMESPACE = "serving"
PLANS = "teams/default/pools/chat/plans"
T0 = datetime(2026, 11, 26, 12, tzinfo=UTC)


cluster = shared_cluster(
    prepare=lambda it: install_kind(it.kube, "keda.sh", "v1alpha1", "ScaledObject", "scaledobjects")
)


@pytest.fixture
def kube(cluster: EmbeddedCluster) -> Iterator[Kube]:
    with emptied(cluster, NAMESPACE) as client:
        yield client


@pytest.fixture
def api(cluster: EmbeddedCluster, kube: Kube) -> Api:
    declare_on(cluster)
    return api_of(person("ada", default=Role.EDITOR))


def drain() -> None:
    """Twice: what is known of the cluster after its own first look may change what a pool renders to."""
    drain_once()
    drain_once()


def chat(apply: str = "automatic", drift: str = "heal", **spec: Any) -> dict[str, Any]:
    return pool_document(policies={"apply": apply, "drift": drift}, **spec)


def args_of(cluster: EmbeddedCluster) -> list[str]:
    deployment = cluster.objects(NAMESPACE)["Deployment/chat-h200"]
    return list(deployment["spec"]["template"]["spec"]["containers"][0]["args"])


def edit(kube: Kube, manager: str = "kubectl-edit", **pod: Any) -> None:
    kube._call(
        "PATCH",
        kube.resource("Deployment", "apps").path(NAMESPACE, "chat-h200"),
        {"fieldManager": manager},
        body={"spec": {"template": {"spec": pod}}},
        content_type="application/merge-patch+json",
    )


def grace_of(cluster: EmbeddedCluster) -> int:
    deployment = cluster.objects(NAMESPACE)["Deployment/chat-h200"]
    return int(deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"])


def pending() -> PoolPlan:
    return PoolPlan.objects.get(origin="approval", state="open")


def approve(api: Api, plan: PoolPlan, status: int = 200) -> dict[str, Any]:
    response = api.send("POST", f"{PLANS}/{plan.pk}/apply", {})
    assert response.status_code == status, response.content
    return dict(json_of(response))


# --- approval ------------------------------------------------------------------------------------------------------


def test_a_change_of_a_pool_with_approval_waits_as_a_plan_until_somebody_says_yes(
    api: Api, cluster: EmbeddedCluster
) -> None:
    declare(chat("automatic"))
    drain()
    declare(chat("approval"))
    drain()
    assert condition("chat", "Synced")["status"] == "True", "the policy that was live let it through"
    declare(chat("approval", engine={"args": ["--max-model-len=8192"]}))
    with counted_calls() as calls:
        drain()
    assert {path for method, path in writes(calls)} <= {path for method, path in calls}
    assert "--max-model-len=8192" not in args_of(cluster)
    approved, synced = condition("chat", "Approved"), condition("chat", "Synced")
    assert (approved["status"], approved["reason"]) == ("False", "WaitingForApproval")
    assert (synced["status"], synced["reason"], synced["observedGeneration"]) == ("False", "WaitingForApproval", 3)
    plan = pending()
    assert f"plan {plan.pk}" in approved["message"]
    assert (plan.generation, plan.actor) == (3, "system")
    assert plan.content["summary"]["replicasRestarted"] == 2
    assert [f["path"] for f in plan.content["spec"]] == ["spec.engine.args"]
    drain()
    assert pending().pk == plan.pk, "one plan, as long as it holds"
    assert pool().revisions.get(generation=3).rendered_hash == ""

    became = approve(api, plan)
    assert (became["state"], became["generation"]) == ("applied", 3)
    drain()
    assert "--max-model-len=8192" in args_of(cluster)
    assert condition("chat", "Approved")["status"] == condition("chat", "Synced")["status"] == "True"
    revision = pool().revisions.get(generation=3)
    assert (revision.approved_by[:5], bool(revision.approved_at), bool(revision.rendered_hash)) == ("user:", True, True)


def test_while_a_change_waits_the_live_spec_is_kept_true(api: Api, cluster: EmbeddedCluster, kube: Kube) -> None:
    declare(chat("automatic"))
    drain()
    declare(chat("approval"))
    drain()
    declare(chat("approval", engine={"args": ["--max-model-len=8192"]}))
    drain()
    first = pending()
    kube.delete(kube.resource("Service"), "chat", NAMESPACE)
    drain()
    assert "Service/chat" in cluster.objects(NAMESPACE)
    assert "--max-model-len=8192" not in args_of(cluster)
    drain()
    assert pending().pk != first.pk, "the cluster moved, so the plan was made anew"
    assert approve(api, first, status=409)["detail"].endswith("make a new one.")
    # a newer spec takes the place of the one that waited
    declare(chat("approval", engine={"args": ["--max-model-len=4096"]}))
    second = PoolPlan.objects.filter(origin="approval").order_by("-id").first()
    assert second is not None
    assert second.state == "superseded"
    drain()
    assert pending().generation == 4
    # going back to what is live needs nobody
    declare(chat("approval"))
    drain()
    assert condition("chat", "Synced")["status"] == "True"
    assert not PoolPlan.objects.filter(origin="approval", state="open").exists()


def test_no_change_lifts_the_approval_that_it_needs_itself(api: Api, cluster: EmbeddedCluster) -> None:
    declare(chat("approval"))
    drain()
    assert "Deployment/chat-h200" not in cluster.objects(NAMESPACE), "not even the first one goes live"
    assert condition("chat", "Approved")["status"] == "False"
    plan = pending()
    assert plan.content["summary"]["created"] == len(plan.content["objects"])
    approve(api, plan)
    drain()
    assert "Deployment/chat-h200" in cluster.objects(NAMESPACE)
    declare(chat("automatic", engine={"args": ["--max-model-len=8192"]}))
    drain()
    assert "--max-model-len=8192" not in args_of(cluster)
    approve(api, pending())
    drain()
    declare(chat("automatic", engine={"args": ["--max-model-len=4096"]}))
    drain()
    assert "--max-model-len=4096" in args_of(cluster)


def test_fields_that_specs_have_got_since_are_no_change(api: Api) -> None:
    declare(chat())
    old = {name: value for name, value in pool().spec.items() if name != "policies"}
    Pool.objects.update(spec=old)
    declare(pool_document())
    assert (pool().generation, pool().version) == (1, 1)
    declare(chat(drift="report"))
    assert pool().generation == 2


# --- drift ---------------------------------------------------------------------------------------------------------


def test_drift_that_is_to_be_reported_is_reported_and_put_right_by_a_plan(
    api: Api, cluster: EmbeddedCluster, kube: Kube
) -> None:
    declare(chat(drift="report"))
    drain()
    edit(kube, terminationGracePeriodSeconds=5)
    kube.delete(kube.resource("Service"), "chat", NAMESPACE)
    with counted_calls() as calls:
        drain()
    assert writes(calls) == []
    drifted = condition("chat", "Drifted")
    assert (drifted["status"], drifted["reason"]) == ("True", "Reported")
    assert "terminationGracePeriodSeconds, written by kubectl-edit at 20" in drifted["message"]
    assert "Service chat is gone" in drifted["message"]
    assert condition("chat", "Synced")["reason"] == "Drifted"
    objects = {row["object"]: row for row in pool().status["drift"]["objects"]}
    assert objects["Deployment/chat-h200"]["writers"][0]["manager"] == "kubectl-edit"

    planned = json_of(api.send("POST", "teams/default/pools/chat/plan"))
    assert (planned["summary"]["changed"], planned["summary"]["created"]) == (1, 1)
    api.send("POST", f"{PLANS}/{planned['id']}/apply", {})
    drain()
    assert grace_of(cluster) != 5
    assert "Service/chat" in cluster.objects(NAMESPACE)
    assert condition("chat", "Drifted")["status"] == "False"
    assert condition("chat", "Synced")["status"] == "True"


def test_a_change_that_is_declared_takes_back_edits_by_hand_as_its_plan_says(
    api: Api, cluster: EmbeddedCluster, kube: Kube
) -> None:
    declare(chat(drift="report"))
    drain()
    right = grace_of(cluster)
    edit(kube, terminationGracePeriodSeconds=5)
    drain()
    assert condition("chat", "Synced")["reason"] == "Drifted"
    changed = chat(drift="report", engine={"args": ["--max-model-len=8192"]})
    planned = json_of(api.send("POST", "teams/default/pools/chat/plan", {**changed, "apiVersion": "lamplight.dev/v1"}))
    deployment = next(one for one in planned["objects"] if one["name"] == "chat-h200")
    fields = {field["path"]: (field["before"], field["after"]) for field in deployment["fields"]}
    assert (5, right) in fields.values(), "the plan says that the edit is taken back"
    declare(changed)
    drain()
    assert condition("chat", "Synced")["status"] == "True"
    assert (grace_of(cluster), "--max-model-len=8192" in args_of(cluster)) == (right, True)
    edit(kube, terminationGracePeriodSeconds=6)
    drain()
    assert grace_of(cluster) == 6, "what is edited afterwards is drift again, and only reported"
    assert condition("chat", "Synced")["reason"] == "Drifted"


def test_who_edits_again_and_again_is_answered_three_times_and_then_left(
    cluster: EmbeddedCluster, kube: Kube, api: Api
) -> None:
    declare(chat())
    drain()
    right = grace_of(cluster)
    healed = 0
    for minute in range(30):
        with clock.frozen(T0 + timedelta(minutes=2 * minute)):
            edit(kube, terminationGracePeriodSeconds=100 + minute)
            drain_once()
            healed += grace_of(cluster) == right
    assert healed == 3
    with counted_calls() as calls:
        drain()
    assert writes(calls) == []
    assert grace_of(cluster) == 129
    drifted = condition("chat", "Drifted")
    assert (drifted["status"], drifted["reason"]) == ("True", "GaveUp")
    assert "3 times" in drifted["message"]
    assert "kubectl-edit" in drifted["message"]
    with clock.frozen(T0 + timedelta(hours=2)):
        # somebody else's edit is another matter, and so is a new spec
        edit(kube, "other-tool", terminationGracePeriodSeconds=77)
        drain()
        assert grace_of(cluster) == right
        edit(kube, terminationGracePeriodSeconds=78)
        drain()
        declare(chat(engine={"args": ["--max-model-len=8192"]}))
        drain()
    assert grace_of(cluster) == right
    assert condition("chat", "Drifted")["status"] == "False"


def test_who_owns_what_is_written_down_once_however_often_it_changes(
    cluster: EmbeddedCluster, kube: Kube, api: Api
) -> None:
    """Bookkeeping of a Deployment that is changed, edited, healed and scaled all day long stays as long as it was."""

    def turn(number: int) -> None:
        declare(chat(engine={"args": [f"--max-model-len={4096 + 16 * number}"]}))
        edit(kube, f"tool-{number % 2}", terminationGracePeriodSeconds=100 + number)
        wanted = [services.Wanted("h200", 2 + number % 3, "person")]
        services.set_replica_targets(pool=pool(), wanted=wanted, actor="user:1")
        drain()

    def kept() -> list[tuple[str, str, str]]:
        entries = cluster.objects(NAMESPACE)["Deployment/chat-h200"]["metadata"]["managedFields"]
        return [(e["manager"], e["operation"], e.get("subresource", "")) for e in entries]

    declare(chat())
    drain()
    for number in range(3):
        turn(number)
    first = kept()
    assert len(first) == len(set(first))
    for number in range(3, 12):
        turn(number)
    assert set(kept()) <= {*first, ("tool-0", "Update", ""), ("tool-1", "Update", "")}
    assert len(kept()) == len(set(kept()))


# --- replicas ------------------------------------------------------------------------------------------------------


def scale(kube: Kube, replicas: int, manager: str) -> None:
    kube.scale(kube.resource("Deployment", "apps"), "chat-h200", NAMESPACE, replicas, manager=manager)


@pytest.mark.parametrize("manager", ["kube-controller-manager", "keda-operator", "kubectl"])
def test_the_classic_fight_over_replicas_is_not_fought(
    cluster: EmbeddedCluster, kube: Kube, api: Api, manager: str
) -> None:
    """LLMKube#484: an operator and an HPA wrote replicas against each other, 41 times in 14 minutes."""
    declare(chat(variants=[variant_document(replicas={"min": 1, "max": 4})]))
    drain()
    ours: list[tuple[str, str]] = []
    seen = []
    plain_second = 14 * 60 / 41
    for turn in range(41):
        with clock.frozen(T0 + timedelta(seconds=plain_second * turn)):
            scale(kube, 4 - turn % 2, manager)
            with counted_calls() as calls:
                drain_once()
            ours += writes(calls)
            seen.append(
                cluster.objects(NAMESPACE, kinds=("Deployment.apps",))["Deployment/chat-h200"]["spec"]["replicas"]
            )
    assert ours == []
    assert seen == [4 - turn % 2 for turn in range(41)]
    owner = condition("chat", "ReplicasOwner")
    assert owner["status"] == "False"
    assert manager in owner["message"]
    assert condition("chat", "Synced")["status"] == "True"
    assert (
        not Event.objects.filter(reason="Scaled", message__contains="h200").exclude(message__contains="picker").exists()
    )


def test_a_scaled_object_is_seen_before_replicas_are_written(cluster: EmbeddedCluster, kube: Kube, api: Api) -> None:
    declare(chat())
    drain()
    kube.create(
        {
            "apiVersion": "keda.sh/v1alpha1",
            "kind": "ScaledObject",
            "metadata": {"name": "by-queue", "namespace": NAMESPACE},
            "spec": {"scaleTargetRef": {"name": "chat-h200"}},
        },
        manager="kubectl",
    )
    services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 4, "autoscaler")], actor="system")
    with counted_calls() as calls:
        drain()
    assert writes(calls) == []
    owner = condition("chat", "ReplicasOwner")
    assert (owner["status"], owner["reason"]) == ("False", "ScaledObject")
    assert "ScaledObject by-queue writes the replicas" in owner["message"]
    assert "autoscaling.mode" in owner["message"]
    kube.delete(kube.resource("ScaledObject", "keda.sh"), "by-queue", NAMESPACE)
    drain()
    assert cluster.objects(NAMESPACE)["Deployment/chat-h200"]["spec"]["replicas"] == 4, "ours again once it is gone"


def test_a_scaler_that_came_after_a_person_is_seen_before_replicas_are_taken_back(
    cluster: EmbeddedCluster, kube: Kube, api: Api
) -> None:
    declare(chat())
    drain()
    scale(kube, 3, "kubectl")
    drain()
    assert condition("chat", "ReplicasOwner")["reason"] == "ScaledByHand"
    plan = json_of(api.send("POST", "teams/default/pools/chat/plan"))
    assert plan["summary"]["empty"], "replicas that somebody else writes are none of a plan's"
    kube.create(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "by-cpu", "namespace": NAMESPACE},
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat-h200"},
                "maxReplicas": 4,
            },
        },
        manager="kubectl",
    )
    services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 4, "person")], actor="user:1")
    with counted_calls() as calls:
        drain()
    assert writes(calls) == []
    owner = condition("chat", "ReplicasOwner")
    assert (owner["status"], owner["reason"]) == ("False", "HorizontalPodAutoscaler")
    assert "HorizontalPodAutoscaler by-cpu" in owner["message"]
    kube.delete(kube.resource("HorizontalPodAutoscaler", "autoscaling"), "by-cpu", NAMESPACE)
    drain()
    assert cluster.objects(NAMESPACE)["Deployment/chat-h200"]["spec"]["replicas"] == 4, "ours again once it is gone"


def test_a_scale_by_hand_right_after_ours_is_not_taken_back_for_the_one_before_it(
    cluster: EmbeddedCluster, kube: Kube, api: Api
) -> None:
    """A write through /scale may carry no time: two of one manager are told apart by what they wrote."""

    def replicas() -> int:
        return int(cluster.objects(NAMESPACE)["Deployment/chat-h200"]["spec"]["replicas"])

    declare(chat(variants=[variant_document(replicas={"min": 1, "max": 8})]))
    drain()
    scale(kube, 3, "kubectl")
    drain()
    assert condition("chat", "ReplicasOwner")["reason"] == "ScaledByHand"
    services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 2, "person")], actor="user:1")
    scale(kube, 5, "kubectl")
    drain()
    assert replicas() == 5, "written after a person's word, before anybody looked"
    assert condition("chat", "ReplicasOwner")["reason"] == "ScaledByHand"
    services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 2, "person")], actor="user:1")
    drain()
    assert replicas() == 2, "what was seen is taken back"


def test_a_scaler_that_is_gone_is_not_named_any_more(cluster: EmbeddedCluster, kube: Kube, api: Api) -> None:
    declare(chat(variants=[variant_document(replicas={"min": 2, "max": 4})]))
    drain()
    scaled = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject"}
    made = {"metadata": {"name": "by-queue", "namespace": NAMESPACE}, "spec": {"scaleTargetRef": {"name": "chat-h200"}}}
    kube.create({**scaled, **made}, manager="kubectl")
    scale(kube, 4, "keda-operator")
    drain()
    assert "ScaledObject by-queue" in condition("chat", "ReplicasOwner")["message"]
    services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 4, "autoscaler")], actor="system")
    kube.delete(kube.resource("ScaledObject", "keda.sh"), "by-queue", NAMESPACE)
    drain()
    owner = condition("chat", "ReplicasOwner")
    assert (owner["status"], owner["reason"]) == ("False", "ScaledObject"), "it wrote them, and nobody took them back"
    assert "by-queue" not in owner["message"]
    assert "none is seen in its namespace now: `lamp scale` takes them back" in owner["message"]


def test_a_declared_other_scaler_is_no_surprise(cluster: EmbeddedCluster, kube: Kube, api: Api) -> None:
    declare(chat(autoscaling={"mode": "external"}))
    drain()
    scale(kube, 4, "keda-operator")
    drain()
    assert cluster.objects(NAMESPACE)["Deployment/chat-h200"]["spec"]["replicas"] == 4
    owner = condition("chat", "ReplicasOwner")
    assert (owner["status"], owner["reason"]) == ("True", "External")
