"""The informer process against the embedded API server: fast news, no polling, and every way in which a watch ends."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from apps.clusters import cache, services
from apps.clusters.errors import NotFound
from apps.clusters.kube import Kube
from apps.clusters.models import CachedObject, Cluster, Watch, WatchSet
from apps.pools import controller
from apps.pools.models import Pool
from apps.pools.observing import WATCHED_KINDS, observe
from apps.reconcile import services as reconcile
from apps.reconcile import worker
from apps.reconcile.domain.fairness import Share
from apps.reconcile.models import QueueItem
from tests.support.cluster import EmbeddedCluster, run_cluster
from tests.support.informers import cluster_uid, in_sync, run_informers, wait_in_sync, watching
from tests.support.kube_proxy import KubeProxy, run_proxy
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
from tests.support.wait import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
NAMESPACE = "serving"


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    with run_cluster() as running:
        for kind, named in (("Namespace", {"name": NAMESPACE}), ("ServiceAccount", {"name": "default"})):
            where = {} if kind == "Namespace" else {"namespace": NAMESPACE}
            running.kube.create({"apiVersion": "v1", "kind": kind, "metadata": named | where}, manager="test")
        yield running


@pytest.fixture
def kube(cluster: EmbeddedCluster) -> Iterator[Kube]:
    client = cluster.kube
    yield client
    for obj in cluster.objects(NAMESPACE, kinds=WATCHED_KINDS).values():
        with suppress(NotFound):
            client.delete(client.resource_of(obj), obj["metadata"]["name"], NAMESPACE)


@pytest.fixture
def proxy(cluster: EmbeddedCluster, kube: Kube, tmp_path: Path) -> Iterator[KubeProxy]:
    """A pool that is applied and steady, on a cluster that is reached through a proxy."""
    with run_proxy(cluster.kubeconfig, tmp_path) as running:
        declare(cluster_document(str(running.kubeconfig)), model_document(), pool_document())
        drain()
        drain()
        yield running


@pytest.fixture
def informers(proxy: KubeProxy) -> Iterator[None]:
    """Watches in a thread, in sync, and a pool that waits for news only."""
    with watching():
        wait_in_sync()
        settle()
        yield


@pytest.fixture
def process(proxy: KubeProxy) -> Iterator[Any]:
    """The same as a process."""
    with run_informers() as running:
        wait_in_sync()
        settle()
        yield running


def settle() -> None:
    """Work on what is due until the pool waits for news only."""
    wait_until(lambda: worker.drain(5) == 0 and asked_in() > 60, message="nothing is due")


def asked_in() -> float:
    """Seconds until the pool is looked at again without news."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT EXTRACT(EPOCH FROM due_at - clock_timestamp()) FROM reconcile_queue WHERE kind = 'Pool'")
        return float(cursor.fetchone()[0])


def make_pod(kube: Kube, name: str = "chat-h200-x", *, ready: bool = True) -> None:
    labels = {
        "lamplight.dev/pool-uid": str(pool().uid),
        "lamplight.dev/variant": "h200",
        "app.kubernetes.io/component": "engine",
    }
    manifest: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {"containers": [{"name": "vllm", "image": "vllm/vllm-openai:v0.33.0"}]},
    }
    kube.create(manifest, manager="test")
    set_ready(kube, name, ready)


def set_ready(kube: Kube, name: str, ready: bool) -> None:
    condition = {"type": "Ready", "status": "True" if ready else "False"}
    kube._call(
        "PATCH",
        kube.resource("Pod").path(NAMESPACE, name, "status"),
        body={"status": {"phase": "Running", "conditions": [condition]}},
        content_type="application/merge-patch+json",
    )


def ready_in_status() -> int:
    """What the pool says of itself once everything that is due has been worked on."""
    worker.drain(2)
    return int(pool().status["replicas"]["ready"])


def test_news_of_a_pod_reach_the_status_although_nothing_was_due(kube: Kube, informers: None) -> None:
    make_pod(kube)
    wait_until(lambda: ready_in_status() == 1, message="the ready pod is counted")
    set_ready(kube, "chat-h200-x", False)
    wait_until(lambda: ready_in_status() == 0, message="its end is seen")


