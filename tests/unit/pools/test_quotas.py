"""What a namespace's quotas and queues leave room for."""

from __future__ import annotations

from typing import Any

import pytest

from apps.catalog.domain.dialects import dialect
from apps.pools.domain.paths import render
from apps.pools.domain.quotas import added_by, queue_faults, quota_faults
from apps.pools.domain.spec import PoolSpec
from tests.unit.pools.paths import inputs_for, model_of, path_document
from tests.unit.pools.rendering import POOL


def workload(path: str, name: str) -> dict[str, Any]:
    spec = PoolSpec.from_document(path_document(path))
    objects = render(POOL, spec, model_of(spec), inputs_for(spec), dialect("current"))
    return next(o for o in objects if f"{o['kind']}/{o['metadata']['name']}" == name)


def quota(hard: dict[str, str], used: dict[str, str], **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "team"}, "spec": {"hard": hard, **spec}, "status": {"hard": hard, "used": used}}


def test_a_replica_takes_all_of_its_pods() -> None:
    one = added_by(workload("optimized-baseline", "Deployment/chat-h200"), 2)
    assert (one["pods"], one["requests.nvidia.com/gpu"], one["requests.cpu"], one["cpu"]) == (2, 2, 16, 16)
    group = added_by(workload("wide-ep", "LeaderWorkerSet/chat-decode"), 1)
    # two pods of four accelerators, each with a routing sidecar of half a core
    assert (group["pods"], group["requests.nvidia.com/gpu"], group["requests.cpu"]) == (2, 8, 17)
    assert added_by(workload("optimized-baseline", "Deployment/chat-h200"), -1) == {}


@pytest.mark.parametrize(
    ("hard", "used", "said"),
    [
        (
            {"requests.nvidia.com/gpu": "8"},
            {"requests.nvidia.com/gpu": "7"},
            "leaves 1 of requests.nvidia.com/gpu, and 2",
        ),
        ({"requests.nvidia.com/gpu": "8"}, {"requests.nvidia.com/gpu": "6"}, ""),
        (
            {"requests.memory": "200Gi"},
            {"requests.memory": "100Gi"},
            "leaves 100.0 GiB of requests.memory, and 128.0 GiB",
        ),
        ({"pods": "5"}, {"pods": "4"}, "leaves 1 of pods"),
        ({"count/secrets": "0"}, {}, ""),
    ],
)
def test_what_a_quota_does_not_leave_room_for(hard: dict[str, str], used: dict[str, str], said: str) -> None:
    added = added_by(workload("optimized-baseline", "Deployment/chat-h200"), 2)
    found = quota_faults(added, [quota(hard, used)], "serving")
    assert (said in found[0] if said else not found) or found
    assert bool(found) is bool(said)


def test_a_quota_with_a_scope_is_about_some_pods_only() -> None:
    added = added_by(workload("optimized-baseline", "Deployment/chat-h200"), 2)
    assert quota_faults(added, [quota({"pods": "1"}, {"pods": "1"}, scopes=["BestEffort"])], "serving") == []


def test_queues() -> None:
    one = path_document("optimized-baseline")
    one["variants"] = [{**one["variants"][0], "queue": "team-a"}]
    spec = PoolSpec.from_document(one)
    there = {"metadata": {"name": "team-a"}, "status": {"conditions": [{"type": "Active", "status": "True"}]}}
    stopped = {"type": "Active", "status": "False", "message": "Can't submit new workloads to clusterQueue"}
    assert queue_faults(spec, [there]) == []
    assert "install Kueue" in queue_faults(spec, None)[0]
    assert "has no such LocalQueue (it has none)" in queue_faults(spec, [])[0]
    assert "Can't submit" in queue_faults(spec, [{**there, "status": {"conditions": [stopped]}}])[0]
    assert queue_faults(PoolSpec.from_document(path_document("optimized-baseline")), None) == []
