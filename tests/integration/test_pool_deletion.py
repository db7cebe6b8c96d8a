"""Deletions that a cluster does not let happen: what they wait for is said, and they go on when they may."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from apps.audit.models import Event
from apps.clusters.kube import Kube
from apps.pools.models import Pool
from tests.support.cluster import EmbeddedCluster, emptied, shared_cluster
from tests.support.faults import script
from tests.support.pools import condition, declare_on, delete, drain, drain_until, pool, pool_document

pytestmark = pytest.mark.django_db(transaction=True)
NAMESPACE = "serving"

cluster = shared_cluster(options={"apiserver": ["--faults"]})


@pytest.fixture
def kube(cluster: EmbeddedCluster) -> Iterator[Kube]:
    with emptied(cluster, NAMESPACE) as client:
        yield client
        script(cluster)


@pytest.fixture
def live(cluster: EmbeddedCluster, kube: Kube) -> None:
    declare_on(cluster, pool_document())
    drain_until(lambda: pool().status.get("sync") == "Synced", message="the pool is in its cluster")


def delete_until_refused() -> None:
    """Delete the pool as far as its cluster lets it."""
    delete("Pool", "chat")
    drain_until(lambda: condition("chat", "Synced")["reason"] == "DeletionRefused", message="the refusal is said")


def mine(cluster: EmbeddedCluster, kind: str) -> list[str]:
    return sorted(name for name in cluster.objects(NAMESPACE) if name.startswith(f"{kind}/chat"))


@pytest.mark.usefixtures("live")
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            "forbidden",
            "Lamplight lacks the right to change services in namespace serving: `lamp preflight cluster embedded` "
            "has it as a rule of a Role",
        ),
        ("admission", 'admission webhook "policy.example.com" denied the request'),
    ],
)
def test_a_deletion_that_is_refused_says_what_it_waits_for_and_goes_on(
    cluster: EmbeddedCluster, fault: str, words: str
) -> None:
    script(cluster, {"verbs": ["delete"], "resources": ["services"], "times": 0, "fault": fault})
    delete_until_refused()
    assert mine(cluster, "Deployment") == [], "what comes before is gone"
    assert mine(cluster, "Service") == ["Service/chat", "Service/chat-engines", "Service/chat-epp"]
    assert mine(cluster, "PodDisruptionBudget") == [], "one that is refused keeps no other waiting"
    synced = condition("chat", "Synced")
    assert (
        "the deletion waits: the cluster does not let Service chat, Service chat-engines, Service chat-epp go"
        in synced["message"]
    )
    assert words in synced["message"]
    assert "3 of the pool's objects and pods are left" in synced["message"]
    assert "`lamp delete pool chat --cascade=orphan`" in synced["message"]
    assert condition("chat", "Ready")["message"] == synced["message"]
    assert (pool().status["sync"], pool().status["health"]) == ("OutOfSync", "Progressing")
    assert Event.objects.filter(reason="DeletionRefused", type="Warning").count() == 1
    script(cluster)
    drain_until(lambda: not Pool.objects.exists(), message="it goes on")


@pytest.mark.usefixtures("live")
def test_a_deletion_whose_objects_may_not_be_listed_names_the_right(cluster: EmbeddedCluster) -> None:
    script(cluster, {"verbs": ["list"], "resources": ["configmaps"], "times": 0, "fault": "forbidden"})
    delete_until_refused()
    said = condition("chat", "Synced")["message"]
    assert said.startswith("the deletion waits: the cluster does not tell what is left of the pool (GET ")
    assert "Lamplight lacks the right to change configmaps" in said
    script(cluster)
    drain_until(lambda: not Pool.objects.exists(), message="it goes on")


@pytest.mark.usefixtures("live")
def test_a_deletion_while_the_cluster_is_away_says_that_it_waits(cluster: EmbeddedCluster) -> None:
    delete("Pool", "chat")
    cluster.kill("apiserver")
    drain()
    synced = condition("chat", "Synced")
    assert (synced["status"], synced["reason"]) == ("Unknown", "ClusterUnreachable")
    assert "The deletion waits until it answers" in synced["message"]
    assert "--cascade=orphan" in synced["message"]
    cluster.start("apiserver")
    drain_until(lambda: not Pool.objects.exists(), message="it goes on")


@pytest.mark.usefixtures("live")
def test_an_object_that_somebody_s_finalizer_holds_is_named(cluster: EmbeddedCluster, kube: Kube) -> None:
    def hold(*finalizers: str) -> None:
        held: dict[str, Any] = {"name": "chat", "namespace": NAMESPACE, "finalizers": list(finalizers)}
        kube.apply({"apiVersion": "v1", "kind": "Service", "metadata": held}, manager="somebody")

    hold("example.com/cleanup")
    delete("Pool", "chat")
    words = "Service chat waits for its finalizer example.com/cleanup"
    drain_until(lambda: words in condition("chat", "Synced")["message"], message="the finalizer is named")
    hold()
    drain_until(lambda: not Pool.objects.exists(), message="it goes on")
