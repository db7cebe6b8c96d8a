"""The engines of all pools, from an API server over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from apps.clusters.kube import Kube
from apps.clusters.models import Cluster
from apps.core import clock
from apps.pools.domain.engines import COMPONENT_ENGINE
from apps.pools.domain.manifests import PoolIdentity, labels_of
from apps.pools.models import Pool
from apps.telemetry.targets import PoolTargets, find_targets
from tests.support.cluster import EmbeddedCluster, run_cluster
from tests.support.pools import counted_calls

pytestmark = pytest.mark.django_db


def declared(name: str, cluster: Cluster, status: dict[str, Any] | None = None) -> Pool:
    now = clock.now()
    return Pool.objects.create(
        team="default",
        name=name,
        namespace="serving",
        cluster_uid=cluster.uid,
        spec={"model": "m", "cluster": cluster.name, "variants": [{"name": "a"}, {"name": "b"}]},
        status=status or {},
        created_at=now,
        updated_at=now,
    )


def cluster_row(name: str, kubeconfig: str, **more: Any) -> Cluster:
    now = clock.now()
    spec = {"credentials": {"kubeconfig": kubeconfig}, **more}
    return Cluster.objects.create(team="platform", name=name, spec=spec, created_at=now, updated_at=now)


def start_pod(kube: Kube, pool: Pool, name: str, variant: str, address: str, *, ready: bool, component: str) -> str:
    """A pod as the kubelet reports it; its uid."""
    identity = PoolIdentity(str(pool.uid), pool.team, pool.name, 1, "serving")
    container = {
        "name": "engine",
        "image": "vllm/vllm-openai:v0.33.0",
        "ports": [{"name": "http", "containerPort": 8000}],
    }
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "serving", "labels": labels_of(identity, component, variant)},
        "spec": {"containers": [container]},
    }
    made = kube.create(manifest, manager="test")
    status = {
        "phase": "Running",
        "podIP": address,
        "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
    }
    kube._call(
        "PATCH",
        kube.resource("Pod").path("serving", name, "status"),
        body={"status": status},
        content_type="application/merge-patch+json",
    )
    return str(made["metadata"]["uid"])


@pytest.fixture(scope="module")
def cluster() -> Any:
    with run_cluster() as running:
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "serving"}}
        running.kube.create(namespace, manager="test")
        metadata = {"name": "default", "namespace": "serving"}
        account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}
        running.kube._call("POST", "/api/v1/namespaces/serving/serviceaccounts", body=account)
        yield running


def by_pool(found: list[PoolTargets]) -> dict[Any, PoolTargets]:
    return {pool.pool: pool for pool in found}


def test_ready_engines_are_found_and_replicas_counted(cluster: EmbeddedCluster) -> None:
    home = cluster_row("embedded", str(cluster.kubeconfig))
    chat = declared("chat", home, {"variants": [{"name": "a", "desired": 2}, {"name": "b", "desired": 1}]})
    other = declared("other", home)
    kube = cluster.kube
    first = start_pod(kube, chat, "chat-a-0", "a", "127.9.0.1", ready=True, component=COMPONENT_ENGINE)
    start_pod(kube, chat, "chat-a-1", "a", "127.9.0.2", ready=False, component=COMPONENT_ENGINE)
    picker = start_pod(kube, chat, "chat-picker", "", "127.9.0.3", ready=True, component="endpoint-picker")
    theirs = start_pod(kube, other, "other-b-0", "b", "127.9.0.4", ready=True, component=COMPONENT_ENGINE)
    found = by_pool(find_targets())
    assert [(t.key, t.name, t.variant, t.kind, t.url) for t in found[chat.uid].targets] == [
        (first, "chat-a-0", "a", "engine", "http://127.9.0.1:8000/metrics"),
        (picker, "chat-picker", "", "gateway", "http://127.9.0.3:8000/metrics"),
    ]
    assert found[chat.uid].replicas["a"] == {"desired": 2, "ready": 1, "starting": 1, "terminating": 0}
    assert found[chat.uid].replicas["b"] == {"desired": 1, "ready": 0, "starting": 0, "terminating": 0}
    assert found[chat.uid].replicas[""] == {"desired": 3, "ready": 1, "starting": 1, "terminating": 0}
    assert [t.key for t in found[other.uid].targets] == [theirs]
    assert "desired" not in found[other.uid].replicas[""]


def test_a_cluster_that_is_away_costs_its_own_pools_only(cluster: EmbeddedCluster, tmp_path: Any) -> None:
    near = cluster_row("embedded", str(cluster.kubeconfig))
    dead = tmp_path / "dead"
    text = cluster.kubeconfig.read_text()
    address = cluster.kube.server
    dead.write_text(text.replace(address, "https://127.0.0.1:9"))
    far = cluster_row("far", str(dead))
    missing = cluster_row("missing", "/nonexistent/kubeconfig")
    pools = {name: declared(name, home) for name, home in (("here", near), ("there", far), ("nowhere", missing))}
    start_pod(cluster.kube, pools["here"], "here-a-0", "a", "127.9.0.9", ready=True, component=COMPONENT_ENGINE)
    found = by_pool(find_targets())
    assert len(found[pools["here"].uid].targets) == 1
    assert found[pools["here"].uid].reason == ""
    for name, words in (("there", "does not answer"), ("nowhere", "cannot be used")):
        answer = found[pools[name].uid]
        assert (answer.targets, answer.replicas) == ((), {})
        assert words in answer.reason
    near.delete()
    assert "is gone" in by_pool(find_targets())[pools["here"].uid].reason


def test_where_rights_end_at_namespaces_only_these_are_listed(cluster: EmbeddedCluster) -> None:
    home = cluster_row("embedded", str(cluster.kubeconfig), namespaces=["serving", "later"])
    pool = declared("narrow", home)
    start_pod(cluster.kube, pool, "narrow-a-0", "a", "127.9.0.5", ready=True, component=COMPONENT_ENGINE)
    with counted_calls() as calls:
        found = by_pool(find_targets())
    assert [target.name for target in found[pool.uid].targets] == ["narrow-a-0"]
    listed = [path.split("?")[0] for _, path in calls if "/pods" in path]
    assert listed == [f"/api/v1/namespaces/{place}/pods" for place in ("serving", "later")]