def test_a_steady_pool_costs_no_api_call(proxy: KubeProxy, informers: None) -> None:
    before = len(proxy.calls)
    with counted_calls() as calls:
        for _ in range(3):
            QueueItem.objects.filter(kind="Pool").update(due_at="2000-01-01T00:00:00Z")
            assert worker.drain(5) >= 1
    assert calls == []
    assert [call for call in proxy.calls[before:] if "serving" in call[1]] == []
    assert asked_in() > 300, "the next look is a resync, minutes away"


def test_our_own_writes_are_known_at_once_and_wake_nobody(cluster: EmbeddedCluster, informers: None) -> None:
    declare(pool_document(engine={"args": ["--max-model-len=4096"]}))
    with counted_calls() as calls:
        worker.drain(5)
    changed = [path for _, path in writes(calls)]
    assert [path.rpartition("/")[2] for path in changed] == ["chat-h200"]
    live = cluster.objects(NAMESPACE)["Deployment/chat-h200"]
    held = {obj["metadata"]["name"]: obj for obj in observe(its_kube(), pool()).live if obj["kind"] == "Deployment"}
    assert held["chat-h200"]["metadata"]["resourceVersion"] == live["metadata"]["resourceVersion"]
    revision = int(live["metadata"]["resourceVersion"])
    wait_until(
        lambda: Watch.objects.get(cluster=cluster_uid(), kind="Deployment.apps").revision >= revision,
        message="the watch has seen the write",
    )
    with counted_calls() as calls:
        worker.drain(5)
    assert writes(calls) == []


def test_pools_that_are_made_together_look_for_strangers_once_a_kind(
    cluster: EmbeddedCluster, kube: Kube, informers: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controller, "FRESH_SECONDS", 600.0)
    meta = {"namespace": NAMESPACE, "labels": {"lamplight.dev/pool-uid": str(uuid4())}}
    theirs: dict[str, Any] = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}}
    kube.create({**theirs, "metadata": {"name": "one-engines", "namespace": NAMESPACE}}, manager="somebody")
    kube.create({**theirs, "metadata": {**meta, "name": "two-engines"}}, manager="another-lamplight")
    wait_until(
        lambda: CachedObject.objects.filter(name="two-engines").exists(), message="the watch tells of what has a label"
    )
    QueueItem.objects.update(due_at="2099-01-01T00:00:00Z")
    named = ("one", "two", "three", "four")
    declare(*(pool_document(name, namespace=NAMESPACE, routing={"picker": False}) for name in named))
    shard = str(cluster_uid())
    leases = reconcile.claim_several(kinds=["Pool"], holder="test", share=Share(1, 1, {}), sizes={shard: 32})
    assert len(leases) == len(named)
    with counted_calls() as calls:
        look = controller.prepare(leases)
        assert all(reconcile.finish_several([(lease, look(lease)) for lease in leases]))
    for name in named:
        held = {"one": "NameClash", "two": "NameClash"}.get(name, "Applied")
        assert condition(name, "Synced")["reason"] == held, name
    made = cluster.objects(NAMESPACE)
    assert {f"Deployment/{name}-h200" in made for name in ("three", "four")} == {True}
    assert not {"Deployment/one-h200", "Deployment/two-h200"} & made.keys(), "nothing of a pool whose name is taken"
    reads = [path for method, path in calls if method == "GET" and f"/namespaces/{NAMESPACE}" in path]
    assert len(reads) == len(set(reads)), "each kind is listed once for all of them"
    assert not [path for path in reads if path.endswith(("-engines", "-h200", *named))], "no name is asked for"


def its_kube() -> Kube:
    from apps.clusters.selectors import kube_for

    return kube_for(Cluster.objects.get())


def test_drift_is_found_by_watch(cluster: EmbeddedCluster, kube: Kube, informers: None) -> None:
    kube.delete(kube.resource("Service"), "chat", NAMESPACE)

    def back() -> bool:
        worker.drain(2)
        return "Service/chat" in cluster.objects(NAMESPACE)

    wait_until(back, message="the Service is applied again")


