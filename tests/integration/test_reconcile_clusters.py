"""Clusters looked at over HTTP: version, accelerators, and a sentence when one does not answer, delaying nobody."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from apps.audit.models import Event
from apps.clusters.errors import Forbidden
from apps.clusters.models import Cluster
from apps.core import reasons
from apps.core.domain.access import SHARED_TEAM, Role
from apps.pools.selectors import free_accelerators
from apps.reconcile.models import QueueItem, Shard
from tests.support.cluster import EmbeddedCluster, run_cluster
from tests.support.kube_proxy import run_proxy
from tests.support.people import api_of, json_of, person
from tests.support.pools import cluster_document, declare, declare_on, drain, model_document, pool, pool_document
from tests.support.wait import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedCluster]:
    with run_cluster() as running:
        kube = running.kube
        for name in ("a", "b"):
            node: dict[str, Any] = {
                "apiVersion": "v1",
                "kind": "Node",
                "metadata": {"name": name, "labels": {"nvidia.com/gpu.product": "NVIDIA-H200"}},
            }
            kube.create(node, manager="test")
            kube._call(
                "PATCH",
                kube.resource("Node").path(name=name, sub="status"),
                body={"status": {"allocatable": {"nvidia.com/gpu": "8"}}},
                content_type="application/merge-patch+json",
            )
        yield running


def ready(name: str = "embedded") -> dict[str, Any]:
    return next(c for c in Cluster.objects.get(name=name).conditions if c["type"] == "Ready")


def test_a_cluster_says_its_version_and_accelerators(cluster: EmbeddedCluster) -> None:
    declare(cluster_document(str(cluster.kubeconfig)))
    drain()
    assert (ready()["status"], ready()["reason"]) == ("True", "Ready")
    assert "16 NVIDIA-H200" in ready()["message"]
    status = Cluster.objects.get().status
    assert status["version"].startswith("v1.")
    assert status["accelerators"][0]["largestNode"] == 8
    before = (status, Cluster.objects.get().conditions, Event.objects.count())
    drain()
    assert (Cluster.objects.get().status, Cluster.objects.get().conditions, Event.objects.count()) == before


def test_accelerators_that_may_not_be_counted_are_unknown_and_not_zero(
    cluster: EmbeddedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: Cluster) -> None:
        raise Forbidden("nodes is forbidden")

    with monkeypatch.context() as patched:
        patched.setattr("apps.clusters.selectors.inventory", refused)
        declare(cluster_document(str(cluster.kubeconfig)))
        drain()
    seen = Cluster.objects.get()
    assert ready()["status"] == "True"
    assert "accelerators" not in seen.status
    assert free_accelerators(seen) == {}, "no plan says that none are free"


def test_the_inventory_over_rest(cluster: EmbeddedCluster) -> None:
    declare(cluster_document(str(cluster.kubeconfig)))
    api = api_of(person("eve", default=Role.VIEWER))
    found = api.get(f"teams/{SHARED_TEAM}/clusters/embedded/inventory")
    assert found["accelerators"][0]["free"] == 16
    assert [row["node"] for row in found["nodes"]] == ["a", "b"]


def test_only_admins_of_the_shared_team_declare_clusters() -> None:
    api = api_of(person("ed", default=Role.EDITOR))
    document = {"apiVersion": "lamplight.dev/v1", **cluster_document("/etc/passwd")}
    document["metadata"] = {"name": "mine", "team": "default"}
    answer = api.send("POST", "teams/default/clusters", document)
    assert answer.status_code == 422
    assert "only an admin of team platform" in json_of(answer)["detail"]


@pytest.mark.parametrize(
    ("content", "reason", "words"),
    [
        (None, "BadCredentials", "cannot be used: there is no such file where Lamplight runs"),
        ("{not yaml: [", "BadCredentials", "cannot be used"),
        (
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
            "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:9'}}]\n"
            "users: [{name: u, user: {token: t}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n",
            "Unreachable",
            "does not answer: Connection refused",
        ),
    ],
)
def test_a_cluster_that_cannot_be_reached_says_why(
    tmp_path: Path, content: str | None, reason: str, words: str
) -> None:
    path = tmp_path / "kubeconfig"
    if content is not None:
        path.write_text(content)
    declare(cluster_document(str(path)))
    drain()
    assert (ready()["status"], ready()["reason"]) == ("False", reason)
    assert words in ready()["message"]
    assert QueueItem.objects.filter(kind="Cluster").exists(), "it is looked at again"


def test_a_cluster_that_was_not_ready_and_goes_away_is_news(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    declare(cluster_document(str(path)))
    drain()
    path.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:9'}}]\n"
        "users: [{name: u, user: {token: t}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n"
    )
    QueueItem.objects.update(due_at="2000-01-01T00:00:00Z")
    Shard.objects.update(open_until="2000-01-01T00:00:00Z")
    drain()
    told = Event.objects.filter(kind="Cluster").order_by("id").values_list("type", "reason")
    assert list(told) == [("Warning", "BadCredentials"), ("Warning", "Unreachable")]


def test_a_dead_cluster_delays_nobody_and_its_pools_come_back_with_it(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    dead = tmp_path / "dead"
    dead.write_text(cluster.kubeconfig.read_text().replace("https://127.0.0.1", "https://127.0.0.2"))
    away = cluster_document(str(dead))
    away["metadata"]["name"] = "away"
    declare(cluster_document(str(cluster.kubeconfig)), away, model_document())
    declare(pool_document("there", cluster="away"), pool_document("here"))
    for _ in range(3):
        QueueItem.objects.filter(kind="Pool").update(due_at="2000-01-01T00:00:00Z")
        started = time.monotonic()
        drain()
        assert time.monotonic() - started < 60
    assert pool("here").status["sync"] == "Synced"
    assert next(c for c in pool("there").conditions if c["type"] == "Ready")["reason"] == "ClusterUnreachable"
    stuck = QueueItem.objects.get(uid=pool("there").uid)
    assert stuck.last_error
    dead.write_text(cluster.kubeconfig.read_text())
    QueueItem.objects.filter(uid=Cluster.objects.get(name="away").uid).update(due_at="2000-01-01T00:00:00Z")
    QueueItem.objects.filter(kind="Pool").update(due_at="2100-01-01T00:00:00Z")
    Shard.objects.update(open_until="2100-01-01T00:00:00Z")
    from apps.reconcile import worker

    worker.drain(budget=20)
    assert pool("there").status["sync"] in ("Synced", "OutOfSync"), "asked for again as soon as the cluster answered"
    assert not Shard.objects.exists()


def test_preflight_over_rest_and_as_conditions(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    with run_proxy(cluster.kubeconfig, tmp_path) as proxy:
        declare(cluster_document(str(proxy.kubeconfig), namespaces=["serving"]))
        api = api_of(person("eve", default=Role.VIEWER))
        found = api.get(f"teams/{SHARED_TEAM}/clusters/embedded/preflight")
        states = {check["name"]: check["state"] for check in found["checks"]}
        assert found["ok"]
        assert (states["version"], states["rights"]) == ("ok", "ok")
        assert states["accelerators"] == "ok"
        assert states["watches"] == "warning", "nobody watches it in this test"
        drain()
        assert (ready()["status"], of_type("RightsGranted")["reason"]) == ("True", "AllRights")

        proxy.denied = {("patch", "deployments"), ("list", "nodes")}
        found = api.get(f"teams/{SHARED_TEAM}/clusters/embedded/preflight")
        assert not found["ok"]
        rights = next(check for check in found["checks"] if check["name"] == "rights")
        assert {(row["verb"], row["resource"], row["namespace"]) for row in rights["missing"]} == {
            ("patch", "deployments", "serving"),
            ("patch", "deployments/scale", "serving"),
            ("list", "nodes", None),
        }
        Cluster.objects.update(status={})
        drain()
        assert (ready()["status"], ready()["reason"]) == ("False", "RightsMissing")
        assert "patch deployments.apps in serving" in ready()["message"]
        proxy.denied = set()
        drain()
        assert ready()["status"] == "True", "a right that was missing is asked for again at each look"
        before = len(proxy.calls)
        drain()
        reviews = [path for _, path, _ in proxy.calls[before:] if "accessreviews" in path]
        assert reviews == [], "rights that are there are asked for every ten minutes"
    known = [(c["type"], c["reason"]) for c in Cluster.objects.get().conditions]
    assert [row for row in known if not reasons.known("Cluster", *row)] == []


def of_type(type_: str) -> dict[str, Any]:
    return next(c for c in Cluster.objects.get().conditions if c["type"] == type_)


def test_clusters_that_hang_leave_threads_for_the_others(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    with ExitStack() as stack:
        hanging = []
        for number in range(2):
            folder = tmp_path / str(number)
            folder.mkdir()
            hanging.append(stack.enter_context(run_proxy(cluster.kubeconfig, folder)))
            document = cluster_document(str(hanging[-1].kubeconfig), limits={"deadline": "60s"})
            document["metadata"]["name"] = f"hanging-{number}"
            declare(document)
        declare_on(cluster)
        for number in range(2):
            for i in range(6):
                name = f"stuck-{number}-{i}"
                declare(pool_document(name, cluster=f"hanging-{number}", namespace=name))
        QueueItem.objects.filter(kind="Cluster").delete()
        for proxy in hanging:
            proxy.stalled = True
        # the keys of those that hang are due before the one that can be worked on
        declare(pool_document("live"))
        answered = sum(proxy.answered for proxy in hanging)
        threads = [threading.Thread(target=drain_in_thread, daemon=True) for _ in range(settings.RECONCILE_THREADS)]
        for thread in threads:
            thread.start()
        wait_until(lambda: pool("live").status.get("sync") == "Synced", message="the living one is applied")
        assert sum(proxy.answered for proxy in hanging) == answered, "although no call of the others has ended"
        stuck = QueueItem.objects.filter(kind="Pool", lease_until__isnull=False).exclude(uid=pool("live").uid)
        held = Counter(stuck.values_list("shard", flat=True))
        assert 0 < max(held.values()) <= settings.RECONCILE_THREADS // 2
        assert sum(held.values()) < settings.RECONCILE_THREADS
        for proxy in hanging:
            proxy.down, proxy.stalled = True, False
            proxy.cut_all()
        for thread in threads:
            thread.join(90)
            assert not thread.is_alive()


def drain_in_thread() -> None:
    from apps.reconcile import worker

    try:
        worker.drain(budget=20)
    finally:
        connection.close()


def test_pools_of_a_cluster_that_is_no_more_can_be_forgotten(tmp_path: Path, cluster: EmbeddedCluster) -> None:
    gone = tmp_path / "gone"
    gone.write_text(cluster.kubeconfig.read_text().replace("https://127.0.0.1", "https://127.0.0.2"))
    document = cluster_document(str(gone))
    document["metadata"]["name"] = "gone"
    declare(document, model_document())
    declare(pool_document("there", cluster="gone"))
    drain()
    api = api_of(person("root", superuser=True))
    where = "teams/default/pools/there"
    assert api.send("DELETE", where, If_Match="*").status_code == 202
    drain()
    assert api.get(where)["metadata"]["deletionRequestedAt"] is not None
    assert api.send("DELETE", f"teams/{SHARED_TEAM}/clusters/gone", If_Match="*").status_code == 409
    wrong = api.send("DELETE", f"{where}?cascade=foreground", If_Match="*")
    assert (wrong.status_code, json_of(wrong)["detail"]) == (400, "cascade is background or orphan, not 'foreground'.")
    assert api.send("DELETE", f"{where}?cascade=orphan&dry_run=true", If_Match="*").status_code == 204
    assert api.get(where)
    assert api.send("DELETE", f"{where}?cascade=orphan&reason=sold", If_Match="*").status_code == 204
    drain()
    assert api.send("GET", where).status_code == 404
    record = api.get("changes?kind=Pool&limit=1")["items"][0]
    assert (record["action"], record["reason"]) == ("delete", "sold")
    assert api.send("DELETE", f"teams/{SHARED_TEAM}/clusters/gone", If_Match="*").status_code == 204
