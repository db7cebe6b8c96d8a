"""Pools that take turns on accelerators: what is rendered, what a plan says, and what cannot share."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from apps.catalog.domain.dialects import dialect
from apps.core.domain.refusals import Invalid
from apps.pools.domain.cost import cost_delta
from apps.pools.domain.invariants import Question
from apps.pools.domain.manifests import PlanRefused
from apps.pools.domain.path_settings import FlowControl
from apps.pools.domain.paths import render
from apps.pools.domain.paths.holding import HELD_LONG_ENOUGH, hold_seconds, nobody_holds, turn_seconds
from apps.pools.domain.sharing import MOST_SHARERS, Sharer, faults_of_group, may_stand, shared_claim, sharing_sentence
from apps.pools.domain.spec import Autoscaling, PoolSpec
from apps.pools.domain.turns import SLICE
from apps.pools.domain.warnings import Surroundings, warnings_of
from tests.unit.pools import rendering

SHARED = {"mode": "active", "idle": "standby", "standby": "shared", "group": "evening"}
RESERVED = {"standby": "reserved", "group": None}
GIB = 2**30


def spec_of(variant: dict[str, Any] | None = None, **more: Any) -> PoolSpec:
    one = {"replicas": {"min": 0, "max": 1}, "resources": {"memory": "64Gi"}, **(variant or {})}
    return rendering.spec_of(variants=[rendering.variant(**one)], autoscaling=SHARED, **more)


def faults(mine: PoolSpec, *others: PoolSpec, memory: int | None = None) -> list[str]:
    named = [Sharer(f"pool-{i}", spec) for i, spec in enumerate(others)]
    return [sentence for _, sentence in faults_of_group(Sharer("mine", mine), named, memory)]


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


def test_what_shares_with_what_is_said() -> None:
    mine = Sharer("chat", spec_of())
    assert "chat takes turns with assist and code on the same 1 nvidia-h200" in sharing_sentence(
        mine, ["code", "assist"]
    )
    assert "alone" in sharing_sentence(mine, [])


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