def test_a_cut_watch_goes_on_where_it_was(kube: Kube, proxy: KubeProxy, informers: None) -> None:
    before = len(proxy.lists())
    watches = len(proxy.watches())
    proxy.down = True
    proxy.cut()
    make_pod(kube)
    proxy.down = False
    wait_until(lambda: ready_in_status() == 1, message="what happened meanwhile is told")
    assert proxy.lists()[before:] == [], "a good position needs no list"
    resumed = [query["resourceVersion"] for _, query in proxy.watches()[watches:]]
    assert resumed
    assert all(int(version) > 0 for version in resumed)


def test_a_forgotten_position_means_a_list_and_unseen_deletions_are_found(
    kube: Kube, proxy: KubeProxy, informers: None
) -> None:
    make_pod(kube)
    wait_until(lambda: ready_in_status() == 1, message="the pod is counted")
    before = len(proxy.lists())
    proxy.lose = lambda event: True
    kube.delete(kube.resource("Pod"), "chat-h200-x", NAMESPACE)
    proxy.gone = 100
    proxy.cut()
    wait_until(lambda: any(path.endswith("/pods") for path in proxy.lists()[before:]), message="pods are listed anew")
    wait_until(lambda: ready_in_status() == 0, message="the deletion is found by the list")
    proxy.gone, proxy.lose = 0, lambda event: False
    wait_in_sync()


def test_repeated_events_ask_for_nothing(kube: Kube, proxy: KubeProxy, informers: None) -> None:
    proxy.twice = True
    proxy.cut()
    wait_in_sync()
    make_pod(kube)
    wait_until(lambda: ready_in_status() == 1, message="the pod is counted")
    settle()
    assert len(observe(its_kube(), pool()).pods) == 1


def test_an_api_server_that_starts_anew_is_followed_again(
    cluster: EmbeddedCluster, kube: Kube, informers: None
) -> None:
    cluster.kill("apiserver")
    cluster.start("apiserver")
    client = cluster.kube
    make_pod(client)
    wait_until(lambda: ready_in_status() == 1, message="news come through again")
    wait_in_sync()


def test_without_a_watcher_reads_are_live_and_polling_comes_back(kube: Kube, process: Any) -> None:
    assert asked_in() > 60
    assert observe(its_kube(), pool()).cached
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert not in_sync()
    assert services.fall_back() == 1
    assert asked_in() <= services.LOOK_SECONDS
    make_pod(kube)
    drain()
    assert pool().status["replicas"]["ready"] == 1
    assert not observe(its_kube(), pool()).cached
    assert asked_in() <= 10, "as long as nobody watches"


