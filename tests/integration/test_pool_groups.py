"""A wide-EP pool on the embedded cluster: groups of pods by a LeaderWorkerSet, from declaration to answer and back."""

from __future__ import annotations

from typing import Any

import pytest

from apps.clusters.selectors import kube_for
from apps.gateways import verifying
from apps.pools import selectors, services
from apps.pools.services import Wanted
from apps.pools.tree import object_tree
from tests.support.cluster import EmbeddedCluster, shared_cluster
from tests.support.pools import (
    cluster_document,
    complete,
    condition,
    declare,
    drain,
    drain_until,
    model_document,
    pool,
    pool_document,
    take_down,
    variant_document,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]


cluster = shared_cluster(nodes=True)


def wide(**changes: Any) -> dict[str, Any]:
    """One group of two pods, a data-parallel rank each."""
    variant = variant_document(
        "wide", parallelism={"tensor": 1, "data": 2}, groupSize=2, replicas={"min": 1, "max": 2}, **changes
    )
    routing = {"expertParallel": {"balance": False}}
    return pool_document("wide", path="wide-ep", routing=routing, variants=[variant])


def model() -> dict[str, Any]:
    document = model_document()
    document["spec"]["shape"] = {
        "layers": 32, "heads": 32, "kvHeads": 8, "headDim": 128, "parameters": 8_030_000_000, "experts": 64,
    }  # fmt: skip
    return document


def groups(kube: Any) -> Any:
    return kube.get(kube.resource("LeaderWorkerSet", "leaderworkerset.x-k8s.io"), "wide-wide", "serving")


def test_a_wide_pool_serves_scales_restarts_as_a_group_and_goes(cluster: EmbeddedCluster) -> None:
    declare(cluster_document(str(cluster.kubeconfig)), model(), wide())
    healthy = lambda: pool("wide").status.get("health") == "Healthy"  # noqa: E731
    drain_until(healthy, message="the wide pool is healthy")
    assert condition("wide", "Ready")["reason"] == "AllReplicasReady"
    assert condition("wide", "Synced")["status"] == "True"
    (state,) = pool("wide").status["variants"]
    assert (state["desired"], state["ready"], state["accelerators"]) == (1, 1, 2)
    assert complete(pool("wide").status["endpoint"])["usage"]["completion_tokens"] == 3

    # groups that do both hand nothing over, and the self-test asks for nothing of the kind
    test = verifying.run(verifying.ask(pool=pool("wide"), by="").id)
    assert test is not None
    assert {c["name"]: c["status"] for c in test.checks if c["status"] != "unknown"}.items() >= {
        ("request", "passed"), ("selector", "passed"),
    }  # fmt: skip
    assert "hand-over" not in {c["name"] for c in test.checks}

    kube = kube_for(selectors.cluster_of(pool("wide")))
    owned = [e for e in groups(kube)["metadata"]["managedFields"] if "f:replicas" in e["fieldsV1"].get("f:spec", {})]
    assert [e["manager"] for e in owned] == ["lamplight-scaler"]

    # who is below whom
    items = object_tree(kube, pool("wide"), selectors.cluster_of(pool("wide")))["items"]
    parents = {item["id"]: item["parent"] for item in items}
    assert parents["Pod/wide-wide-0"] == "LeaderWorkerSet/wide-wide"
    assert parents["Pod/wide-wide-0-1"] == "Pod/wide-wide-0"
    assert next(i for i in items if i["id"] == "LeaderWorkerSet/wide-wide")["health"] == "Healthy"

    # one pod of the group is taken away: the whole group starts anew, and is one replica all the while
    leader = kube.get(kube.resource("Pod"), "wide-wide-0", "serving")["metadata"]["uid"]
    kube.delete(kube.resource("Pod"), "wide-wide-0-1", "serving")

    def restarted() -> bool:
        names = {p["metadata"]["name"]: p["metadata"]["uid"] for p in kube.list(kube.resource("Pod"), "serving")}
        return healthy() and "wide-wide-0-1" in names and names.get("wide-wide-0", leader) != leader

    drain_until(restarted, message="the group is there anew")

    services.set_replica_targets(pool=pool("wide"), wanted=[Wanted("wide", 2, "person", "a test")], actor="person")
    drain_until(lambda: healthy() and pool("wide").status["variants"][0]["ready"] == 2, message="two groups")
    assert groups(kube)["spec"]["replicas"] == 2

    take_down("wide")
    assert kube.list(kube.resource("Pod"), "serving") == []


def test_a_new_spec_reaches_every_group(cluster: EmbeddedCluster) -> None:
    declare(cluster_document(str(cluster.kubeconfig)), model(), wide())
    drain_until(lambda: pool("wide").status.get("health") == "Healthy", message="the wide pool is healthy")
    document = wide()
    document["spec"]["engine"] = {"args": ["--max-num-seqs=77"]}
    declare(document)
    drain()
    kube = kube_for(selectors.cluster_of(pool("wide")))

    def rolled() -> bool:
        held = pool("wide").status
        pods = kube.list(kube.resource("Pod"), "serving", labels={"lamplight.dev/variant": "wide"})
        new = all("--max-num-seqs=77" in p["spec"]["containers"][0]["args"] for p in pods)
        return held.get("health") == "Healthy" and held["rollout"]["state"] == "Complete" and len(pods) == 2 and new

    drain_until(rolled, message="the new spec is on both pods")
    take_down("wide")
