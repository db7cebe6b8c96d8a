"""The pool controller against the embedded API server over HTTP: what is applied, what is not, what is left."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from apps.audit.models import Event
from apps.clusters.kube import Kube
from apps.core import clock
from apps.core.domain.conditions import Condition
from apps.core.status import put_condition
from apps.pools import controller, observing, services
from apps.pools.domain.manifests import POOL_UID
from apps.pools.models import Pool, PoolRevision
from apps.pools.observing import Observed
from apps.reconcile.models import QueueItem
from tests.support.cluster import EmbeddedCluster, emptied, shared_cluster
from tests.support.pools import (
    cluster_document,
    condition,
    counted_calls,
    declare,
    declare_on,
    delete,
    drain,
    model_document,
    pool,
    pool_document,
    variant_document,
    writes,
)

pytestmark = pytest.mark.django_db(transaction=True)
NAMESPACE = "serving"


cluster = shared_cluster()


@pytest.fixture
def kube(cluster: EmbeddedCluster) -> Iterator[Kube]:
    """The cluster's client; the namespace is emptied afterwards."""
    with emptied(cluster, NAMESPACE) as client:
        yield client


@pytest.fixture
def declared(cluster: EmbeddedCluster, kube: Kube) -> None:
    declare_on(cluster, pool_document())


EXPECTED = {"Service/chat", "Service/chat-engines", "Deployment/chat-h200", "PodDisruptionBudget/chat-h200"}
PICKER = {
    "Service/chat-epp",
    "Deployment/chat-epp",
    "ConfigMap/chat-epp",
    "ServiceAccount/chat-epp",
    "InferencePool/chat",
}
# one object of each round of a deletion
ORDER = ("InferencePool/chat", "Deployment/chat-h200", "Service/chat")


def expected(cluster: EmbeddedCluster) -> set[str]:
    """What the cluster's kinds allow."""
    kinds = cluster.kube.resources()
    names = set(EXPECTED)
    if "InferencePool.inference.networking.k8s.io" in kinds:
        names |= PICKER
    if "PodMonitor.monitoring.coreos.com" in kinds:
        names.add("PodMonitor/chat")
    if "Role.rbac.authorization.k8s.io" in kinds:
        names |= {"Role/chat-epp", "RoleBinding/chat-epp"}
    return names


@pytest.mark.usefixtures("declared")
def test_a_declared_pool_becomes_objects_and_says_so(cluster: EmbeddedCluster) -> None:
    drain()
    objects = cluster.objects(NAMESPACE)
    assert set(objects) == expected(cluster)
    deployment = objects["Deployment/chat-h200"]
    assert deployment["spec"]["replicas"] == 2
    assert {o["metadata"]["labels"]["lamplight.dev/pool-uid"] for o in objects.values()} == {str(pool().uid)}
    status = pool().status
    assert status["sync"] == "Synced"
    assert status["observedGeneration"] == 1
    assert status["health"] == "Progressing"
    assert status["replicas"]["desired"] == 2
    assert status["endpoint"] == f"http://{objects['Service/chat']['spec']['clusterIP']}:8000"
    assert condition("chat", "Synced")["status"] == "True"
    assert condition("chat", "Ready")["status"] == "False"
    created = Event.objects.get(reason="Created")
    assert "Deployment chat-h200" in created.message
    assert PoolRevision.objects.get().rendered_hash


@pytest.mark.usefixtures("declared")
def test_a_second_reconcile_writes_nothing() -> None:
    drain()
    drain()
    before = (pool().status, pool().conditions, Event.objects.count())
    with counted_calls() as calls:
        drain()
    assert writes(calls) == []
    assert calls, "it did look"
    assert (pool().status, pool().conditions, Event.objects.count()) == before


@pytest.mark.usefixtures("declared")
def test_replicas_have_one_writer_from_the_first_reconcile_on(cluster: EmbeddedCluster) -> None:
    drain()
    owners = {
        entry["manager"]: entry["operation"]
        for entry in cluster.objects(NAMESPACE)["Deployment/chat-h200"]["metadata"]["managedFields"]
        if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
    }
    assert owners == {"lamplight-scaler": "Apply"}


