"""The host tier takes what its node has left: beside other pods, the engines themselves, and weights that sleep."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.pools.domain.tiers.budget import NodeMemory, host_budget, node_memories
from tests.unit.offload.pools import GIB

sizes = st.integers(0, 4096).map(lambda gib: gib * GIB)


def pod(node: str, memory: str, *, pool: str = "", phase: str = "Running", component: str = "engine") -> dict[str, Any]:
    labels = {"lamplight.dev/pool-uid": pool, "app.kubernetes.io/component": component} if pool else {}
    container = {"resources": {"requests": {"memory": memory}}}
    return {
        "metadata": {"name": "p", "labels": labels},
        "spec": {"nodeName": node, "containers": [container]},
        "status": {"phase": phase},
    }


def node(name: str, memory: str, *, gpus: str = "8", product: str = "NVIDIA-H200") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"nvidia.com/gpu.product": product}},
        "status": {"allocatable": {"memory": memory, "nvidia.com/gpu": gpus}},
    }


def test_what_others_on_the_node_ask_for_is_counted_and_the_pools_own_engines_are_not() -> None:
    found = node_memories(
        [
            node("a", "2000Gi"),
            node("b", "500Gi"),
            node("c", "900Gi", product="NVIDIA-A100"),
            node("d", "9Gi", gpus="0"),
        ],
        [
            pod("a", "64Gi", pool="me"),
            pod("a", "64Gi", pool="me"),
            pod("a", "2Gi", pool="me", component="kv-evictor"),
            pod("a", "500Gi", pool="other"),
            pod("a", "100Gi"),
            pod("a", "100Gi", phase="Succeeded"),
            pod("b", "100Gi"),
        ],
        pool="me",
        resource="nvidia.com/gpu",
        selector={"nvidia.com/gpu.product": "NVIDIA-H200"},
    )
    assert found == (
        NodeMemory("a", 2000 * GIB, 602 * GIB, 2),
        NodeMemory("b", 500 * GIB, 100 * GIB, 0),
    )
    # where its engines run counts: (1900 - 602) / 2 - 64
    assert host_budget(declared=9999 * GIB, nodes=found, engine_memory=64 * GIB).bytes == 585 * GIB
    asleep = host_budget(declared=9999 * GIB, nodes=found, engine_memory=64 * GIB, slept=16 * GIB)
    assert asleep.bytes == 569 * GIB
    assert "others ask for 602 GiB" in asleep.why
    assert "16 GiB for its weights while it sleeps" in asleep.why


@pytest.mark.parametrize(("nodes", "left"), [((), 128), ((NodeMemory("a", 100 * GIB, 0, 0),), 31)])
def test_what_nobody_knows_does_not_hold_back_and_a_small_node_does(nodes: tuple[NodeMemory, ...], left: int) -> None:
    assert host_budget(declared=128 * GIB, nodes=nodes, engine_memory=64 * GIB).bytes == left * GIB


@given(st.lists(st.tuples(sizes, sizes, st.integers(0, 8)), max_size=4), sizes, sizes, sizes)
def test_never_more_than_declared_nor_than_fits(
    rows: list[tuple[int, int, int]], declared: int, engine: int, slept: int
) -> None:
    nodes = [NodeMemory(f"n{i}", has, others, engines) for i, (has, others, engines) in enumerate(rows)]
    budget = host_budget(declared=declared, nodes=nodes, engine_memory=engine, slept=slept)
    assert 0 <= budget.bytes <= declared
    for one in nodes:
        if one.engines and budget.bytes:
            assert one.others + one.engines * (engine + slept + budget.bytes) <= one.allocatable
