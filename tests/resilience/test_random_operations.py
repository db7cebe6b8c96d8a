"""Anything may happen to a pool in any order: it ends as one that was declared once and left in peace (the oracle)."""

from __future__ import annotations

import itertools
import json
from contextlib import suppress
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from apps.clusters.errors import KubeError
from apps.pools import services
from apps.pools.models import Pool, PoolRevision, ReplicaTarget
from apps.reconcile.models import QueueItem
from tests.support.cluster import EmbeddedCluster, shared_cluster
from tests.support.failpoints import killed_after, work_on
from tests.support.faults import script
from tests.support.pools import (
    counted_calls,
    declare,
    declare_on,
    delete,
    drain,
    drain_until,
    pool_document,
    variant_document,
    writes,
)

# HYPOTHESIS_PROFILE=search
SEARCHING = settings().max_examples > 100
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(3600 if SEARCHING else 400)]
FAULTS = ("conflict", "throttled", "internal", "forbidden", "admission", "terminating", "reset", "lost-answer")
_numbers = itertools.count()


cluster = shared_cluster(options={"apiserver": ["--faults"]})


class Operations(RuleBasedStateMachine):
    """One pool in a namespace of its own. What was asked of it is kept here, what became of it is in the cluster."""

    cluster: ClassVar[EmbeddedCluster]

    def __init__(self) -> None:
        super().__init__()
        self.name = f"r{next(_numbers)}"
        self.spec: dict[str, Any] | None = None
        self.history: list[dict[str, Any]] = []
        self.replicas: dict[str, int] = {}
        self.seen = 0
        self.edits = 0
        self.removed: set[str] = set()
        script(self.cluster)

    # --- what people do ---------------------------------------------------------------------------------------------
    @rule(
        length=st.sampled_from([4096, 8192]),
        picker=st.booleans(),
        both=st.booleans(),
        grace=st.sampled_from(["1s", "2s"]),
    )
    def declares(self, length: int, picker: bool, both: bool, grace: str) -> None:
        variants = [variant_document(), *([variant_document("more")] if both else [])]
        self.spec = {
            "namespace": self.name,
            "variants": variants,
            "engine": {"args": [f"--max-model-len={length}"]},
            "routing": {"picker": picker},
            "policies": {"apply": "automatic", "drift": "heal"},
            "rollout": {"drainDelay": "0s", "shutdownTimeout": grace},
        }
        pool = self.pool()
        if pool is not None and pool.deletion_requested_at is not None:
            drain_until(lambda: self.pool() is None, message="the one that goes is gone")
            pool = None
        declare(pool_document(self.name, **self.spec))
        if pool is None:
            self.history, self.replicas, self.seen, self.removed = [], {}, 0, set()
        now = self.pool()
        assert now is not None
        if not self.history or self.history[-1] != now.spec:
            self.history.append(now.spec)

    @precondition(lambda self: self.spec is not None)
    @rule(wanted=st.integers(2, 4))
    def scales(self, wanted: int) -> None:
        pool = self.pool()
        assert pool is not None
        services.set_replica_targets(pool=pool, wanted=[services.Wanted("h200", wanted, "person")], actor="user:1")
        self.replicas["h200"] = wanted

    @precondition(lambda self: self.spec is not None)
    @rule()
    def deletes(self) -> None:
        delete("Pool", self.name)
        self.spec = None

    # --- what happens to it -----------------------------------------------------------------------------------------
    @precondition(lambda self: self.spec is not None)
    @rule()
    def somebody_edits(self) -> None:
        """Each time somebody else: who edits again and again is left alone in the end. A fault may strike them too."""
        self.edits += 1
        kube = self.cluster.kube
        path = kube.resource("Deployment", "apps").path(self.name, f"{self.name}-h200")
        body = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 100 + self.edits}}}}
        with suppress(KubeError):
            kube._call(
                "PATCH", path, {"fieldManager": f"hand-{self.edits}"}, body=body,
                content_type="application/merge-patch+json",
            )  # fmt: skip

    @precondition(lambda self: self.spec is not None)
    @rule(which=st.sampled_from(["Service.", "PodDisruptionBudget.policy", "Deployment.apps"]))
    def somebody_deletes(self, which: str) -> None:
        """Each kind once: what is deleted again and again is made anew ever later."""
        if which in self.removed:
            return
        self.removed.add(which)
        kube = self.cluster.kube
        resource = kube.resources()[which]
        for obj in kube.list(resource, self.name)[:1]:
            with suppress(KubeError):
                kube.delete(resource, obj["metadata"]["name"], self.name)

    @rule(fault=st.sampled_from(FAULTS), skip=st.integers(0, 4))
    def the_server_fails(self, fault: str, skip: int) -> None:
        verbs = ["patch", "create", "update", "delete"]
        script(self.cluster, {"verbs": verbs, "namespace": self.name, "skip": skip, "fault": fault})

    @rule()
    def a_worker_works(self) -> None:
        drain()

    @rule(after=st.integers(0, 30))
    def a_worker_dies(self, after: int) -> None:
        pool = self.pool()
        if pool is not None:
            killed_after(work_on(pool.uid), after)
            past = "2000-01-01T00:00:00Z"
            QueueItem.objects.filter(uid=pool.uid).update(lease_until=past, due_at=past)

    # --- what must be so --------------------------------------------------------------------------------------------
    @invariant()
    def status_never_goes_back(self) -> None:
        pool = self.pool()
        if pool is not None:
            observed = pool.status.get("observedGeneration", 0)
            assert self.seen <= observed <= pool.generation
            self.seen = observed

    def teardown(self) -> None:
        script(self.cluster)
        if self.spec is None:
            drain_until(lambda: self.pool() is None, message="the pool is gone")
            assert self.objects(self.name) == {}, "and nothing of it is left"
            return
        drain_until(lambda: synced(self.name), message="the pool is as declared")
        history = PoolRevision.objects.filter(pool=self.pool()).order_by("generation").values_list("spec", flat=True)
        assert list(history) == self.history, "a history of exactly what was declared"
        with counted_calls() as calls:
            drain()
        assert writes(calls) == [], "and it stays so"
        oracle = f"{self.name}-oracle"
        declare(pool_document(oracle, **{**self.spec, "namespace": oracle}))
        for target in ReplicaTarget.objects.filter(pool=self.pool()):
            wanted = [services.Wanted(target.variant, target.desired, "person")]
            services.set_replica_targets(pool=Pool.objects.get(name=oracle), wanted=wanted, actor="user:1")
        drain_until(lambda: synced(oracle), message="the oracle is as declared")
        assert self.objects(self.name) == self.objects(oracle)
        for name in (self.name, oracle):
            delete("Pool", name)
        drain_until(lambda: not Pool.objects.filter(name__in=[self.name, oracle]).exists(), message="both are gone")

    def pool(self) -> Pool | None:
        return Pool.objects.filter(name=self.name).first()

    def objects(self, namespace: str) -> dict[str, Any]:
        """What is there, without what no two clusters have alike, under a name that both share."""
        found = {}
        for name, obj in self.cluster.objects(namespace).items():
            text = json.dumps({key: obj.get(key) for key in ("spec", "data", "rules", "roleRef", "subjects")})
            said = json.loads(text.replace(namespace, "NAME"))
            spec = said["spec"] or {}
            for key in ("clusterIP", "clusterIPs"):
                spec.pop(key, None)
            uid = (obj["metadata"].get("labels") or {}).get("lamplight.dev/pool-uid")
            owners = {e["manager"] for e in obj["metadata"]["managedFields"] if e["manager"].startswith("lamplight")}
            plain = json.loads(json.dumps(said).replace(str(uid), "UID"))
            found[name.replace(namespace, "NAME")] = (plain, sorted(owners))
        return found


def synced(name: str) -> bool:
    pool = Pool.objects.get(name=name)
    condition = pool.condition("Synced")
    fresh = pool.status.get("observedGeneration") == pool.generation
    return fresh and condition is not None and condition.status == "True"


def test_random_operations_end_as_the_serial_oracle(cluster: EmbeddedCluster) -> None:
    declare_on(cluster)
    drain()
    Operations.cluster = cluster
    run_state_machine_as_test(
        Operations,
        settings=settings(
            max_examples=50 if SEARCHING else 5,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
