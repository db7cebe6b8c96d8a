"""Pools that take turns on accelerators: what is rendered, what a plan says, and what cannot share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.domain.dialects import dialect
from apps.core.domain.refusals import Invalid
from apps.pools.domain.cost import cost_delta
from apps.pools.domain.invariants import Question
from apps.pools.domain.manifests import PlanRefused
from apps.pools.domain.path_settings import FlowControl
from apps.pools.domain.paths import render
from apps.pools.domain.paths.holding import HELD_LONG_ENOUGH, hold_seconds, nobody_holds, turn_seconds
from apps.pools.domain.pods import place_of
from apps.pools.domain.sharing import (
    MOST_SHARERS,
    Hosts,
    Sharer,
    faults_of_group,
    fitting,
    may_stand,
    set_names,
    shared_claim,
    sharing_sentence,
)
from apps.pools.domain.spec import Autoscaling, PoolSpec
from apps.pools.domain.turns import SLICE
from apps.pools.domain.warnings import Surroundings, warnings_of
from tests.unit.pools import rendering

SHARED = {"mode": "active", "idle": "standby", "standby": "shared", "group": "evening"}
RESERVED = {"standby": "reserved", "group": None}
GIB = 2**30


def spec_of(variant: dict[str, Any] | None = None, *, sets: int = 1, **more: Any) -> PoolSpec:
    one = {"replicas": {"min": 0, "max": 1}, "resources": {"memory": "64Gi"}, **(variant or {})}
    return rendering.spec_of(variants=[rendering.variant(**one)], autoscaling={**SHARED, "sets": sets}, **more)


def faults(mine: PoolSpec, *others: PoolSpec, memory: int | None = None) -> list[str]:
    named = [Sharer(f"pool-{i}", spec) for i, spec in enumerate(others)]
    hosts = Hosts(1, 8, memory) if memory is not None else None
    return [sentence for _, sentence in faults_of_group(Sharer("mine", mine), named, hosts)]


def test_engines_name_the_claim_of_the_group_instead_of_asking_for_themselves() -> None:
    spec = spec_of()
    inputs = rendering.inputs_of(spec)
    inputs = replace(inputs, kinds=inputs.kinds | {"ResourceClaim.resource.k8s.io"})
    objects = render(rendering.POOL, spec, rendering.MODEL, inputs, dialect("current"))
    (deployment,) = [
        o for o in objects if o["kind"] == "Deployment" and "lamplight.dev/variant" in o["metadata"]["labels"]
    ]
    pod = deployment["spec"]["template"]
    claim = shared_claim(rendering.POOL.team, spec, "gpu.nvidia.com")
    assert claim["spec"]["devices"]["requests"][0]["exactly"]["count"] == 1
    name = claim["metadata"]["name"]
    assert pod["spec"]["resourceClaims"] == [{"name": "accelerators", "resourceClaimName": name}]
    resources = pod["spec"]["containers"][0]["resources"]
    assert resources["claims"] == [{"name": "accelerators"}]
    assert "nvidia.com/gpu" not in {**resources["requests"], **resources["limits"]}
    assert resources["requests"]["memory"] == "64Gi", "host memory is counted for each"
    assert pod["metadata"]["labels"]["lamplight.dev/shares"] == name
    assert "--enable-sleep-mode" in pod["spec"]["containers"][0]["args"]
    bare = replace(inputs, kinds=inputs.kinds - {"ResourceClaim.resource.k8s.io"})
    with pytest.raises(PlanRefused, match="enable dynamic resource allocation"):
        render(rendering.POOL, spec, rendering.MODEL, bare, dialect("current"))


def test_a_pool_has_an_engine_on_each_set_of_its_group_and_only_the_first_is_the_variants_own() -> None:
    spec = spec_of(sets=3)
    inputs = rendering.inputs_of(spec)
    inputs = replace(inputs, kinds=inputs.kinds | {"ResourceClaim.resource.k8s.io"})
    objects = render(rendering.POOL, spec, rendering.MODEL, inputs, dialect("current"))
    found = {
        o["metadata"]["name"]: o
        for o in objects
        if o["kind"] == "Deployment" and o["metadata"]["labels"]["app.kubernetes.io/component"] == "engine"
    }
    assert tuple(found) == set_names(rendering.POOL.name, spec)
    claims = [shared_claim(rendering.POOL.team, spec, "gpu.nvidia.com", at)["metadata"]["name"] for at in range(3)]
    assert len(set(claims)) == 3
    for at, (deployment, claim) in enumerate(zip(found.values(), claims, strict=True)):
        pod = deployment["spec"]["template"]
        labels = pod["metadata"]["labels"]
        assert pod["spec"]["resourceClaims"][0]["resourceClaimName"] == claim
        assert labels["lamplight.dev/shares"] == deployment["metadata"]["labels"]["lamplight.dev/shares"] == claim
        assert labels["lamplight.dev/variant"] == spec.variants[0].name, "routers and telemetry take all of them"
        assert ("lamplight.dev/variant" in deployment["metadata"]["labels"]) is (at == 0)
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert place_of(labels) == place_of(deployment["metadata"]["labels"]) == at
    first, second, _ = found.values()
    assert (
        not second["spec"]["selector"]["matchLabels"].items() <= first["spec"]["template"]["metadata"]["labels"].items()
    )
    (single,) = [o for o in rendered(spec_of()) if o["kind"] == "Deployment" and o["metadata"]["name"] in found]
    assert single["spec"] == first["spec"], "a set more starts nothing anew"


def rendered(spec: PoolSpec) -> tuple[Any, ...]:
    inputs = rendering.inputs_of(spec)
    inputs = replace(inputs, kinds=inputs.kinds | {"ResourceClaim.resource.k8s.io"})
    return render(rendering.POOL, spec, rendering.MODEL, inputs, dialect("current"))


def test_what_shares_with_what_is_said() -> None:
    mine = Sharer("chat", spec_of())
    assert "chat takes turns with assist and code on the same 1 nvidia-h200" in sharing_sentence(
        mine, ["code", "assist"]
    )
    assert "alone" in sharing_sentence(mine, [])
    several = sharing_sentence(Sharer("chat", spec_of(sets=2)), ["code"])
    assert "takes turns with code on the same 2 sets of 1 nvidia-h200; at most one is awake on each set" in several


@pytest.mark.parametrize(
    ("variant", "more", "mend"),
    [
        ({"replicas": {"min": 0, "max": 2}}, {}, "set replicas to {min: 0, max: 1}"),
        ({"replicas": {"min": 1, "max": 1}}, {}, "set replicas to {min: 0, max: 1}"),
        ({"devices": "claim"}, {}, "leave devices out"),
        ({}, {"rollout": {"maxSurge": 1}}, "set maxSurge to auto or 0"),
        ({"accelerator": "nvidia-h100"}, {}, "choose the same, or name another group"),
        ({"parallelism": {"tensor": 2}}, {}, "choose the same, or name another group"),
        ({"capacityType": "spot"}, {}, "choose the same, or name another group"),
    ],
)
def test_what_cannot_share_is_refused_with_its_mend(variant: dict[str, Any], more: dict[str, Any], mend: str) -> None:
    assert faults(spec_of(), spec_of()) == []
    told = faults(spec_of(variant, **more), spec_of())
    assert any(mend in sentence for sentence in told), told


def test_the_weights_of_all_must_fit_the_memory_of_one_node() -> None:
    assert faults(spec_of(), spec_of(), memory=128 * GIB) == []
    assert faults(spec_of(), spec_of(), memory=None) == [], "nobody has looked"
    (told,) = faults(spec_of(), spec_of(), spec_of(), memory=128 * GIB)
    assert "needs 192Gi (mine 64Gi, pool-0 64Gi, pool-1 64Gi), and the biggest node with nvidia-h200 has 128Gi" in told


def test_as_many_replicas_as_sets_may_be_awake() -> None:
    assert faults(spec_of({"replicas": {"min": 0, "max": 2}}, sets=2)) == []
    (told,) = faults(spec_of({"replicas": {"min": 0, "max": 3}}, sets=2))
    assert "or a max of up to 2, one on each of its sets" in told


def test_the_sets_of_a_group_must_fit_the_nodes() -> None:
    """Three pools of 64Gi on each of two sets: 384Gi where both are on one node."""

    def told(sets: int, *hosts: int) -> list[tuple[str, str]]:
        others = [Sharer(name, spec_of(sets=sets)) for name in ("a", "b")]
        return faults_of_group(Sharer("c", spec_of(sets=sets)), others, Hosts(hosts[0], hosts[1], hosts[2] * GIB))

    assert told(2, 1, 8, 384) == []
    assert told(2, 2, 1, 192) == [], "each on a node of its own"
    ((at, said),) = told(2, 1, 8, 383)
    assert at == "/spec/autoscaling/sets"
    assert "needs 192Gi (a 64Gi, b 64Gi, c 64Gi) of one node's memory" in said
    assert "have room for 1 such sets, not 2" in said
    assert told(2, 1, 1, 384)[0][0] == "/spec/autoscaling/sets", "one accelerator is no two"
    assert told(1, 1, 1, 191)[0][0] == "/spec/variants/0/resources/memory"


@given(
    st.lists(st.integers(1, 300), min_size=1, max_size=8),
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(1, 16),
    st.integers(1, 800),
)
def test_no_node_ever_has_more_weights_asleep_than_memory(
    sizes: list[int], each: int, nodes: int, accelerators: int, memory: int
) -> None:
    """What fits is placed first fit, as the claims of the sets are: no more can be placed than fits by either sum."""
    sizes.sort(reverse=True)
    placed = fitting(sizes, each, Hosts(nodes, accelerators, memory))
    assert sum(sizes[:placed]) <= nodes * memory
    assert placed * each <= nodes * accelerators
    assert all(size <= memory for size in sizes[:placed])
    assert fitting(sizes, each, Hosts(nodes + 1, accelerators, memory)) >= placed
    # one node with all of it has room for as many as their sum says
    alone = fitting(sizes, 1, Hosts(1, len(sizes), memory))
    assert alone == max(count for count in range(len(sizes) + 1) if sum(sizes[:count]) <= memory)


def test_sets_belong_to_a_group() -> None:
    with pytest.raises(Invalid, match="sets is 2 and belongs to a group"):
        Autoscaling.from_document({"mode": "active", "idle": "standby", "sets": 2})


def test_shared_and_a_group_belong_together() -> None:
    for wrong in (
        {"standby": "shared"},
        {"group": "evening"},
        {"idle": "zero", "standby": "shared", "group": "evening"},
    ):
        with pytest.raises(Invalid):
            Autoscaling.from_document({"mode": "active", "idle": "standby", **wrong})


def test_without_the_turn_nothing_starts_and_what_starts_by_itself_goes() -> None:
    assert may_stand({"h200": 1}, {}, awake=True, known=True) == {"h200": 1}
    assert may_stand({"h200": 1}, {}, awake=False, known=True) == {"h200": 0}
    assert may_stand({"h200": 1}, {"h200": 1}, awake=False, known=True) == {"h200": 1}, "a sleeper stays"
    assert may_stand({"h200": 1}, {"h200": 1}, awake=False, known=False) == {"h200": 0}


def test_requests_are_held_for_longer_than_others_may_keep_the_turn() -> None:
    spec = spec_of()
    pair, most = turn_seconds(spec, 2), turn_seconds(spec)
    assert pair == SLICE + spec.rollout.shutdown_timeout.total_seconds() + 8
    assert most == (MOST_SHARERS - 1) * pair
    assert hold_seconds(None) < most < hold_seconds(None, most)
    assert hold_seconds(300.0, most) >= 300.0 + most
    alone = spec.model_copy(update={"autoscaling": Autoscaling()})
    assert turn_seconds(alone) == 0.0, "one that shares nothing waits for nobody"
    # a minute's start within a declared hold of two, and not with another pool's turn before it
    queue = spec.routing.model_copy(update={"flow_control": FlowControl.model_validate({"hold": "2m"})})
    inputs = replace(rendering.inputs_of(spec), start_up=60.0)
    held = [
        HELD_LONG_ENOUGH.broken(Question(each.model_copy(update={"routing": queue}), inputs=inputs))
        for each in (spec, spec.model_copy(update={"autoscaling": Autoscaling.model_validate({**SHARED, **RESERVED})}))
    ]
    assert held[0] is not None and "98 s for another pool's turn" in held[0] and "at least 173s" in held[0]
    assert held[1] is None


@pytest.mark.parametrize(
    ("routing", "said"),
    [
        ({}, ""),
        ({"picker": False}, "no endpoint picker"),
        ({"scheduler": {"kind": "EndpointPickerConfig"}}, "own routing.scheduler holds none"),
        ({"scheduler": {"kind": "EndpointPickerConfig", "featureGates": ["flowControl"]}}, ""),
    ],
)
def test_a_plan_warns_where_nobody_holds_what_comes_to_an_empty_pool(routing: dict[str, Any], said: str) -> None:
    spec = spec_of(routing=routing)
    told = [
        w.message for w in warnings_of(spec, (), cost_delta((), (), {}), Surroundings({})) if w.reason == "NobodyHolds"
    ]
    assert said in told[0] if said else not told
    never_empty = spec.model_copy(update={"variants": rendering.spec_of().variants})
    assert not nobody_holds(never_empty)