@pytest.mark.usefixtures("declared")
def test_scaling_writes_the_scale_alone_within_bounds_and_makes_no_revision(cluster: EmbeddedCluster) -> None:
    drain()
    before = cluster.objects(NAMESPACE)["Deployment/chat-h200"]
    became = services.set_replica_targets(
        pool=pool(), wanted=[services.Wanted("h200", 9, "person", "a burst")], actor="user:1"
    )
    assert became == {"h200": 4}, "clamped to max"
    with counted_calls() as calls:
        drain()
    assert [path.rpartition("/")[2] for _, path in writes(calls)] == ["scale"]
    after = cluster.objects(NAMESPACE)["Deployment/chat-h200"]
    assert after["spec"]["replicas"] == 4
    assert after["spec"]["template"] == before["spec"]["template"]
    assert pool().status["replicas"]["desired"] == 4
    assert PoolRevision.objects.count() == 1
    assert pool().generation == 1
    assert "2 → 4" in Event.objects.get(reason="TargetSet").message
    drain()
    with counted_calls() as calls:
        drain()
    assert writes(calls) == []


@pytest.mark.usefixtures("declared")
def test_what_another_loop_says_while_a_reconcile_runs_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    drain()
    services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 3, "person")], actor="user:1")

    def observe_slowly(kube: Kube, of: Pool) -> Observed:
        seen = observing.observe(kube, of)
        put_condition(pool(), Condition("SignalsFed", "True", "Fed", "all loops are fed.", of.generation))
        return seen

    monkeypatch.setattr(controller, "observe", observe_slowly)
    drain()
    assert pool().status["replicas"]["desired"] == 3
    assert condition("chat", "SignalsFed")["reason"] == "Fed"


@pytest.mark.usefixtures("declared")
def test_a_scale_by_hand_is_left_and_named_until_a_person_scales_here(cluster: EmbeddedCluster, kube: Kube) -> None:
    drain()
    kube.scale(kube.resource("Deployment", "apps"), "chat-h200", NAMESPACE, 0, manager="kubectl")
    with counted_calls() as calls:
        drain()
        drain()
    assert writes(calls) == []
    assert cluster.objects(NAMESPACE)["Deployment/chat-h200"]["spec"]["replicas"] == 0
    owner = condition("chat", "ReplicasOwner")
    assert (owner["status"], owner["reason"]) == ("False", "ScaledByHand")
    assert "kubectl" in owner["message"]
    assert pool().status["replicasOwner"]["chat-h200"]["manager"] == "kubectl"
    assert pool().status["replicas"]["desired"] == 0
    told = Event.objects.get(reason="ScaledByHand")
    assert (told.type, told.message) == ("Warning", owner["message"]), "the timeline shows who scaled, once"
    services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 3, "autoscaler")], actor="system")
    drain()
    assert cluster.objects(NAMESPACE)["Deployment/chat-h200"]["spec"]["replicas"] == 0, "no loop takes it back"
    services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 3, "person")], actor="user:1")
    drain()
    assert cluster.objects(NAMESPACE)["Deployment/chat-h200"]["spec"]["replicas"] == 3
    assert condition("chat", "ReplicasOwner")["status"] == "True"
    assert Event.objects.get(reason="Lamplight").type == "Normal"
    services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 4, "autoscaler")], actor="system")
    drain()
    assert cluster.objects(NAMESPACE)["Deployment/chat-h200"]["spec"]["replicas"] == 4, "it is ours again"


@pytest.mark.usefixtures("declared")
def test_another_model_changes_the_engines_and_keeps_replicas(cluster: EmbeddedCluster) -> None:
    drain()
    services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 3, "person")], actor="user:1")
    drain()
    before = cluster.objects(NAMESPACE)
    declare(model_document(source="hf://Qwen/Qwen3-32B"))
    assert QueueItem.objects.get(kind="Pool").due_at, "the pool is asked for by the model's change"
    with counted_calls() as calls:
        drain()
    assert [path.rpartition("/")[2].partition("?")[0] for _, path in writes(calls)] == ["chat-h200"]
    after = cluster.objects(NAMESPACE)
    container = after["Deployment/chat-h200"]["spec"]["template"]["spec"]["containers"][0]
    assert container["args"][0] == "Qwen/Qwen3-32B"
    assert after["Deployment/chat-h200"]["spec"]["replicas"] == 3, "a template apply does not touch replicas"
    unchanged = before.keys() - {"Deployment/chat-h200"}
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}


