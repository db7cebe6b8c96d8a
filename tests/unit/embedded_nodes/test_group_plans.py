"""LeaderWorkerSets of the embedded cluster: which pods come and go, in a little world that carries plans out."""

from __future__ import annotations

import copy
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.embedded.controllers.domain import groups

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def lws(replicas: int = 2, size: int = 2, image: str = "a", **rolling: int) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [{"name": "c", "image": image}]}}
    return {
        "metadata": {"name": "wide", "namespace": "serving", "uid": "set", "generation": 1},
        "spec": {
            "replicas": replicas,
            "rolloutStrategy": {"type": "RollingUpdate", "rollingUpdateConfiguration": rolling},
            "leaderWorkerTemplate": {"size": size, "workerTemplate": template},
        },
    }


class World:
    """Pods as a kubelet and a garbage collector would make of plans: a pod whose owner is gone goes too."""

    def __init__(self) -> None:
        self.pods: dict[str, dict[str, Any]] = {}
        self.made = 0

    def step(self, lws: dict[str, Any]) -> groups.GroupPlan:
        plan = groups.plan(lws, list(self.pods.values()), NOW)
        for pod in plan.create:
            self.made += 1
            name = pod["metadata"]["name"]
            assert name not in self.pods
            self.pods[name] = {**pod, "metadata": {**pod["metadata"], "uid": f"p{self.made}"}, "status": {}}
        for pod in plan.delete:
            self.pods.pop(pod["metadata"]["name"], None)
        uids = {"set"} | {pod["metadata"]["uid"] for pod in self.pods.values()}
        self.pods = {n: p for n, p in self.pods.items() if p["metadata"]["ownerReferences"][0]["uid"] in uids}
        return plan

    def ready(self, name: str) -> None:
        self.pods[name]["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}

    def settle(self, lws: dict[str, Any], turns: int = 60) -> dict[str, Any]:
        """Until nothing is left to do; the status then."""
        for _ in range(turns):
            plan = self.step(lws)
            status = groups.plan(lws, list(self.pods.values()), NOW).status
            if not plan.create and not plan.delete and all(p["status"] for p in self.pods.values()):
                return status
            for name in self.pods:
                self.ready(name)
        raise AssertionError("it never settles")


def test_a_group_is_a_leader_and_workers_that_know_each_other() -> None:
    world = World()
    status = world.settle(lws())
    assert sorted(world.pods) == ["wide-0", "wide-0-1", "wide-1", "wide-1-1"]
    worker = world.pods["wide-1-1"]
    env = {e["name"]: e["value"] for e in worker["spec"]["containers"][0]["env"]}
    assert env == {"LWS_LEADER_ADDRESS": "wide-1.wide.serving", "LWS_GROUP_SIZE": "2", "LWS_WORKER_INDEX": "1"}
    assert worker["metadata"]["ownerReferences"][0]["name"] == "wide-1"
    assert (status["replicas"], status["readyReplicas"], status["updatedReplicas"]) == (2, 2, 2)
    assert {c["type"]: c["status"] for c in status["conditions"]} == {
        "Available": "True", "Progressing": "False", "UpdateInProgress": "False",
    }  # fmt: skip


def test_a_group_dies_as_one() -> None:
    world = World()
    world.settle(lws())
    before = world.pods["wide-0"]["metadata"]["uid"]
    world.pods["wide-0-1"]["status"]["containerStatuses"] = [{"name": "c", "restartCount": 1}]
    world.settle(lws())
    assert world.pods["wide-0"]["metadata"]["uid"] != before
    assert len(world.pods) == 4


def test_a_partition_keeps_the_groups_below_it() -> None:
    world = World()
    world.settle(lws(replicas=3))
    world.settle(lws(replicas=3, image="b", partition=2, maxUnavailable=1))
    images = {n: p["spec"]["containers"][0]["image"] for n, p in world.pods.items()}
    assert images == {"wide-0": "a", "wide-0-1": "a", "wide-1": "a", "wide-1-1": "a", "wide-2": "b", "wide-2-1": "b"}


@given(
    before=st.integers(1, 4), after=st.integers(0, 4), size=st.integers(1, 3),
    surge=st.integers(0, 2), unavailable=st.integers(0, 2),
)  # fmt: skip
@settings(max_examples=60, deadline=None)
def test_a_new_template_reaches_every_group_and_enough_of_them_stay(
    before: int, after: int, size: int, surge: int, unavailable: int
) -> None:
    if surge == unavailable == 0:
        return  # the server refuses it: nothing could ever move
    world = World()
    world.settle(lws(before, size))
    target = lws(after, size, "b", maxSurge=surge, maxUnavailable=unavailable)
    for _ in range(80):
        plan = world.step(target)
        whole = [g for g in groups.groups_of(target, list(world.pods.values())).values() if g.ready]
        assert len(whole) >= min(before, after) - unavailable
        if not plan.create and not plan.delete and all(p["status"] for p in world.pods.values()):
            break
        waiting = sorted(name for name, pod in world.pods.items() if not pod["status"])
        for name in waiting[:1]:
            world.ready(name)
    assert len(world.pods) == after * size
    assert {p["spec"]["containers"][0]["image"] for p in world.pods.values()} <= {"b"}


def test_planning_changes_nothing_that_it_is_given() -> None:
    given_set, world = lws(), World()
    kept = copy.deepcopy(given_set)
    world.settle(given_set)
    assert given_set == kept
