"""The policy of a pool: its declaration, and the facts about its model, accelerators, node memory and prices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.autoscaling.domain.types import Policy as ScalingPolicy
from apps.autoscaling.policies import Facts
from apps.autoscaling.policies import policy_of as scaling_policy
from apps.offload.domain.types import COOL_DOWN, EVIDENCE, WATCH, Policy, TierPolicy
from apps.pools.domain.spec import PoolSpec, Variant
from apps.pools.domain.tiers.budget import NodeMemory, host_budget

__all__ = ["KV_BYTES", "policy_of", "serving_variant"]

# of a model whose shape nobody declared: that of one with 8 billion parameters
KV_BYTES = 131_072


def serving_variant(spec: PoolSpec) -> Variant:
    """The variant that prefills, and is tried first: the first that does."""
    return next((v for v in spec.variants if v.role != "decode"), spec.variants[0])


def policy_of(
    spec: PoolSpec,
    facts: Facts,
    *,
    learned: Mapping[str, Any] | None,
    nodes: Sequence[NodeMemory],
    slept: int,
    in_place: bool = False,
    pace: float = 1.0,
) -> Policy:
    """`learned`: the autoscaler's memory of the pool, whose corrections of step times hold here too. `nodes`:
    those that the pool may run on, none where nobody knows. `slept`: bytes of weights that a sleeping replica keeps.
    `in_place`: whether a canary may take the place of a replica. `pace`: below 1 less is seen and watched before
    something is decided, for demonstrations."""
    variant = serving_variant(spec)
    scaling: ScalingPolicy = scaling_policy(spec, facts, tick=10.0)
    told = next(v for v in scaling.variants if v.name == variant.name)
    # fixed, per token, attention, KV
    factors = (1.0, 1.0, 1.0, 1.0)
    if learned is not None and variant.name in learned["variants"]:
        factors = tuple(learned["variants"][variant.name]["factors"])
    step = told.step_time
    startup = told.startup
    if learned is not None and learned["variants"].get(variant.name, {}).get("startup", -1.0) > 0:
        startup = learned["variants"][variant.name]["startup"]
    shape = facts.model.shape if facts.model is not None else None
    tiers = []
    for tier in spec.offload.tiers:
        most, limit = int(tier.bytes or 0), ""
        if tier.kind == "host":
            budget = host_budget(declared=most, nodes=nodes, engine_memory=variant.resources.memory, slept=slept)
            most, limit = budget.bytes, budget.why
        tiers.append(
            TierPolicy(
                kind=tier.kind,
                most=most,
                gib_hour=float(tier.gib_price.amount) if tier.gib_price is not None else 0.0,
                claim=tier.claim,
                ttl=int(tier.ttl.total_seconds()) if tier.ttl is not None else None,
                limit=limit,
            )
        )
    return Policy(
        mode="auto" if spec.offload.mode == "auto" else "advisory",
        kv_bytes=float(shape.kv_bytes_per_token if shape is not None else KV_BYTES),
        token=step.compute_token * factors[1] + step.compute * factors[0] / told.max_num_batched_tokens,
        pair=step.attention_pair * factors[2],
        price=told.price,
        currency=scaling.currency,
        tiers=tuple(tiers),
        variant=variant.name,
        restart=startup,
        spare=told.available is not None and told.available >= told.accelerators,
        in_place=in_place,
        prefix_aware=spec.routing.picker and spec.routing.weights.prefix_cache > 0,
        prompt_only=spec.offload.prompt_only,
        evidence=EVIDENCE * pace,
        watch=(WATCH[0] * pace, WATCH[1] * pace),
        cool_down=COOL_DOWN * pace,
    )
