"""The informer process, as it runs in production, while its watches go wrong in every way that they can."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from apps.clusters.kube import Kube
from apps.clusters.models import CachedObject
from apps.pools.domain.manifests import POOL_UID
from apps.reconcile import worker
from tests.support.cluster import EmbeddedCluster, shared_cluster
from tests.support.faults import script, struck
from tests.support.informers import run_informers, wait_in_sync
from tests.support.pools import (
    condition,
    counted_calls,
    declare_on,
    drain,
    pool,
    pool_document,
    take_down,
    writes,
)
from tests.support.wait import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
NAMESPACE = "serving"
GRACE_OF_5 = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 5}}}}
MOST_EDITS = 100
KINDS = ("Service.", "ConfigMap.", "Deployment.apps", "PodDisruptionBudget.policy")

# what becomes of the next watches of Deployments, one after another
ENDS: list[dict[str, Any]] = [
    {"fault": "expire-watch", "count": 0},
    {"fault": "reset"},
    {"fault": "gone"},
    {"fault": "throttled", "seconds": 1},
    {"fault": "internal"},
    {"fault": "unavailable"},
    {"fault": "break-watch", "count": 1},
    {"fault": "expire-watch", "count": 1},
    # this one goes on in the end
    {"fault": "stall", "seconds": 1.5},
]


cluster = shared_cluster(options={"apiserver": ["--faults"]})


@pytest.fixture
def kube(cluster: EmbeddedCluster) -> Iterator[Kube]:
    declare_on(cluster, pool_document())
    drain()
    yield cluster.kube
    script(cluster)
    take_down("chat")


def edit(kube: Kube, kind: str, name: str, body: dict[str, Any]) -> None:
    """As somebody does by hand."""
    kube._call(
        "PATCH",
        kube.resources()[kind].path(NAMESPACE, name),
        {"fieldManager": "kubectl-edit"},
        body=body,
        content_type="application/merge-patch+json",
    )


def cache_is_true(kube: Kube) -> bool:
    """Whether the cache holds what the cluster has, object by object, at the same version."""
    there = {
        (kind, obj["metadata"]["name"], obj["metadata"]["uid"], int(obj["metadata"]["resourceVersion"]))
        for kind in KINDS
        for obj in kube.list(kube.resources()[kind], NAMESPACE, labels={POOL_UID: str(pool().uid)})
    }
    kept = CachedObject.objects.filter(kind__in=KINDS, namespace=NAMESPACE)
    return there == set(kept.values_list("kind", "name", "uid", "revision"))


def put_right(kube: Kube) -> bool:
    """Work on what is due once all news have come; whether the pool has then seen and healed everything."""
    known = cache_is_true(kube)
    worker.drain(2)
    return known and cache_is_true(kube) and condition("chat", "Synced")["status"] == "True"


def grace(kube: Kube) -> int:
    found = kube.get(kube.resource("Deployment", "apps"), "chat-h200", NAMESPACE)
    return int(found["spec"]["template"]["spec"]["terminationGracePeriodSeconds"])


def test_each_end_of_a_watch_is_got_over_and_what_happened_meanwhile_is_known(
    cluster: EmbeddedCluster, kube: Kube
) -> None:
    right = grace(kube)
    watched = {"verbs": ["watch"], "resources": ["deployments"]}
    script(cluster, *({**watched, **end} for end in ENDS))
    with run_informers():
        edits = iter(range(MOST_EDITS))
        while struck(cluster) < len(ENDS):
            # somebody edits while the watch goes wrong: some ends come with an event only
            number = next(edits)
            edit(kube, "Deployment.apps", "chat-h200", {"metadata": {"annotations": {"edited": str(number)}}})
            wait_until(lambda: cache_is_true(kube), message=f"edit {number} is known", step=0.1)
        wait_in_sync()
        edit(kube, "Deployment.apps", "chat-h200", GRACE_OF_5)
        wait_until(lambda: put_right(kube) and grace(kube) == right, message="drift is found and healed")


def test_events_that_come_twice_or_never_change_nothing_in_the_end(cluster: EmbeddedCluster, kube: Kube) -> None:
    right = grace(kube)
    dropping = {"verbs": ["watch"], "resources": ["poddisruptionbudgets"], "fault": "drop-events", "count": 2}
    doubling = {"verbs": ["watch"], "resources": ["deployments", "services"], "fault": "duplicate-events", "times": 0}
    script(cluster, dropping, {**doubling, "count": 50})
    # what a watch has kept from us is found by the next list of the kind
    with run_informers(LAMPLIGHT_INFORMERS_RELIST_SECONDS="2"):
        wait_in_sync()
        budget = kube.list(kube.resource("PodDisruptionBudget", "policy"), NAMESPACE)[0]["metadata"]["name"]
        edit(kube, "PodDisruptionBudget.policy", budget, {"metadata": {"labels": {"lamplight.dev/variant": "x"}}})
        kube.delete(kube.resource("Service"), "chat-engines", NAMESPACE)
        edit(kube, "Deployment.apps", "chat-h200", GRACE_OF_5)
        wait_until(lambda: put_right(kube) and grace(kube) == right, message="all three are healed")
        objects = cluster.objects(NAMESPACE)
        assert objects[f"PodDisruptionBudget/{budget}"]["metadata"]["labels"]["lamplight.dev/variant"] == "h200"
        assert "Service/chat-engines" in objects
        with counted_calls() as calls:
            worker.drain(2)
        assert writes(calls) == []


def test_an_event_that_a_watch_has_dropped_is_found_by_comparing_versions(cluster: EmbeddedCluster, kube: Kube) -> None:
    """Long before the kind is listed anew; and while nothing is amiss, that costs no call for any pool."""
    right = grace(kube)
    dropped = {"verbs": ["watch"], "resources": ["deployments"], "fault": "drop-events", "count": 1}
    script(cluster, dropped, {**dropped, "resources": ["services"]})
    with run_informers(LAMPLIGHT_INFORMERS_CHECK_SECONDS="1"):
        wait_in_sync()
        edit(kube, "Deployment.apps", "chat-h200", GRACE_OF_5)
        kube.delete(kube.resource("Service"), "chat-engines", NAMESPACE)
        wait_until(lambda: put_right(kube) and grace(kube) == right, message="both are found and healed")
        assert "Service/chat-engines" in cluster.objects(NAMESPACE)
        with counted_calls() as calls:
            worker.drain(2)
        assert calls == []
