"""The runs of one simulation: every policy on the same arrivals, and what is told of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from apps.autoscaling.domain.types import Objective, Policy
from apps.autoscaling.domain.whatif import ASK, Driver
from apps.physics import EngineConfig
from apps.physics.fleet.fleet import Fleet, FleetVariant, Observation, Phase, StartUp
from apps.physics.fleet.run import Limits, Moment, Outcome, run
from apps.physics.fleet.types import Arrival
from apps.physics.frontend import FrontendModel
from apps.whatif.domain.hpa import SYNC, Hpa
from apps.whatif.domain.request import HpaPolicy, Lamplight, Static

__all__ = ["Plan", "VariantPlan", "simulate"]

MOST_POINTS, MOST_DECISIONS = 720, 200
BLOCK = 16
# room for the longest prompt and answer of any trace that fits into the cache at all
LONGEST_MODEL = 131_072

Told = Callable[[float], None]
"""Told how far the whole has come, 0..1; may raise to end it."""


@dataclass(frozen=True)
class VariantPlan:
    """What the fleet needs of a variant beside its policy. price: of one accelerator per hour, None: not known."""

    startup: StartUp
    price: float | None
    initial: int


@dataclass(frozen=True)
class Plan:
    """One simulation, ready to be played.

    policies: (title, what was asked, the pool's policy as that asks for it). variants: by name, for all policies alike.
    began: Unix second of the trace's zero.
    """

    arrivals: Sequence[Arrival]
    policies: Sequence[tuple[str, Lamplight | Static | HpaPolicy, Policy]]
    variants: Mapping[str, VariantPlan]
    frontend: FrontendModel
    edges: Sequence[float]
    ttft: float
    tpot: float
    fraction: float
    currency: str
    seed: int
    began: float
    seconds: float
    origin: str


class _Controller(Protocol):
    def __call__(self, seen: Observation) -> Mapping[str, tuple[int, int]] | None: ...


def simulate(plan: Plan, told: Told) -> dict[str, Any]:
    """The result as the API shows it."""
    limits = Limits(plan.ttft, plan.tpot)
    runs = []
    for index, (title, asked, policy) in enumerate(plan.policies):
        fleet, variants = _fleet(plan, policy, asked)
        controller, driver, tick = _controller(plan, asked, policy, list(variants))

        def watched(
            seen: Observation, inner: _Controller = controller, done: int = index
        ) -> Mapping[str, tuple[int, int]] | None:
            told((done + min(seen.now / max(plan.seconds, 1.0), 1.0)) / len(plan.policies))
            return inner(seen)

        # a pool of ours without a replica is asked each second who waits, as in production
        ask = ASK if driver is not None else None
        outcome = run(fleet, plan.arrivals, watched, limits, tick=tick, ask=ask, horizon=plan.seconds)
        runs.append(_told(title, plan, outcome, driver))
    return {
        "requests": len(plan.arrivals),
        "seconds": round(plan.seconds, 1),
        "arrivals": plan.origin,
        "slo": {"ttft": plan.ttft, "tpot": plan.tpot, "fraction": plan.fraction},
        "currency": plan.currency,
        "runs": runs,
    }


def _fleet(plan: Plan, policy: Policy, asked: Lamplight | Static | HpaPolicy) -> tuple[Fleet, dict[str, FleetVariant]]:
    variants = {}
    for each in policy.variants:
        mine = plan.variants[each.name]
        blocks = max(each.kv_tokens // BLOCK, 2) + 1
        variants[each.name] = FleetVariant(
            each.name,
            EngineConfig(
                num_blocks=blocks,
                block_size=BLOCK,
                max_num_seqs=each.max_num_seqs,
                max_num_batched_tokens=each.max_num_batched_tokens,
                max_model_len=min(LONGEST_MODEL, (blocks - 1) * BLOCK),
            ),
            each.step_time,
            mine.startup,
            plan.frontend,
            each.accelerators,
            mine.price or 0.0,
            None if each.available is None else each.available + mine.initial * each.accelerators,
            wake=each.wake,
        )
    initial = {name: mine.initial for name, mine in plan.variants.items()}
    if isinstance(asked, Static):
        initial = dict.fromkeys(initial, 0) | {policy.variants[0].name: asked.replicas}
    fleet = Fleet(
        variants.values(),
        initial=initial,
        chance=np.random.default_rng(plan.seed),
        routing="prefix",
        exact=any(each.block_hashes for each in plan.arrivals),
    )
    return fleet, variants


def _controller(
    plan: Plan, asked: Lamplight | Static | HpaPolicy, policy: Policy, names: Sequence[str]
) -> tuple[_Controller, Driver | None, float]:
    if isinstance(asked, Static):
        return (lambda _seen: None), None, policy.tick
    if isinstance(asked, HpaPolicy):
        return _Hpa(asked, policy, names[0]), None, SYNC
    objectives = (Objective("ttft", plan.ttft, plan.fraction), Objective("tpot", plan.tpot, plan.fraction))
    driver = Driver(replace(policy, objectives=objectives), plan.edges, plan.began)
    return driver, driver, policy.tick


class _Hpa:
    """One HPA on the first variant; the others stay as they are."""

    def __init__(self, asked: HpaPolicy, policy: Policy, name: str) -> None:
        variant = policy.variants[0]
        self._asked, self._name = asked, name
        self._hpa = Hpa(max(1, variant.minimum), max(1, variant.maximum))

    def __call__(self, seen: Observation) -> Mapping[str, tuple[int, int]]:
        ready = [each for each in seen.replicas if each.variant == self._name and each.phase is Phase.READY]
        waiting = sum(each.waiting for each in ready) + seen.held
        totals = {
            "queue": float(waiting),
            "running": float(waiting + sum(each.running for each in ready)),
            "kv": sum(each.kv_usage for each in ready),
        }
        current = seen.desired[self._name]
        ratio = totals[self._asked.metric] / self._asked.target / max(current, 1)
        return {self._name: (self._hpa.decide(seen.now, current, [ratio]), 0)}


def _told(title: str, plan: Plan, outcome: Outcome, driver: Driver | None) -> dict[str, Any]:
    priced = all(each.price is not None for each in plan.variants.values())
    return {
        "policy": title,
        "attainment": round(outcome.attainment, 6),
        "met": outcome.attainment >= plan.fraction,
        "failed": outcome.failed,
        "ttft": _quantiles(outcome.ttft),
        "tpot": _quantiles(outcome.tpot),
        "acceleratorHours": round(outcome.accelerator_hours, 4),
        "standbyHours": round(outcome.standby_hours, 4),
        "cost": round(outcome.cost, 4) if priced else None,
        "actions": outcome.actions,
        "reversals": outcome.reversals,
        "curve": _curve(outcome.curve),
        "decisions": _decisions(driver),
    }


def _quantiles(values: tuple[float, float, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in zip(("p50", "p90", "p99"), values, strict=True)}


def _curve(moments: Sequence[Moment]) -> list[dict[str, float]]:
    """At most MOST_POINTS: of every stretch the last state, the most held, all arrivals."""
    step = -(-len(moments) // MOST_POINTS) if moments else 1
    points = []
    for start in range(0, len(moments), step):
        part = moments[start : start + step]
        points.append(
            {
                "at": part[-1].at,
                "desired": part[-1].desired,
                "ready": part[-1].ready,
                "held": max(moment.held for moment in part),
                "arrived": sum(moment.arrived for moment in part),
            }
        )
    return points


def _decisions(driver: Driver | None) -> list[dict[str, Any]]:
    if driver is None:
        return []
    return [
        {"at": each.at - driver.began, "verb": each.verb, "replicas": each.total, "sentence": each.sentence}
        for each in driver.moves[:MOST_DECISIONS]
    ]
