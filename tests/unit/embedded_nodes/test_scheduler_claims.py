"""Pods that name one claim share its accelerators: counted once, on one node, free when the last of them is gone."""

from __future__ import annotations

from typing import Any

from apps.embedded.scheduler.domain.claimed import Claims, status_of
from apps.embedded.scheduler.domain.fit import NodeState, check
from tests.unit.embedded_nodes.test_scheduler_fit import gpu_node, gpu_pod


def claim(name: str, count: int) -> dict[str, Any]:
    exactly = {"deviceClassName": "gpu.nvidia.com", "allocationMode": "ExactCount", "count": count}
    return {
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"devices": {"requests": [{"name": "accelerators", "exactly": exactly}]}},
    }


def user(name: str, of: str, node: str | None = None) -> dict[str, Any]:
    pod = gpu_pod(name, 0, resourceClaims=[{"name": "accelerators", "resourceClaimName": of}])
    pod["metadata"] |= {"namespace": "default", "uid": f"uid-{name}"}
    return {**pod, "spec": {**pod["spec"], "nodeName": node}} if node else pod


def state(node: dict[str, Any], claims: Claims) -> NodeState:
    return NodeState(node, claims.counted(pod for pod in claims.pods if pod["spec"].get("nodeName")))


def test_a_claim_in_use_is_counted_once_and_its_pods_stay_together() -> None:
    first, second = user("a", "group", "node-1"), user("b", "group", "node-1")
    late, alone = user("c", "group"), user("d", "other")
    claims = Claims([claim("group", 6), claim("other", 4)], [first, second, late, alone])
    node = state(gpu_node("node-1", 8), claims)
    asking, at, waits = claims.asking(late)
    assert (at, waits) == ("node-1", "")
    assert check(asking, node) is None, "its accelerators are there already"
    asking, at, _ = claims.asking(alone)
    assert at is None
    misfit = check(asking, node)
    assert misfit is not None and misfit.reasons == ("Insufficient nvidia.com/gpu",)


def test_a_claim_that_nobody_made_is_waited_for() -> None:
    pod = user("a", "missing")
    assert Claims([], [pod]).asking(pod)[2] == 'waiting for resource claim "missing" to be created'


def test_the_status_tells_users_and_is_empty_without_them() -> None:
    held = claim("group", 2)
    told = status_of(held, Claims([held], [user("a", "group", "node-1"), user("b", "group")]))
    assert [row["pool"] for row in told["allocation"]["devices"]["results"]] == ["node-1", "node-1"]
    assert [row["name"] for row in told["reservedFor"]] == ["a"]
    assert status_of(held, Claims([held], [user("b", "group")])) == {}
