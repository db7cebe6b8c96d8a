"""Requests that missed an objective, from the marginals alone: at most, at least, and of how many."""

from __future__ import annotations

import math
from collections.abc import Sequence

from apps.autoscaling.domain.types import Distribution, Objective, Policy, Signals, Unknown, VariantSignals

__all__ = ["DEFAULT_OBJECTIVES", "missed", "missed_at_gateway", "objectives_of"]

DEFAULT_OBJECTIVES = (Objective("ttft", 2.0, 0.95), Objective("tpot", 0.1, 0.95))


def objectives_of(policy: Policy) -> tuple[Objective, ...]:
    return policy.objectives or DEFAULT_OBJECTIVES


def missed_at_gateway(objectives: Sequence[Objective], seen: Signals) -> tuple[float, float, float] | None:
    """As clients saw it; None where nothing of the objectives is measured there."""
    if type(seen.ttft) is type(seen.tpot) is type(seen.e2e) is Unknown:
        return None
    measured = [observed for observed in (seen.ttft, seen.tpot, seen.e2e) if type(observed) is Distribution]
    if not measured:
        return None
    promised = [getattr(seen, objective.metric, None) for objective in objectives]
    if not any(type(observed) is Distribution for observed in promised):
        return None
    return missed(objectives, seen, max([observed.histogram.total for observed in measured]))


def missed(
    objectives: Sequence[Objective], seen: VariantSignals | Signals, requests: float
) -> tuple[float, float, float]:
    """Of a variant or a gateway; requests: that ended, NaN where not known."""
    most = least = judged = 0.0
    known = False
    for objective in objectives:
        metric = objective.metric
        observed = getattr(seen, metric, None)
        if type(observed) is not Distribution:
            continue
        known = True
        counts, threshold, outside = observed.histogram.counts, objective.threshold, 0.0
        total = sum(counts.values())
        for (low, high), count in counts.items():
            if low >= threshold:
                outside += count
            elif high > threshold:
                width = high - low
                inside = (threshold - low) / width if math.isfinite(width) else 0.0
                outside += count * (1 - inside)
        if total <= 0:
            continue
        if metric == "itl" and requests > 0:
            # tokens outside, as that share of the requests
            outside, total = outside / total * requests, requests
        if total > judged:
            judged = total
        most += outside
        if outside > least:
            least = outside
    # requests of which nothing was measured have met nothing: they are no calm that teaches to size tighter
    if known and requests > judged:
        judged = requests
    return (most if most <= judged else judged), least, judged
