"""The hash of a revision is of what was declared: what loops decide, measure or roll out leaves it alone."""

from __future__ import annotations

import dataclasses
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.domain.model import Shape
from apps.pools.desired import Declared, desired_of
from apps.pools.domain.rollout import template_of
from apps.pools.domain.spec import PoolSpec
from apps.pools.domain.tiers.plan import Tier, TierPlan, plan_of
from tests.unit.pools.rendering import EVERYTHING, MODEL, POOL, spec_of

GIB = 2**30
SHAPED = dataclasses.replace(MODEL, shape=Shape(layers=32, kv_heads=8, head_dim=128, heads=32, parameters=8 * 10**9))


def declared(spec: PoolSpec, **decided: Any) -> Declared:
    replicas = {v.name: v.replicas.min for v in spec.variants}
    tiers = plan_of(spec.offload, decided.pop("tiers", None))
    return Declared(
        **{"identity": POOL, "spec": spec, "model": SHAPED, "replicas": replicas, "dialect": "current", "tiers": tiers}
        | decided
    )


def hash_of(spec: PoolSpec, **decided: Any) -> str:
    return desired_of(declared(spec, **decided), EVERYTHING).declared_hash


TIERS = TierPlan((Tier("host", 64 * GIB),), source="offload", reason="it pays")


def auto(**more: Any) -> PoolSpec:
    return spec_of(offload={"mode": "auto", "tiers": [{"kind": "host", "bytes": "128Gi"}]}, **more)


@given(
    replicas=st.integers(2, 4),
    strategy=st.sampled_from([None, (1, 0), (0, 1)]),
    tiers=st.sampled_from([None, TIERS, dataclasses.replace(TIERS, canary="h200")]),
    start_up=st.sampled_from([None, 12.0, 300.0]),
    paused=st.booleans(),
)
def test_what_loops_decide_is_not_in_it(
    replicas: int, strategy: tuple[int, int] | None, tiers: TierPlan | None, start_up: float | None, paused: bool
) -> None:
    spec = auto()
    plain = hash_of(spec)
    decided: dict[str, Any] = {"replicas": {"h200": replicas}, "tiers": tiers, "start_up": start_up}
    if strategy is not None:
        decided["strategies"] = {"h200": strategy}
    if paused:
        decided["standing"] = template_of(desired_of(declared(spec, **decided), EVERYTHING).objects)
    assert hash_of(spec, **decided) == plain


def test_what_people_declare_is_in_it() -> None:
    plain = hash_of(auto())
    assert hash_of(auto(engine={"image": "vllm/vllm-openai:v0.33.1"})) != plain
    assert hash_of(auto(rollout={"maxSurge": 2, "maxUnavailable": 1})) != plain
    fixed = {"mode": "fixed", "tiers": [{"kind": "host", "bytes": "64Gi"}]}
    assert hash_of(spec_of(offload=fixed)) != plain
