"""Placing pods: nothing is overbooked, and an explanation names every node."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.embedded.domain.quantity import parse_quantity
from apps.embedded.scheduler.domain.fit import NodeState, place
from apps.embedded.scheduler.domain.resources import pod_requests
from tests.unit.embedded_nodes.builders import node, pod

GPU = "nvidia.com/gpu"


def gpu_pod(name: str, count: int, **spec: object) -> dict:
    found = pod(name, node=None)
    found["spec"]["containers"][0]["resources"] = {"limits": {GPU: str(count)}}
    found["spec"] |= spec
    return found


def gpu_node(name: str, count: int = 8, **labels: str) -> dict:
    return node(name, labels, **{"nvidia.com__gpu": str(count)})


def test_more_than_any_node_has_is_said_as_the_scheduler_says_it() -> None:
    states = [NodeState(gpu_node(f"n{index}")) for index in range(4)]
    assert place(gpu_pod("big", 9), states).message == (
        "0/4 nodes are available: 4 Insufficient nvidia.com/gpu. no new claims to deallocate, "
        "preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
    )


def test_used_up_accelerators_could_be_freed() -> None:
    states = [NodeState(gpu_node("n1"), [gpu_pod("a", 6)]), NodeState(node("cpu"))]
    message = place(gpu_pod("b", 4), states).message
    assert message.startswith("0/2 nodes are available: 2 Insufficient nvidia.com/gpu.")
    assert message.endswith(
        "1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling."
    )


def test_every_reason_is_counted_and_sorted() -> None:
    tainted = gpu_node("t")
    tainted["spec"]["taints"] = [{"key": "team", "value": "x", "effect": "NoSchedule"}]
    cordoned = gpu_node("c")
    cordoned["spec"]["unschedulable"] = True
    states = [NodeState(tainted), NodeState(cordoned), NodeState(gpu_node("z", zone="b"))]
    message = place(gpu_pod("p", 1, nodeSelector={"zone": "a"}), states).message
    assert message.startswith(
        "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
        "1 node(s) had untolerated taint {team: x}, 1 node(s) were unschedulable."
    )


def test_no_nodes() -> None:
    assert place(gpu_pod("p", 1), []).message == "no nodes available to schedule pods"


@pytest.mark.parametrize(
    ("toleration", "fits"),
    [
        ({"key": "team", "operator": "Exists"}, True),
        ({"operator": "Exists"}, True),
        ({"key": "team", "value": "x", "effect": "NoSchedule"}, True),
        ({"key": "team", "value": "y"}, False),
        ({"key": "team", "value": "x", "effect": "NoExecute"}, False),
    ],
)
def test_tolerations(toleration: dict, fits: bool) -> None:
    tainted = gpu_node("t")
    tainted["spec"]["taints"] = [{"key": "team", "value": "x", "effect": "NoSchedule"}]
    assert (place(gpu_pod("p", 1, tolerations=[toleration]), [NodeState(tainted)]).node == "t") is fits


def test_required_affinity_and_preferred_affinity() -> None:
    states = [NodeState(gpu_node(name, zone=name)) for name in "abc"]
    required = {
        "requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]}]
        }
    }
    preferred = {
        "preferredDuringSchedulingIgnoredDuringExecution": [
            {"weight": 5, "preference": {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["c"]}]}}
        ]
    }
    assert place(gpu_pod("p", 1, affinity={"nodeAffinity": required}), states).node == "b"
    assert place(gpu_pod("p", 1, affinity={"nodeAffinity": preferred}), states).node == "c"


def test_pods_without_accelerators_leave_accelerator_nodes_alone() -> None:
    assert place(pod("p", node=None, cpu="1"), [NodeState(gpu_node("a")), NodeState(node("z"))]).node == "z"


def test_host_ports_clash() -> None:
    def with_port(name: str) -> dict:
        found = pod(name, node=None)
        found["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 80}]
        return found

    found = place(with_port("b"), [NodeState(node("n"), [with_port("a")])])
    assert "free ports" in found.message


def test_replicas_spread_over_nodes() -> None:
    owner = [{"kind": "ReplicaSet", "name": "web", "uid": "rs", "controller": True}]
    first, second = gpu_pod("a", 1), gpu_pod("b", 1)
    first["metadata"]["ownerReferences"] = second["metadata"]["ownerReferences"] = owner
    states = [NodeState(gpu_node("n1"), [first]), NodeState(gpu_node("n2"), [gpu_pod("other", 4)])]
    assert place(second, states).node == "n2"


def test_init_containers_count_only_as_far_as_they_need_more_and_sidecars_always() -> None:
    found = pod("p", cpu="1")
    found["spec"]["initContainers"] = [
        {"name": "side", "restartPolicy": "Always", "resources": {"requests": {"cpu": "500m"}}},
        {"name": "init", "resources": {"requests": {"cpu": "2"}}},
    ]
    assert pod_requests(found)["cpu"] == Decimal("2.5")
    found["spec"]["initContainers"][1]["resources"]["requests"]["cpu"] = "100m"
    assert pod_requests(found)["cpu"] == Decimal("1.5")


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=30),
    nodes=st.lists(st.integers(0, 8), min_size=1, max_size=5),
)
def test_no_node_is_ever_overbooked_and_nobody_waits_beside_room(sizes: list[int], nodes: list[int]) -> None:
    states = [NodeState(gpu_node(f"n{index}", count)) for index, count in enumerate(nodes)]
    by_name = {state.name: state for state in states}
    for index, size in enumerate(sizes):
        wanted = gpu_pod(f"p{index}", size)
        free = [state.free_of[GPU] - state.used.get(GPU, 0) for state in states]
        placement = place(wanted, states)
        if placement.node is None:
            assert all(left < size for left in free)
            assert re.match(rf"0/{len(nodes)} nodes are available: ", placement.message)
        else:
            by_name[placement.node].assume(wanted)
    assert all(state.used.get(GPU, 0) <= state.free_of[GPU] for state in states)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("500m", "0.5"),
        ("64Gi", str(64 * 2**30)),
        ("1.5e3", "1500"),
        ("2E", str(2 * 10**18)),
        (8, "8"),
        ("0.5Ki", "512"),
    ],
)
def test_quantities(text: str, value: str) -> None:
    assert parse_quantity(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "1 Gi", "GiB", "1ki", "1Mib", "--1", "1i"])
def test_what_is_not_a_quantity_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(ValueError, match="suffix such as"):
        parse_quantity(text)
