"""Clusters looked at over HTTP: version, accelerators, and a sentence when one does not answer, delaying nobody."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from apps.audit.models import Event
from apps.clusters.models import Cluster
from apps.core.domain.access import SHARED_TEAM, Role
from apps.reconcile.models import QueueItem, Shard
from tests.support.cluster import EmbeddedCluster, run_cluster
from tests.support.people import api_of, json_of, person
from tests.support.pools import cluster_document, declare, drain, model_document, pool, pool_document

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
        (None, "BadCredentials", "cannot be used"),
        ("{not yaml: [", "BadCredentials", "cannot be used"),
        (
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
            "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:9'}}]\n"
            "users: [{name: u, user: {token: t}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n",
            "Unreachable",
            "does not answer",
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
        assert time.monotonic() - started < 30
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