def test_a_killed_watcher_is_noticed_by_its_silence_and_replaced(
    kube: Kube, process: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.kill()
    process.wait(60)
    assert observe(its_kube(), pool()).cached, "nobody can know yet"
    monkeypatch.setattr(cache, "STALE_SECONDS", 0.0)
    assert not observe(its_kube(), pool()).cached
    monkeypatch.undo()
    make_pod(kube)
    WatchSet.objects.update(lease_until="2000-01-01T00:00:00Z")
    with watching():
        wait_until(lambda: ready_in_status() == 1, message="the next one goes on from where it was")


def test_two_informer_processes_share_the_work(kube: Kube, process: Any) -> None:
    with run_informers() as other:
        holder = WatchSet.objects.get().holder
        make_pod(kube)
        wait_until(lambda: ready_in_status() == 1, message="news come through")
        assert WatchSet.objects.get().holder == holder, "the second one waits"
        process.terminate()
        process.wait(60)
        wait_until(lambda: WatchSet.objects.exclude(holder=holder).exists(), message="it takes over")
        set_ready(kube, "chat-h200-x", False)
        wait_until(lambda: ready_in_status() == 0, message="news come through")
        assert other.poll() is None


def test_a_watch_that_lost_its_right_writes_nothing(informers: None) -> None:
    uid = cluster_uid()
    with pytest.raises(cache.WatchSetLost):
        cache.changed(uid, "somebody else", [], {("Pod.", ""): 10**9})
    assert Watch.objects.get(cluster=uid, kind="Pod.").revision < 10**9


def test_a_cluster_that_is_no_longer_declared_is_forgotten(proxy: KubeProxy, informers: None) -> None:
    Pool.objects.all().delete()
    uid = cluster_uid()
    Cluster.objects.all().delete()
    wait_until(
        lambda: not Watch.objects.filter(cluster=uid).exists() and not WatchSet.objects.exists(), message="its rows go"
    )


# --- stale reads never delete or scale down ---------------------------------------------------------------------
@pytest.fixture
def blind(proxy: KubeProxy, informers: None) -> KubeProxy:
    """From now on the watches look open and tell nothing: the cache grows old without knowing it."""
    proxy.lose = lambda event: event["type"] != "BOOKMARK"
    return proxy


def relabel(kube: Kube, kind: str, group: str, name: str, owner: str | None) -> None:
    kube._call(
        "PATCH",
        kube.resource(kind, group).path(NAMESPACE, name),
        body={"metadata": {"labels": {"lamplight.dev/pool-uid": owner}}},
        content_type="application/merge-patch+json",
    )


def test_an_object_that_was_given_away_is_not_deleted_on_an_old_read(
    cluster: EmbeddedCluster, kube: Kube, blind: KubeProxy
) -> None:
    relabel(kube, "PodDisruptionBudget", "policy", "chat-h200", None)
    declare(pool_document(variants=[variant_document("h200b")]))
    worker.drain(5)
    names = set(cluster.objects(NAMESPACE))
    assert "Deployment/chat-h200" not in names, "what is ours goes, although its version moved on"
    assert "PodDisruptionBudget/chat-h200" in names


def test_replicas_are_not_scaled_on_an_old_read(cluster: EmbeddedCluster, kube: Kube, blind: KubeProxy) -> None:
    from apps.pools import services as pools

    deployments = kube.resource("Deployment", "apps")
    kube.scale(deployments, "chat-h200", NAMESPACE, 4, manager="lamplight-scaler")
    version = cluster.objects(NAMESPACE)["Deployment/chat-h200"]["metadata"]["resourceVersion"]
    pools.set_replica_targets(pool=pool(), wanted=[pools.Wanted("h200", 4, "person")], actor="user:1")
    with counted_calls() as calls:
        worker.drain(5)
    after = cluster.objects(NAMESPACE)["Deployment/chat-h200"]
    assert after["spec"]["replicas"] == 4
    assert after["metadata"]["resourceVersion"] == version, "the count was right already: the old read wrote nothing"
    assert ("GET", deployments.path(NAMESPACE, "chat-h200")) in calls


def test_a_deployment_that_is_gone_is_not_made_anew_with_one_replica(
    cluster: EmbeddedCluster, kube: Kube, blind: KubeProxy
) -> None:
    from apps.pools import services as pools

    pools.set_replica_targets(pool=pool(), wanted=[pools.Wanted("h200", 3, "person")], actor="user:1")
    worker.drain(5)
    kube.delete(kube.resource("Deployment", "apps"), "chat-h200", NAMESPACE)
    seen: set[int] = set()
    declare(pool_document(engine={"args": ["--max-model-len=2048"]}))
    worker.drain(5)
    found = cluster.objects(NAMESPACE).get("Deployment/chat-h200")
    seen |= {found["spec"]["replicas"]} if found else set()
    blind.lose = lambda event: False
    blind.gone = 12
    blind.cut()

    def back() -> bool:
        QueueItem.objects.filter(kind="Pool", lease_until=None).update(due_at="2000-01-01T00:00:00Z")
        worker.drain(2)
        live = cluster.objects(NAMESPACE).get("Deployment/chat-h200")
        if live:
            seen.add(live["spec"]["replicas"])
        return live is not None

    wait_until(back, message="the Deployment is back")
    assert seen == {3}