@pytest.mark.usefixtures("declared")
def test_a_spec_change_that_renders_the_same_writes_nothing_to_the_cluster() -> None:
    drain()
    declare(pool_document(variants=[variant_document(replicas={"min": 2, "max": 9})]))
    with counted_calls() as calls:
        drain()
    assert writes(calls) == []
    assert pool().status["observedGeneration"] == 2
    assert PoolRevision.objects.count() == 2


@pytest.mark.usefixtures("declared")
def test_what_is_no_longer_declared_goes_and_foreign_objects_stay(cluster: EmbeddedCluster, kube: Kube) -> None:
    drain()
    kube.create(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": NAMESPACE}},
        manager="somebody",
    )
    declare(pool_document(variants=[variant_document("h200b")]))
    drain()
    names = set(cluster.objects(NAMESPACE))
    assert {"Deployment/chat-h200b", "PodDisruptionBudget/chat-h200b", "ConfigMap/theirs"} <= names
    assert not {"Deployment/chat-h200", "PodDisruptionBudget/chat-h200"} & names
    assert "chat-h200" in Event.objects.get(reason="Removed").message


@pytest.mark.usefixtures("declared")
def test_drift_is_healed_and_told(cluster: EmbeddedCluster, kube: Kube) -> None:
    drain()
    kube.delete(kube.resource("Service"), "chat", NAMESPACE)
    deployment = kube.resource("Deployment", "apps").path(NAMESPACE, "chat-h200")
    kube._call(
        "PATCH",
        deployment,
        body={"spec": {"template": {"spec": {"nodeSelector": None}}}},
        content_type="application/merge-patch+json",
    )
    drain()
    objects = cluster.objects(NAMESPACE)
    assert "Service/chat" in objects
    assert objects["Deployment/chat-h200"]["spec"]["template"]["spec"]["nodeSelector"]
    said = {event.message for event in Event.objects.filter(reason="DriftHealed")}
    assert "put right: Service chat is gone" in said
    assert any("Deployment chat-h200 differs at spec.template.spec.nodeSelector" in message for message in said)


def image_of(deployment: Any) -> str:
    return deployment["spec"]["template"]["spec"]["containers"][0]["image"]


def patch_image(kube: Kube, image: str, *, manager: str) -> None:
    kube.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "chat-h200", "namespace": NAMESPACE},
            "spec": {"template": {"spec": {"containers": [{"name": "vllm", "image": image}]}}},
        },
        manager=manager + "-x",
        force=True,
    )


@pytest.mark.usefixtures("declared")
def test_a_field_that_somebody_took_is_left_until_a_person_allows_it(cluster: EmbeddedCluster, kube: Kube) -> None:
    drain()
    patch_image(kube, "evil/image:1", manager="ops")
    kube.delete(kube.resource("Service"), "chat", NAMESPACE)
    drain()
    synced = condition("chat", "Synced")
    assert (synced["status"], synced["reason"]) == ("False", "OwnershipConflict")
    assert "ops-x" in synced["message"]
    objects = cluster.objects(NAMESPACE)
    assert image_of(objects["Deployment/chat-h200"]) == "evil/image:1"
    assert "Service/chat" in objects, "the others are not kept waiting"
    document = pool_document()
    document["metadata"]["annotations"] = {"lamplight.dev/take-ownership-from": "ops-x"}
    declare(document)
    drain()
    assert image_of(cluster.objects(NAMESPACE)["Deployment/chat-h200"]).startswith("vllm/vllm-openai")
    assert condition("chat", "Synced")["status"] == "True"


def test_a_taken_name_is_refused_before_anything_is_written(cluster: EmbeddedCluster, kube: Kube) -> None:
    kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "taken"}}, manager="somebody")
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "spec": {"ports": [{"port": 80}]},
        "metadata": {"name": "chat-engines", "namespace": "taken"},
    }
    kube.create(theirs, manager="somebody")
    declare_on(cluster, pool_document(namespace="taken"))
    drain()
    assert condition("chat", "Synced")["reason"] == "NameClash"
    assert "chat-engines" in condition("chat", "Ready")["message"]
    assert set(cluster.objects("taken")) == {"Service/chat-engines"}
    delete("Pool", "chat")
    drain()
    assert not Pool.objects.exists()
    assert set(cluster.objects("taken")) == {"Service/chat-engines"}, "it was never ours"


