"""From what was asked to a plan: reads the pool, its facts, its history."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import numpy as np

from apps.autoscaling.domain.types import Policy
from apps.autoscaling.policies import Facts, policy_of
from apps.autoscaling.ticking import facts_of
from apps.catalog.domain.accelerators import accelerator
from apps.core.domain.refusals import Fault, Invalid
from apps.physics import catalogue
from apps.physics.coldstart import cold_start_seconds
from apps.physics.fleet.fleet import StartUp
from apps.pools.domain.facts import latency_grid
from apps.pools.domain.spec import PoolSpec
from apps.pools.models import Pool
from apps.pools.selectors import effective_replicas, replica_targets
from apps.telemetry.selectors import INTERVAL, recent, signals_of
from apps.whatif.domain.arrivals import from_history, from_trace, scaled
from apps.whatif.domain.request import History, Lamplight, SimulateBody
from apps.whatif.domain.simulation import Plan, VariantPlan

__all__ = ["check", "plan_of"]

DEFAULT_TTFT, DEFAULT_TPOT, DEFAULT_FRACTION = 2.0, 0.1, 0.95
# of starts nobody measured: how much longer than the middle one the 90th percentile is
SPREAD = 1.25
MINUTE = 60.0


def check(pool: Pool, body: SimulateBody) -> None:
    """Raises Invalid for what names variants that are not there, or overrides that are no autoscaling."""
    names = [variant["name"] for variant in pool.spec.get("variants", [])]
    faults = [
        Fault(f"/{field}/{name}", f"pool {pool.name} has no variant {name}; it has {', '.join(names)}")
        for field in ("startup", "price", "initial")
        for name in getattr(body, field)
        if name not in names
    ]
    currencies = {price.currency for price in body.price.values()}
    if len(currencies) > 1:
        faults.append(Fault("/price", f"prices are in {' and '.join(sorted(currencies))}: give all in one currency"))
    if faults:
        raise Invalid.of(faults)
    for index, asked in enumerate(body.policies):
        if isinstance(asked, Lamplight):
            _spec(pool, asked, at=f"/policies/{index}")


def plan_of(pool: Pool, body: SimulateBody, *, now: datetime) -> Plan:
    """Raises NothingToPlay, Invalid."""
    chance = np.random.default_rng(body.seed)
    if isinstance(body.source, History):
        start = now - timedelta(hours=body.source.hours)
        step = INTERVAL if body.source.hours <= 3 else MINUTE
        rows = signals_of(pool.uid, start=start, end=now, step=step, columns=("counts", "histograms"))
        arrivals = from_history(rows, chance)
        began = rows[0].at - rows[0].seconds
        seconds = rows[-1].at - began
        origin = f"drawn from the pool's signals of the last {body.source.hours:g} h"
    else:
        arrivals = from_trace(body.source.content, body.source.format)
        began, seconds = 0.0, max(arrivals[-1].time, INTERVAL)
        origin = f"a trace ({body.source.format})"
    if body.scale != 1.0:
        origin += f", {body.scale:g} times as many"
    arrivals = scaled(arrivals, body.scale, chance)
    spec, facts = facts_of([pool], recent([pool.uid], seconds=6 * INTERVAL))[pool.uid]
    policy = policy_of(spec, facts, tick=INTERVAL)
    ttft, tpot, fraction = _slo(body, policy)
    priced = _prices(body, policy, facts, spec)
    currency = next((price.currency for price in body.price.values()), policy.currency)
    return Plan(
        arrivals=arrivals,
        policies=[
            (asked.title, asked, policy_of(_spec(pool, asked, at=""), facts, tick=INTERVAL))
            if isinstance(asked, Lamplight)
            else (asked.title, asked, policy)
            for asked in body.policies
        ],
        variants={
            each.name: VariantPlan(
                _startup(body, pool, each.name), priced[each.name], _initial(body, pool, spec, each.name)
            )
            for each in policy.variants
        },
        frontend=catalogue.frontend(),
        edges=latency_grid()[1],
        ttft=ttft,
        tpot=tpot,
        fraction=fraction,
        currency=currency,
        seed=body.seed,
        began=began,
        seconds=seconds,
        origin=origin,
    )


def _spec(pool: Pool, asked: Lamplight, *, at: str) -> PoolSpec:
    changed = {**pool.spec.get("autoscaling", {}), **asked.autoscaling}
    try:
        return PoolSpec.from_document({**pool.spec, "autoscaling": changed})
    except Invalid as refused:
        raise Invalid.of(
            Fault(at + fault.pointer.removeprefix("/spec"), fault.detail) for fault in refused.faults
        ) from None


def _slo(body: SimulateBody, policy: Policy) -> tuple[float, float, float]:
    if body.slo is not None:
        return body.slo.ttft.total_seconds(), body.slo.tpot.total_seconds(), body.slo.fraction
    tightest: dict[str, float] = {}
    for each in policy.objectives:
        tightest[each.metric] = min(each.threshold, tightest.get(each.metric, each.threshold))
    fraction = max((each.fraction for each in policy.objectives), default=DEFAULT_FRACTION)
    between = tightest.get("tpot", tightest.get("itl", DEFAULT_TPOT))
    return tightest.get("ttft", DEFAULT_TTFT), between, fraction


def _startup(body: SimulateBody, pool: Pool, name: str) -> StartUp:
    if name in body.startup:
        asked = body.startup[name]
        return StartUp(asked.p50.total_seconds(), asked.p90.total_seconds())
    measured = (pool.status.get("startUp") or {}).get(name)
    if measured is not None and (middle := median(measured["starts"])) > 0:
        return StartUp(middle, max(float(measured["p90"]), middle))
    calibrated = cold_start_seconds()
    return StartUp(calibrated, calibrated * SPREAD)


def _prices(body: SimulateBody, policy: Policy, facts: Facts, spec: PoolSpec) -> Mapping[str, float | None]:
    """Of one accelerator."""

    found: dict[str, float | None] = {}
    for variant in spec.variants:
        declared = facts.cluster.prices.get(variant.accelerator) if facts.cluster is not None else None
        known = accelerator(variant.accelerator)
        price: Any = body.price.get(variant.name) or declared or (known.price if known is not None else None)
        found[variant.name] = float(price.amount) if price is not None else None
    return found


def _initial(body: SimulateBody, pool: Pool, spec: PoolSpec, name: str) -> int:
    if name in body.initial:
        return body.initial[name]
    variant = spec.variant(name)
    assert variant is not None
    return effective_replicas(variant, replica_targets(pool).get(name))
