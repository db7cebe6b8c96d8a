"""A worker killed at any call boundary of a reconcile leaves a state from which the next one gets to the same end.

The boundaries are recorded from one whole run and then all are taken, none sampled (tests/support/failpoints.py): each
has a pool of its own, all in one cluster and one database, and what is left of all of them is brought to its end
together.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from apps.audit.models import ChangeRecord
from apps.core.models import OutboxEvent
from apps.pools import services
from apps.pools.domain.manifests import POOL_UID
from apps.pools.models import Pool, PoolRevision
from apps.pools.observing import OWNED_KINDS
from apps.reconcile.models import QueueItem
from tests.support.cluster import EmbeddedCluster, shared_cluster
from tests.support.failpoints import all_wait, killed_after, lease_runs_out, recorded, resumed, stopped_after, work_on
from tests.support.pools import (
    condition,
    counted_calls,
    declare,
    declare_on,
    delete,
    drain,
    pool,
    pool_document,
    writes,
)
from tests.support.wait import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
NEW_FLAG = "--max-model-len=8192"
NEWER_FLAG = "--max-model-len=16384"
MOST_ROUNDS = 8


cluster = shared_cluster()


@pytest.fixture(autouse=True)
def declared(cluster: EmbeddedCluster) -> None:
    declare_on(cluster)
    drain()


def document(name: str, *args: str) -> dict[str, Any]:
    """Each has a namespace of its own, which is to be made too."""
    return pool_document(name, namespace=f"of-{name}", routing={"picker": False}, engine={"args": list(args)})


def objects_of(cluster: EmbeddedCluster, prefix: str) -> dict[str, Any]:
    """All objects that pools of this prefix have, by `Kind/name`."""
    kube = cluster.kube
    present = kube.resources()
    listed = [obj for kind in OWNED_KINDS if kind in present for obj in kube.list(present[kind])]
    mine = [obj for obj in listed if obj["metadata"].get("namespace", "").startswith(f"of-{prefix}")]
    ours = [obj for obj in mine if POOL_UID in (obj["metadata"].get("labels") or {})]
    found = {f"{obj['kind']}/{obj['metadata']['name']}": obj for obj in ours}
    assert len(found) == len(ours), "none is there twice"
    return found


def settle(settled: Callable[[], bool]) -> None:
    for _ in range(MOST_ROUNDS):
        drain()
        if settled():
            return
    raise AssertionError(f"not at its end after {MOST_ROUNDS} rounds: {list(QueueItem.objects.values())}")


def synced(name: str) -> bool:
    found = pool(name).condition("Synced")
    return found is not None and found.status == "True"


def names(prefix: str, boundaries: list[str]) -> list[str]:
    """One pool for each boundary, and one for dying before the first."""
    return [f"{prefix}-{number:03}" for number in range(len(boundaries) + 1)]


def kill_each(pools: list[str], boundaries: list[str], floor: int, *, lasting: bool = False) -> None:
    """Kill a worker after so many boundaries of each pool. No status that it leaves is older than `floor`."""
    all_wait()
    for count, name in enumerate(pools):
        uid = pool(name).uid
        died = killed_after(work_on(uid), count, lasting=lasting)
        lease_runs_out(uid)
        assert died == (count < len(boundaries)), f"after {count} of {len(boundaries)}: {boundaries}"
        left = Pool.objects.filter(uid=uid).first()
        if left is not None and floor:
            assert floor <= left.status["observedGeneration"] <= left.generation, boundaries[count - 1]
    QueueItem.objects.update(due_at="2000-01-01T00:00:00Z")


def all_as_declared(cluster: EmbeddedCluster, pools: list[str], flag: str, replicas: int) -> None:
    settle(lambda: all(synced(name) for name in pools))
    objects = objects_of(cluster, pools[0].partition("-")[0])
    wanted = {f"{kind}/{name}{more}" for name in pools for kind, more in OBJECTS}
    assert set(objects) == wanted, "one of each, and nothing else"
    for name in pools:
        one = pool(name)
        assert one.status["observedGeneration"] == one.generation
        deployment = objects[f"Deployment/{name}-h200"]
        assert deployment["spec"]["replicas"] == replicas, name
        assert (flag in deployment["spec"]["template"]["spec"]["containers"][0]["args"]) == bool(flag), name
        owners = {
            entry["manager"]
            for entry in deployment["metadata"]["managedFields"]
            if "f:replicas" in entry["fieldsV1"].get("f:spec", {})
        }
        assert owners == {"lamplight-scaler"}, name
    with counted_calls() as calls:
        drain()
    assert writes(calls) == [], "settled"


OBJECTS = [
    ("Deployment", "-h200"),
    ("Service", ""),
    ("Service", "-engines"),
    ("PodDisruptionBudget", "-h200"),
    ("PodMonitor", ""),
]


def test_killed_at_each_boundary_of_creating(cluster: EmbeddedCluster) -> None:
    declare(document("create"))
    all_wait()
    boundaries = recorded(work_on(pool("create").uid))
    assert sum(call.startswith("PATCH") for call in boundaries) >= 7, "five objects and the hand-over of replicas"
    pools = names("create", boundaries)
    declare(*(document(name) for name in pools))
    kill_each(pools, boundaries, floor=0)
    all_as_declared(cluster, [*pools, "create"], "", 2)


def test_killed_at_each_boundary_of_a_change_and_a_new_scale(cluster: EmbeddedCluster) -> None:
    def change(*pools: str) -> None:
        declare(*(document(name, NEW_FLAG) for name in pools))
        for name in pools:
            wanted = [services.Wanted("h200", 4, "person")]
            services.set_replica_targets(pool=pool(name), wanted=wanted, actor="user:1")

    declare(document("update"))
    drain()
    change("update")
    all_wait()
    boundaries = recorded(work_on(pool("update").uid), lasting=True)
    pools = names("update", boundaries)
    declare(*(document(name) for name in pools))
    settle(lambda: all(synced(name) for name in pools))
    before = {name: obj["metadata"]["uid"] for name, obj in objects_of(cluster, "update").items()}
    change(*pools)
    kill_each(pools, boundaries, floor=1, lasting=True)
    all_as_declared(cluster, [*pools, "update"], NEW_FLAG, 4)
    after = {name: obj["metadata"]["uid"] for name, obj in objects_of(cluster, "update").items()}
    assert after == before, "none was made anew"
    for name in pools:
        revisions = PoolRevision.objects.filter(pool__name=name).order_by("generation")
        assert [row.generation for row in revisions] == [1, 2]
        assert revisions[1].rendered_hash and revisions[1].rendered_hash != revisions[0].rendered_hash


def test_killed_at_each_boundary_of_deleting(cluster: EmbeddedCluster) -> None:
    declare(document("delete"))
    drain()
    delete("Pool", "delete")
    all_wait()
    boundaries = recorded(work_on(Pool.objects.get(name="delete").uid), lasting=True)
    pools = names("delete", boundaries)
    declare(*(document(name) for name in pools), document("delete-stays"))
    settle(lambda: all(synced(name) for name in [*pools, "delete-stays"]))
    uids = {name: pool(name).uid for name in pools}
    for name in pools:
        delete("Pool", name)
    kill_each(pools, boundaries, floor=1, lasting=True)
    settle(lambda: Pool.objects.count() == 1)
    assert {obj["metadata"]["namespace"] for obj in objects_of(cluster, "delete").values()} == {"of-delete-stays"}
    for name, uid in uids.items():
        gone = OutboxEvent.objects.filter(uid=uid, verb="deleted").count()
        told = ChangeRecord.objects.filter(uid=uid, action="delete").count()
        assert (gone, told >= 1) == (1, True), f"{name}: said once"
    assert not QueueItem.objects.filter(kind="Pool", uid__in=uids.values()).exists()


def test_a_worker_that_slept_through_its_lease_changes_no_row(cluster: EmbeddedCluster) -> None:
    """Stopped at each boundary of a change, overtaken by another worker and by a newer spec, and then let go on."""
    declare(document("sleep"))
    drain()
    declare(document("sleep", NEW_FLAG))
    all_wait()
    boundaries = recorded(work_on(pool("sleep").uid), lasting=True)
    # before the first one nothing is claimed, and after the last one nothing is left to do
    pools = names("sleep", boundaries)[1:-1]
    declare(*(document(name) for name in pools))
    settle(lambda: all(synced(name) for name in pools))
    declare(*(document(name, NEW_FLAG) for name in pools))
    all_wait()
    asleep = []
    for count, name in enumerate(pools, 1):
        asleep.append(stopped_after(work_on(pool(name).uid, rounds=1), count, lasting=True))
        lease_runs_out(pool(name).uid)
    stopped_at = time.monotonic()
    declare(*(document(name, NEWER_FLAG) for name in [*pools, "sleep"]))
    QueueItem.objects.update(due_at="2000-01-01T00:00:00Z")
    settle(lambda: all(is_live(name) for name in pools))
    before = rows()
    # what a fence has asked a moment ago it does not ask again
    wait_until(lambda: time.monotonic() - stopped_at > 2.5, message="the fences are stale")
    for child in asleep:
        resumed(child)
    assert rows() == before
    all_as_declared(cluster, [*pools, "sleep"], NEWER_FLAG, 2)


def is_live(name: str) -> bool:
    one = pool(name)
    return one.status.get("observedGeneration") == one.generation and condition(name, "Synced")["status"] == "True"


def rows() -> dict[str, list[tuple[Any, ...]]]:
    """What a worker writes of pools."""
    return {
        "pools": list(Pool.objects.order_by("uid").values_list("uid", "generation", "status", "conditions")),
        "queue": list(
            QueueItem.objects.order_by("uid").values_list("uid", "due_at", "lease_until", "fence", "attempts")
        ),
        "outbox": list(OutboxEvent.objects.order_by("id").values_list("id")),
        "revisions": list(PoolRevision.objects.order_by("id").values_list("id", "rendered_hash", "healthy_at")),
    }