@pytest.mark.usefixtures("declared")
def test_deletion_goes_in_order_and_takes_everything_and_nothing_else(cluster: EmbeddedCluster, kube: Kube) -> None:
    declare(pool_document("other", variants=[variant_document("h200")]))
    drain()
    others = {name: o for name, o in cluster.objects(NAMESPACE).items() if name.partition("/")[2].startswith("other")}
    assert others
    delete("Pool", "chat")
    before = set(cluster.objects(NAMESPACE))
    seen: list[set[str]] = []
    for _ in range(8):
        drain()
        seen.append({name for name in cluster.objects(NAMESPACE) if "/chat" in name})
        if not Pool.objects.filter(name="chat").exists():
            break
    assert not Pool.objects.filter(name="chat").exists()
    left = {name: o for name, o in cluster.objects(NAMESPACE).items() if "/chat" in name}
    assert left == {}
    assert {n: o["metadata"]["uid"] for n, o in others.items()} == {
        n: o["metadata"]["uid"] for n, o in cluster.objects(NAMESPACE).items()
    }
    assert [len(names) for names in seen] == sorted((len(names) for names in seen), reverse=True)
    first = [next(i for i, names in enumerate(seen) if name not in names) for name in ORDER if name in before]
    assert first == sorted(set(first)), "each round waits for the one before"


@pytest.mark.usefixtures("declared")
def test_a_read_only_cluster_is_looked_at_and_never_written(cluster: EmbeddedCluster) -> None:
    declare(cluster_document(str(cluster.kubeconfig), readOnly=True))
    with counted_calls() as calls:
        drain()
    assert writes(calls) == []
    assert condition("chat", "Synced")["reason"] == "ReadOnlyCluster"


@pytest.mark.usefixtures("declared")
def test_an_unreachable_cluster_is_said_and_keeps_what_was_known(cluster: EmbeddedCluster) -> None:
    drain()
    replicas = pool().status["replicas"]
    cluster.kill("apiserver")
    drain()
    status = pool().status
    assert (status["sync"], status["health"]) == ("Unknown", "Unknown")
    assert status["replicas"] == replicas, "unknown is not zero"
    ready = condition("chat", "Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "ClusterUnreachable")
    assert "does not answer" in ready["message"]
    assert QueueItem.objects.get(kind="Pool").last_error
    cluster.start("apiserver")
    drain()
    assert condition("chat", "Synced")["status"] == "True"


@pytest.mark.usefixtures("declared")
def test_a_pod_at_which_no_scheduler_looks_is_named_long_before_the_deadline(
    cluster: EmbeddedCluster, kube: Kube
) -> None:
    drain()
    labels = cluster.objects(NAMESPACE)["Deployment/chat-h200"]["spec"]["template"]["metadata"]["labels"]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "chat-h200-x", "namespace": NAMESPACE, "labels": {**labels, POOL_UID: str(pool().uid)}},
        "spec": {"schedulerName": "nobody", "containers": [{"name": "vllm", "image": "vllm:1"}]},
    }
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": NAMESPACE}}
    kube.apply(account, manager="a-controller")
    kube.create(pod, manager="a-controller")
    drain()
    assert condition("chat", "EnginesReady")["reason"] == "ReplicasStarting"
    with clock.frozen(clock.now() + timedelta(seconds=30)):
        drain()
        healthy = condition("chat", "Healthy")
        before = pool().conditions, Event.objects.count()
    assert (healthy["reason"], condition("chat", "EnginesReady")["reason"]) == ("NoScheduler", "NoScheduler")
    assert "replica chat-h200-x: NoScheduler: no scheduler has looked at it since" in healthy["message"]
    with clock.frozen(clock.now() + timedelta(seconds=60)):
        drain()
    assert (pool().conditions, Event.objects.count()) == before, "it is news once"


def test_a_missing_model_is_said_and_a_plan_that_is_refused_applies_nothing(
    cluster: EmbeddedCluster, kube: Kube
) -> None:
    declare(
        cluster_document(str(cluster.kubeconfig)),
        model_document(),
        pool_document(routing={"gateway": {"name": "public"}}) if no_routes(kube) else pool_document(),
    )
    from apps.catalog.models import Model

    Model.objects.all().delete()
    drain()
    assert condition("chat", "Synced")["reason"] == "ModelMissing"
    assert "Deployment/chat-h200" not in cluster.objects(NAMESPACE)


def no_routes(kube: Kube) -> bool:
    return "HTTPRoute.gateway.networking.k8s.io" not in kube.resources()
