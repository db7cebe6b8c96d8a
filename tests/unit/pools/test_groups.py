"""Replicas that are groups of pods: counted whole, rolled out by groups, paused by a partition."""

from __future__ import annotations

from typing import Any

import pytest

from apps.catalog.domain.dialects import dialect
from apps.pools.domain import rollout
from apps.pools.domain.groups import ready_and_starting
from apps.pools.domain.health import rolled_out, stuck
from apps.pools.domain.manifests import declared_hash
from apps.pools.domain.paths import render
from apps.pools.domain.plan import plan, removal_stage
from apps.pools.domain.pods import Replica, read_pod
from apps.pools.domain.spec import PoolSpec
from tests.unit.pools.paths import inputs_for, model_of, path_document
from tests.unit.pools.rendering import POOL


def rendered(**inputs: Any) -> dict[str, Any]:
    spec = PoolSpec.from_document(path_document("wide-ep"))
    objects = render(POOL, spec, model_of(spec), inputs_for(spec, **inputs), dialect("current"))
    return {f"{o['kind']}/{o['metadata']['name']}": o for o in objects}


def pod(group: int, worker: int, *, ready: bool = True, going: bool = False, revision: str = "r1") -> Replica:
    prefix = "leaderworkerset.sigs.k8s.io"
    name = f"chat-decode-{group}" + (f"-{worker}" if worker else "")
    labels = {
        f"{prefix}/name": "chat-decode", f"{prefix}/group-index": str(group), f"{prefix}/worker-index": str(worker),
        f"{prefix}/template-revision-hash": revision, "lamplight.dev/variant": "decode",
    }  # fmt: skip
    metadata: dict[str, Any] = {"name": name, "labels": labels, "creationTimestamp": f"2026-01-01T00:00:0{group}Z"}
    if going:
        metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    status = {"conditions": [{"type": "Ready", "status": "True" if ready else "False"}]}
    return read_pod({"metadata": metadata, "status": status})


def test_a_group_counts_when_all_of_it_is_ready() -> None:
    live = rendered()["LeaderWorkerSet/chat-decode"]
    assert ready_and_starting(live, [pod(0, 0), pod(0, 1)]) == (1, 0)
    assert ready_and_starting(live, [pod(0, 0), pod(0, 1, ready=False), pod(1, 0)]) == (0, 2)
    assert ready_and_starting(live, [pod(0, 0), pod(0, 1), pod(1, 0, going=True), pod(1, 1, going=True)]) == (1, 0)


@pytest.mark.parametrize(
    ("status", "done"),
    [
        ({"observedGeneration": 2, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 2}, True),
        ({"replicas": 2, "readyReplicas": 2, "updatedReplicas": 2}, True),
        ({"observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 2}, False),
        ({"observedGeneration": 2, "replicas": 3, "readyReplicas": 3, "updatedReplicas": 2}, False),
        ({"observedGeneration": 2, "replicas": 2, "readyReplicas": 1, "updatedReplicas": 2}, False),
        ({}, False),
    ],
)
def test_rolled_out_by_the_groups_that_its_status_counts(status: dict[str, Any], done: bool) -> None:
    live = {**rendered()["LeaderWorkerSet/chat-decode"], "status": status}
    live["metadata"] = {**live["metadata"], "generation": 2}
    live["spec"] = {**live["spec"], "replicas": 2}
    assert rolled_out(live, 2) is done


def test_a_set_that_rests_is_not_stuck() -> None:
    resting = {"conditions": [{"type": "Progressing", "status": "False", "message": "Replicas are progressing"}]}
    assert stuck({**rendered()["LeaderWorkerSet/chat-decode"], "status": resting}) is None


def test_a_scaled_set_is_as_declared_and_a_changed_template_is_a_roll_out() -> None:
    objects = rendered()
    scaled = {**objects["LeaderWorkerSet/chat-decode"]}
    scaled["spec"] = {**scaled["spec"], "replicas": 7}
    live = [scaled if o["metadata"]["name"] == "chat-decode" and o["kind"] == scaled["kind"] else o
            for o in objects.values()]  # fmt: skip
    assert plan(tuple(objects.values()), live).writes == ()
    one = rollout.template_of(objects.values())
    changed = dict(scaled, spec={**scaled["spec"], "leaderWorkerTemplate": {"size": 2, "workerTemplate": {"spec": {}}}})
    assert one and one != rollout.template_of([*objects.values(), changed])


def test_the_newest_template_is_that_of_the_youngest_pod() -> None:
    live = rendered()["LeaderWorkerSet/chat-decode"]
    assert rollout.newest_template(live, (), [pod(0, 0), pod(1, 0, revision="r2")]) == "r2"
    assert rollout.newest_template(live, (), []) is None


def test_a_paused_set_keeps_its_groups_and_declares_the_same() -> None:
    going, paused = rendered(), rendered(paused=True)
    config = paused["LeaderWorkerSet/chat-decode"]["spec"]["rolloutStrategy"]["rollingUpdateConfiguration"]
    assert config["partition"] == paused["LeaderWorkerSet/chat-decode"]["spec"]["replicas"]
    for steered in (True, False):
        assert declared_hash(going.values(), steered=steered) == declared_hash(paused.values(), steered=steered)


def test_groups_go_with_the_engines() -> None:
    assert removal_stage(rendered()["LeaderWorkerSet/chat-decode"], "endpoint-picker") == 1
