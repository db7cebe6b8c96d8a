"""A pool's whole life on a cluster with controllers, scheduler and kubelet: pods run, scale, roll, fail, go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from apps.audit.models import Event
from apps.pools import services
from apps.pools.domain.tiers.plan import Stands, Tier, TierPlan
from tests.support.cluster import EmbeddedCluster, shared_cluster
from tests.support.pods import is_ready
from tests.support.pools import (
    complete,
    condition,
    declare,
    declare_on,
    drain,
    drain_until,
    healthy,
    pool,
    pool_document,
    take_down,
    variant_document,
)

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(400)]
NAMESPACE = "serving"


cluster = shared_cluster(nodes=True)


@pytest.fixture
def declared(cluster: EmbeddedCluster) -> Iterator[None]:
    declare_on(cluster, pool_document())
    yield
    take_down("chat")


def pods(cluster: EmbeddedCluster, component: str = "engine") -> dict[str, Any]:
    kube = cluster.kube
    labels = {"lamplight.dev/pool": "chat", "app.kubernetes.io/component": component}
    return {p["metadata"]["name"]: p for p in kube.list(kube.resource("Pod"), NAMESPACE, labels=labels)}


@pytest.mark.usefixtures("declared")
def test_from_declaration_to_answers_and_back_to_nothing(cluster: EmbeddedCluster) -> None:
    drain_until(lambda: healthy(desired=2, ready=2, starting=0), message="two replicas serve")
    assert condition("chat", "Ready")["reason"] == "AllReplicasReady"
    assert len(pods(cluster)) == 2
    answer = complete(pool().status["endpoint"])
    assert answer["usage"]["completion_tokens"] == 3

    services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", 3, "person")], actor="user:1")
    before = set(pods(cluster))
    drain_until(lambda: healthy(desired=3, ready=3), message="a third replica serves")
    assert before < set(pods(cluster)), "scaling restarts nothing"

    declare(pool_document(engine={"args": ["--max-model-len=8192"]}))
    drain_until(lambda: healthy(desired=3, ready=3), message="the new argument is rolled out")
    rolled = {name: p for name, p in pods(cluster).items() if not p["metadata"].get("deletionTimestamp")}
    assert not before & set(rolled)
    assert all("--max-model-len=8192" in p["spec"]["containers"][0]["args"] for p in rolled.values())

    take_down("chat")
    assert cluster.objects(NAMESPACE) == {}
    kube = cluster.kube
    assert kube.list(kube.resource("Pod"), NAMESPACE) == []
    assert kube.list(kube.resource("ReplicaSet", "apps"), NAMESPACE) == []
    assert kube.get(kube.resource("Namespace"), NAMESPACE)["status"]["phase"] == "Active"


@pytest.mark.usefixtures("declared")
def test_a_replica_on_trial_is_counted_among_those_wanted_as_among_those_ready(cluster: EmbeddedCluster) -> None:
    declare(pool_document(offload={"mode": "auto", "tiers": [{"kind": "host", "bytes": "1Gi"}]}))
    drain_until(lambda: healthy(desired=2, ready=2, starting=0), message="two replicas serve")

    def tiers(canary: str | None) -> None:
        plan = TierPlan(tiers=(Tier("host", 2**30),), canary=canary, source="test", reason="tried")
        services.set_tier_plan(pool=pool(), plan=plan, actor="system:test", generation=pool().generation)

    tiers("h200")
    drain_until(lambda: healthy(desired=3, ready=3), message="a third one is tried beside them")
    assert pool().status["variants"][0]["onTrial"] == 1
    assert condition("chat", "Ready")["message"] == "all 3 replicas are ready"
    assert len(pods(cluster)) == 3, "routers find it by the same labels"

    tiers(None)
    drain_until(lambda: healthy(desired=2, ready=2, starting=0), message="all have the tiers and none is on trial")
    assert "onTrial" not in pool().status["variants"][0]
    assert condition("chat", "Ready")["message"] == "all 2 replicas are ready"


@pytest.mark.usefixtures("declared")
def test_a_replica_on_trial_in_the_place_of_one_stays_when_it_is_kept_and_gives_its_place_back_when_not(
    cluster: EmbeddedCluster,
) -> None:
    offload = {"mode": "auto", "tiers": [{"kind": "host", "bytes": "1Gi"}]}
    declare(pool_document(offload=offload, variants=[variant_document(replicas={"min": 1, "max": 3})]))

    def scale(replicas: int) -> None:
        services.set_replica_targets(pool=pool(), wanted=[services.Wanted("h200", replicas, "person")], actor="user:1")

    scale(2)
    drain_until(lambda: healthy(desired=2, ready=2, starting=0), message="two replicas serve")

    def tiers(stands: Stands | None) -> None:
        canary = "h200" if stands is not None else None
        plan = TierPlan(
            tiers=(Tier("host", 2**30),) if stands else (), canary=canary, stands=stands or "beside", source="test"
        )
        services.set_tier_plan(pool=pool(), plan=plan, actor="system:test", generation=pool().generation)

    def running() -> dict[str, bool]:
        """Living pods, and whether they have a tier."""
        return {
            name: any("OffloadingConnector" in arg for arg in pod["spec"]["containers"][0]["args"])
            for name, pod in pods(cluster).items()
            if not pod["metadata"].get("deletionTimestamp")
        }

    def settled(*, with_: int, without: int) -> bool:
        found = list(running().values())
        return (found.count(True), found.count(False)) == (with_, without) and healthy(desired=2, ready=2, starting=0)

    first = set(running())
    tiers("instead")
    drain_until(lambda: settled(with_=1, without=1), message="one of two has made room for the one on trial")
    tried = {name for name, has in running().items() if has}
    assert first & set(running()), "the other one was not begun anew"

    tiers("kept")
    drain_until(lambda: settled(with_=2, without=0), message="both have the tiers")
    assert tried <= set(running()), "the one that was tried goes on"

    scale(1)
    drain_until(lambda: healthy(desired=1, ready=1, starting=0), message="one alone needs no canary")
    scale(2)
    drain_until(lambda: settled(with_=2, without=0), message="two again, with the tiers")

    tiers(None)
    drain_until(lambda: settled(with_=0, without=2), message="none has them")


@pytest.mark.usefixtures("declared")
def test_of_two_replicas_one_of_which_was_a_canary_one_serves_while_a_spec_rolls(cluster: EmbeddedCluster) -> None:
    def declared_with(*args: str) -> None:
        declare(
            pool_document(
                offload={"mode": "auto", "tiers": [{"kind": "host", "bytes": "1Gi"}]},
                variants=[variant_document(replicas={"min": 2, "max": 2})],
                rollout={"maxSurge": 0, "maxUnavailable": 1},
                engine={"args": list(args)},
            )
        )

    declared_with("--max-num-seqs=8")
    plan = TierPlan(tiers=(Tier("host", 2**30),), canary="h200", stands="kept", source="test")
    services.set_tier_plan(pool=pool(), plan=plan, actor="system:test", generation=pool().generation)
    least = 2

    def serving(flag: str) -> bool:
        nonlocal least
        living = [pod for pod in pods(cluster).values() if not pod["metadata"].get("deletionTimestamp")]
        ready = [pod for pod in living if is_ready(pod)]
        least = min(least, len(ready))
        has = [flag in pod["spec"]["containers"][0]["args"] for pod in ready]
        return len(living) == 2 and has == [True, True] and healthy(desired=2, ready=2, starting=0)

    drain_until(lambda: serving("--max-num-seqs=8"), message="two replicas serve, one of them a canary that was kept")
    least = 2
    declared_with("--max-num-seqs=16")
    drain_until(lambda: serving("--max-num-seqs=16"), message="both have the new arguments")
    assert least == 1, "one of them at a time"


@pytest.mark.usefixtures("declared")
def test_more_than_there_is_stays_pending_with_the_scheduler_s_own_reason() -> None:
    declare(pool_document(variants=[variant_document(parallelism={"tensor": 8}, replicas={"min": 3, "max": 3})]))
    drain_until(lambda: condition("chat", "Healthy")["reason"] == "Unschedulable", message="no room is said")
    assert "Insufficient nvidia.com/gpu" in condition("chat", "Ready")["message"]
    assert pool().status["health"] == "Progressing"
    assert Event.objects.filter(reason="Unschedulable", type="Warning").exists()


@pytest.mark.usefixtures("declared")
def test_an_image_that_is_not_there_is_said_and_the_running_replicas_stay(cluster: EmbeddedCluster) -> None:
    drain_until(lambda: healthy(desired=2, ready=2), message="two replicas serve")
    running = set(pods(cluster))
    declare(pool_document(engine={"image": "nobody/nothing:v0.33.0"}))
    drain_until(lambda: pool().status["health"] == "Degraded", message="the bad image is said")
    assert condition("chat", "Healthy")["reason"] in ("ErrImagePull", "ImagePullBackOff")
    assert "nobody/nothing" in condition("chat", "Ready")["message"]
    assert pool().status["replicas"]["ready"] == 2
    assert running <= set(pods(cluster))


@pytest.mark.usefixtures("declared")
def test_a_crashing_engine_is_said_with_its_last_words() -> None:
    declare(pool_document(engine={"args": ["--max-model-len=999999999"]}))

    def said() -> bool:
        found = condition("chat", "Healthy")
        return found["reason"] in ("CrashLoopBackOff", "Error") and "it last said" in found["message"]

    drain_until(said, message="the crash is said")
    assert pool().status["health"] == "Degraded"


@pytest.mark.usefixtures("declared")
def test_killed_processes_of_the_cluster_come_back_and_so_does_the_pool(cluster: EmbeddedCluster) -> None:
    drain_until(lambda: healthy(desired=2, ready=2), message="two replicas serve")
    for name in ("kubelet", "controllers", "apiserver"):
        cluster.kill(name)
    drain()
    assert condition("chat", "Ready")["reason"] == "ClusterUnreachable"
    for name in ("apiserver", "controllers", "kubelet"):
        cluster.start(name)

    def restarted() -> bool:
        return healthy(desired=2, ready=2) and all(
            p["status"]["containerStatuses"][0]["restartCount"] >= 1 for p in pods(cluster).values()
        )

    drain_until(restarted, message="the same pods serve again, restarted")
