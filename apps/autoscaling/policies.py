"""The policy of a pool: its declaration, its SLOs, and the facts about its model and accelerators."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from apps.autoscaling.domain.types import FreezeWindow, Metric, Objective, Policy, Schedule, VariantPolicy
from apps.catalog.domain.accelerators import accelerator
from apps.catalog.domain.model import ModelSpec
from apps.clusters.domain.spec import ClusterSpec
from apps.core.domain.units import HourlyPrice
from apps.physics.catalogue import ModelSize, step_time_for
from apps.physics.coldstart import cold_start_seconds
from apps.physics.steptime import StepTimeModel
from apps.pools.domain.spec import PoolSpec, Variant
from apps.slos.domain.slo import SLOSpec

__all__ = ["Facts", "first_token_within", "policy_of"]

_METRICS: Mapping[str, Metric] = {"ttft": "ttft", "tpot": "tpot", "itl": "itl", "e2e": "e2e"}
# a model whose shape nobody declared is taken for one of 8 billion parameters; what it really does is learned
_UNKNOWN_SIZE = ModelSize(8.03e9, 32, 16.06e9, 131072)
_FALL_BACK = "nvidia-h100"
_FLAG = re.compile(r"^--(max-num-seqs|max-num-batched-tokens)[= ]?(\d+)?$")


@dataclass(frozen=True)
class Facts:
    """What a pool's policy needs beside its spec: its model's and cluster's spec (None: not declared), its SLOs, KV
    tokens of a replica by variant as engines report them, free accelerators of the cluster by accelerator name."""

    model: ModelSpec | None
    cluster: ClusterSpec | None
    slos: Sequence[SLOSpec]
    kv_tokens: Mapping[str, float]
    free: Mapping[str, int]


def policy_of(spec: PoolSpec, facts: Facts, *, tick: float) -> Policy:
    """Raises nothing: what is not known has a prior."""
    size = _size(facts.model)
    scaling = spec.autoscaling
    flags = _flags(spec.engine.args)
    prices = [_price(variant, facts.cluster) for variant in spec.variants]
    currency = next((price.currency for price in prices if price is not None), "USD")
    budget = scaling.budget
    return Policy(
        objectives=_objectives(facts.slos),
        variants=tuple(
            _variant(variant, price, size, flags, facts) for variant, price in zip(spec.variants, prices, strict=True)
        ),
        tick=tick,
        # a budget in another currency than the prices cannot be compared with them
        budget=float(budget.amount) if budget is not None and budget.currency == currency else None,
        currency=currency,
        idle=scaling.idle,
        standby=scaling.standby,
        schedules=tuple(
            Schedule(s.name, s.days, _minutes(s.start), _minutes(s.end), s.time_zone, s.min, s.max)
            for s in scaling.schedules
        ),
        freezes=tuple(
            FreezeWindow(f.name, datetime.fromisoformat(f.start).timestamp(), datetime.fromisoformat(f.end).timestamp())
            for f in scaling.freezes
        ),
    )


def _objectives(slos: Iterable[SLOSpec]) -> tuple[Objective, ...]:
    return tuple(
        Objective(_METRICS[o.metric], o.threshold.total_seconds(), float(o.fraction))
        for slo in slos
        for o in slo.objectives
        if o.metric in _METRICS and o.threshold is not None
    )


def first_token_within(slos: Iterable[SLOSpec]) -> float | None:
    """Seconds that the tightest promise gives a request to its first token; None where there is none."""
    return min((each.threshold for each in _objectives(slos) if each.metric == "ttft"), default=None)


def _variant(
    variant: Variant, price: HourlyPrice | None, size: ModelSize, flags: Mapping[str, int], facts: Facts
) -> VariantPolicy:
    count = variant.parallelism.accelerators
    free = facts.free.get(variant.accelerator)
    nodes = facts.cluster.provisioning if facts.cluster is not None else None
    brings = nodes.total_seconds() if nodes is not None else 0.0
    base = VariantPolicy(
        name=variant.name,
        minimum=variant.replicas.min,
        maximum=variant.replicas.max,
        price=float(price.amount) if price is not None else float(count),
        step_time=_step_time(size, variant.accelerator, variant.parallelism.tensor),
        kv_tokens=_kv_tokens(variant, size, facts.kv_tokens.get(variant.name)),
        role=variant.role,
        accelerators=count,
        startup=cold_start_seconds() + (brings if free is not None and free < count else 0.0),
        # where nodes come when they are asked for, what is free now is no bound
        available=None if brings else free,
    )
    return replace(
        base,
        max_num_seqs=flags.get("max-num-seqs", base.max_num_seqs),
        max_num_batched_tokens=flags.get("max-num-batched-tokens", base.max_num_batched_tokens),
    )


@lru_cache(maxsize=1024)
def _step_time(size: ModelSize, accelerator_name: str, tensor: int) -> StepTimeModel:
    try:
        return step_time_for(size, accelerator_name, tensor).step_time
    except ValueError:
        return step_time_for(size, _FALL_BACK, tensor).step_time


def _size(model: ModelSpec | None) -> ModelSize:
    shape = model.shape if model is not None else None
    if shape is None or shape.parameters is None:
        return _UNKNOWN_SIZE
    element = shape.kv_bytes_per_token / max(2 * shape.layers * shape.kv_heads * shape.head_dim, 1)
    return ModelSize(float(shape.parameters), shape.layers, shape.parameters * element, shape.kv_bytes_per_token)


def _kv_tokens(variant: Variant, size: ModelSize, reported: float | None) -> int:
    if reported:
        return int(reported)
    known = accelerator(variant.accelerator)
    memory = (known.memory if known is not None else 80 * 2**30) * variant.parallelism.accelerators
    return max(int((memory * 0.9 - size.weight_bytes) / size.kv_bytes_per_token), 8192)


def _price(variant: Variant, cluster: ClusterSpec | None) -> HourlyPrice | None:
    """Of one replica."""
    declared = cluster.prices.get(variant.accelerator) if cluster is not None else None
    known = accelerator(variant.accelerator)
    each = declared or (known.price if known is not None else None)
    return HourlyPrice(each.amount * variant.parallelism.accelerators, each.currency) if each is not None else None


def _flags(args: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for index, argument in enumerate(args):
        match = _FLAG.match(argument)
        if match is None:
            continue
        value: Any = match[2] or (args[index + 1] if index + 1 < len(args) else "")
        if str(value).isdigit() and int(value) > 0:
            found[match[1]] = int(value)
    return found


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return int(hours) * 60 + int(minutes)
