"""What explains decisions, made for those that are read: inputs, quantiles, proposals, counterfactuals, a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from apps.autoscaling.domain import explain, outlook
from apps.autoscaling.domain.draft import Group, Need, Plain
from apps.autoscaling.domain.groups import Sized
from apps.autoscaling.domain.types import Decision, Policy, Proposal, Signals

__all__ = ["Batch", "Telling"]


class Batch:
    """What decisions of one call are explained from, in common: no more than that is kept of a draft, since garbage
    collection goes through all that thousands of decisions keep. totals: replicas of each group in units of its first
    row, as they are decided."""

    def __init__(
        self,
        policies: Sequence[Policy],
        signals: Sequence[Signals],
        groups: Sequence[Group],
        of_pool: Sequence[Sequence[int]],
        plain: Plain,
        need: Need,
        sizes: Sized,
    ) -> None:
        self.policies, self.signals, self.groups, self.of_pool = policies, signals, groups, of_pool
        self.plain, self.need, self.sizes = plain, need, sizes
        self.totals = sizes.standing.copy()

    @cached_property
    def views(self) -> outlook.Views:
        return outlook.of(self.need, np.maximum(self.totals, 1.0))


class Telling:
    """Tells of the pool at a place of its batch."""

    __slots__ = ("batch", "index")

    def __init__(self, batch: Batch, index: int) -> None:
        self.batch, self.index = batch, index

    def __call__(self, decision: Decision) -> dict[str, object]:
        return _told(self.batch, self.index, decision)


def _told(batch: Batch, index: int, decision: Decision) -> dict[str, object]:
    """The parts of a decision that explain it."""
    policy, plain, groups = batch.policies[index], batch.plain, batch.of_pool[index]
    group = groups[0]
    work = max(plain.work[group], 1e-12)
    quantiles = {name: plain.points[group][k] / work for name, k in (("p10", 0), ("p50", 2), ("p90", 4), ("p99", 5))}
    price = policy.variants[batch.groups[group].rows[0] - plain.first_row[index]].price
    counterfactuals = outlook.counterfactuals(batch.views, group, price)
    held, saturated = batch.sizes.held, batch.sizes.saturated
    proposals: list[Proposal] = []
    for at in groups:
        proposals += _proposals(plain, batch.groups[at].role, at, held[at], saturated.get(at))
    sentence = explain.sentence(
        policy=policy,
        verb=decision.verb,
        before=decision.before,
        targets=decision.targets,
        binding=decision.binding,
        clamps=decision.clamps,
        quantiles=quantiles,
        horizon=plain.horizon[index],
        hold=plain.hold[group],
        rate=plain.load_now[group] / work,
        counterfactuals=counterfactuals,
        proposals=proposals,
        floor=plain.floor[group],
        hopeless=plain.hopeless[group],
        allowed=1.0 - max((o.fraction for o in policy.objectives), default=0.95),
    )
    return {
        "sentence": sentence,
        "inputs": explain.inputs(batch.signals[index], plain.reference[group], decision.state.pool),
        "quantiles": quantiles,
        "proposals": tuple(proposals),
        "counterfactuals": counterfactuals,
    }


def _proposals(plain: Plain, role: str, at: int, held: float, saturation: int | None) -> list[Proposal]:
    found = [
        Proposal("forecast", int(plain.plain[at]), "cheapest at the load to come", role),
        Proposal("now", int(plain.fast[at]), "for the load of the last half minute", role),
        Proposal("slo-floor", int(plain.least[at]), "so that no moment is given up", role),
        Proposal("hold", int(held), "the most needed within the hold", role),
    ]
    if plain.backlog[at] > 0:
        reason = f"to work off {plain.backlog[at]:.0f} replica-seconds of backlog in {plain.drain[at]:.0f} s"
        found.append(Proposal("backlog", int(plain.up[at]), reason, role))
    if saturation is not None:
        found.append(Proposal("saturation", saturation, "the step-time model is off; KV usage and queue decide", role))
    return found
