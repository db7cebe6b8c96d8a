"""What requests are like: their lengths, the share of prompts found in a cache, how long one is served."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import (
    Figures,
    anywhere,
    at,
    beside,
    clipped,
    column,
    exp,
    finite,
    larger,
    lone,
    mean,
    where,
)
from apps.autoscaling.domain.fleet import Fleet
from apps.autoscaling.domain.lengths import BUCKETS, CENTERS, prior_shares
from apps.autoscaling.domain.memory import Memory
from apps.autoscaling.domain.steps import Traffic

__all__ = ["life", "nominal_work", "observe", "spread", "traffic"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# what is counted by length
_KINDS = ("prompts", "outputs")
# lengths are forgotten after as many requests, within these seconds: quickly where many come
_MIX_REQUESTS, _MIX_SHORTEST, _MIX_LONGEST = 250.0, 50.0, 600.0
# a shift of lengths: ticks in a row whose mean is so many deviations, and so many times, above what was remembered; the
# share of the memory that stays then, in which the first of these ticks is
_SHIFT_TICKS, _SHIFT_DEVIATIONS, _SHIFT_LEAST, _AFTER_SHIFT = 2, 4.0, 1.3, 0.1
_PRIOR_REQUESTS = 4.0
_MOST_DISPERSION = 40.0
# steps of a replica that carries what it is to, over empty ones. Where a step of B sequences takes a + b B seconds, an
# excess of B fades with the time constant o (a + b B)^2 / a: o tokens in empty steps, times the square of this. At 1.6
# a chat's answers (211 tokens at 22 ms) have 19 s (`demand._LIVES`), near the 20 found for them (`demand._RIPPLE`)
_SLOWED = 1.6
# seconds over which misses are counted
_MISSES = 1800.0
_sum = np.add.reduce


def observe(memory: Memory, fleet: Fleet) -> None:
    """Take in the lengths, tokens and misses of a tick."""
    seconds = fleet.seconds
    rate = memory.figure("fast") / larger(memory.figure("weight_fast"), 0.1)
    reach = clipped(_MIX_REQUESTS / larger(rate, 1e-3), _MIX_SHORTEST, _MIX_LONGEST)
    keep = exp(-seconds / reach) * where(_longer_requests(memory, fleet), _AFTER_SHIFT, 1.0)
    prompt, cached, generated, finished = fleet.sums(
        fleet.prompt_tokens, fleet.cached_tokens, fleet.generated, fleet.finished
    )
    arrived = fleet.arrived
    arrived = where(finite(arrived), arrived, finished)
    # engines count tokens when they compute them, not when requests come or end: of a backlog that is worked off they
    # tell more than of what comes, so that sums over counted requests are the better mean
    prompted, answered = fleet.prompted, fleet.answered
    counted, ended = prompted > 0, answered > 0
    fresh = (
        prompt,
        cached,
        where(counted, fleet.prompt_sum, prompt),
        where(counted, prompted, where(prompt > 0, arrived, 0.0)),
        where(ended, fleet.output_sum, generated),
        where(ended, answered, finished),
    )
    fading = memory.span("prompts", "answered")
    fading *= column(keep)
    lengths = BUCKETS * len(_KINDS)
    fading[:, :lengths] += fleet.lengths.transpose(1, 0, 2).reshape(-1, lengths)
    fading[:, lengths:] += beside(fresh)
    misses = memory.span("missed", "served")
    misses *= column(exp(-seconds / _MISSES))
    misses += beside([fleet.missed_most, fleet.missed_least, fleet.judged])


def _longer_requests(memory: Memory, fleet: Fleet) -> Figures:
    """Whether requests (pools,) have just become longer, prompts or outputs: some ticks in a row whose mean is far
    above that of before. What was remembered of lengths says nothing any more then."""
    before, counted = _remembered(memory), fleet.lengths
    total, requests = _sum(before, axis=2), _sum(counted, axis=2)
    weighted = before / np.maximum(total, 1e-9)[:, :, None] * CENTERS
    mean = _sum(weighted, axis=2)
    newest = _sum(counted * CENTERS, axis=2) / np.maximum(requests, 1e-9)
    each = (requests >= 5) & (total >= 100) & (newest > _SHIFT_LEAST * mean)
    if anywhere(each):
        deviation = np.sqrt(np.maximum(_sum(weighted * CENTERS, axis=2) - mean * mean, 0.0))
        each &= (newest - mean) * np.sqrt(requests) > _SHIFT_DEVIATIONS * deviation
    longer = memory.figure("longer")
    longer = where(lone(each[0] | each[1]), longer + 1, where(lone(requests[0] > 0), 0.0, longer))
    shifted = longer >= _SHIFT_TICKS
    memory["longer"] = where(shifted, 0.0, longer)
    return shifted


def _remembered(memory: Memory) -> Floats:
    """Requests by length, fading (kinds, pools, buckets)."""
    both = memory.span("prompts", "outputs").reshape(-1, len(_KINDS), BUCKETS)
    return np.ascontiguousarray(both.transpose(1, 0, 2))


def traffic(memory: Memory, fleet: Fleet) -> tuple[Traffic, Traffic]:
    """What requests are like, of rows and of pools."""
    counted = _remembered(memory)
    total = counted + _PRIOR_REQUESTS * prior_shares(fleet.prior_lengths)
    share = total / _sum(total, axis=2, keepdims=True)
    prompt, output = _scaled(share, memory, counted, fleet.prior_lengths)
    tokens = memory.figure("prompt_tokens")
    weight = tokens / (tokens + _PRIOR_REQUESTS * 1000.0)
    measured = memory.figure("cached_tokens") / larger(tokens, 1.0)
    cached = clipped(weight * measured + (1 - weight) * fleet.prior_cached, 0.0, 0.95)
    pools = Traffic(prompt, share[0], output, share[1], cached, memory.figure("dispersion"))
    of = fleet.pool
    if len(of) == len(fleet.first_row):
        # a row each
        return pools, pools
    rows = Traffic(prompt[of], share[0][of], output[of], share[1][of], at(cached, of), at(pools.dispersion, of))
    return rows, pools


def _scaled(share: Floats, memory: Memory, counted: Floats, prior: Floats) -> Floats:
    """The middles of buckets (kinds, pools, buckets), moved so that their mean is the measured one (of the prior where
    nothing is)."""
    tokens, requests = memory.span("prompt_sum", "answered").reshape(-1, len(_KINDS), 2).transpose(2, 1, 0)
    inside = _sum(share * CENTERS, axis=2)
    weight = np.minimum(requests / (requests + _PRIOR_REQUESTS), 1.0)
    mean = np.where(requests >= 1.0, weight * tokens / np.maximum(requests, 1.0) + (1 - weight) * prior, prior)
    # with lengths counted the mean only corrects the width of buckets; without, it carries everything
    seen = _sum(counted, axis=2) > 10
    factor = np.maximum(mean, 1.0) / np.maximum(inside, 1e-9)
    factor = clipped(factor, np.where(seen, 0.6, 0.02), np.where(seen, 1.6, 50.0))
    return np.maximum(CENTERS * factor[:, :, None], 1.0)


def spread(traffic: Traffic, memory: Memory, fleet: Fleet, replicas: Floats) -> Traffic:
    """The dispersion of one replica's arrivals: a router spreads what comes in a heap over all of them."""
    pool = at(clipped(memory.figure("dispersion"), 1.0, _MOST_DISPERSION), fleet.pool)
    return traffic.dispersed(1 + (pool - 1) / replicas)


def nominal_work(fleet: Fleet, pools: Traffic) -> Figures:
    """Replica-seconds of a request by the prior of each pool's first variant: the unit that demand is kept in."""
    engines, first = fleet.engines, fleet.first_row
    own = (
        column(at(engines.compute_token, first)) * pools.fresh
        + column(at(engines.prefill_request, first))
        + column(at(engines.attention_pair, first)) * pools.pairs
    )
    read, context = at(engines.read_token, first), at(engines.kv_token, first) * pools.context
    return mean(pools.prompt_share, own) + pools.mean_output * (read + context)


def life(fleet: Fleet, pools: Traffic) -> Figures:
    """Seconds within which a replica forgets what came: a request's tokens in steps slowed by the others', and as much
    slower again, since what stays longer because of an excess of load keeps it there (see `_SLOWED`)."""
    engines = fleet.engines
    return pools.mean_output * _SLOWED**2 * at(larger(engines.read, engines.compute), fleet.first_row)
