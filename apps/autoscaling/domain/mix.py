"""What requests are like: their lengths, the share of prompts found in a cache, how long one is served."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import clipped, column, lone, mean, rows_of
from apps.autoscaling.domain.capacity import Traffic
from apps.autoscaling.domain.extract import FIRST_PROMPT, Fleet, prior_shares
from apps.autoscaling.domain.memory import OUTPUT_EDGES, PROMPT_EDGES, Memory

__all__ = ["life", "nominal_work", "observe", "spread", "traffic"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_PROMPT_CENTERS: Floats = np.exp2(np.arange(FIRST_PROMPT, FIRST_PROMPT + PROMPT_EDGES, dtype=np.float64))
_OUTPUT_CENTERS: Floats = np.exp2(np.arange(OUTPUT_EDGES, dtype=np.float64))
# lengths are forgotten after as many requests, within these seconds: quickly where many come
_MIX_REQUESTS, _MIX_SHORTEST, _MIX_LONGEST = 250.0, 50.0, 600.0
# a shift of lengths: ticks in a row whose mean is so many deviations, and so many times, above what was remembered; the
# share of the memory that stays then, in which the first of these ticks is
_SHIFT_TICKS, _SHIFT_DEVIATIONS, _SHIFT_LEAST, _AFTER_SHIFT = 2, 4.0, 1.3, 0.1
_PRIOR_REQUESTS = 4.0
_MOST_DISPERSION = 40.0


def observe(memory: Memory, fleet: Fleet) -> None:
    """Take in the lengths, tokens and misses of a tick."""
    rate = memory["fast"] / np.maximum(memory["weight_fast"], 0.1)
    reach = clipped(_MIX_REQUESTS / np.maximum(rate, 1e-3), _MIX_SHORTEST, _MIX_LONGEST)
    keep = np.exp(-fleet.seconds / reach) * np.where(_longer_requests(memory, fleet), _AFTER_SHIFT, 1.0)
    memory["prompts"] = keep[:, None] * memory["prompts"] + fleet.prompts
    memory["outputs"] = keep[:, None] * memory["outputs"] + fleet.outputs
    sums = fleet.per_pool(np.stack([fleet.prompt_tokens, fleet.cached_tokens, fleet.generated, fleet.finished], 1))
    prompt, cached, generated, finished = sums.T
    arrived = np.where(np.isfinite(fleet.arrived), fleet.arrived, finished)
    # engines count tokens when they compute them, not when requests come or end: of a backlog that is worked off they
    # tell more than of what comes, so that sums over counted requests are the better mean
    counted, ended = fleet.prompted > 0, fleet.answered > 0
    for name, count in (
        ("prompt_tokens", prompt),
        ("cached_tokens", cached),
        ("prompt_sum", np.where(counted, fleet.prompt_sum, prompt)),
        ("prompted", np.where(counted, fleet.prompted, np.where(prompt > 0, arrived, 0.0))),
        ("output_sum", np.where(ended, fleet.output_sum, generated)),
        ("answered", np.where(ended, fleet.answered, finished)),
    ):
        memory[name] = keep * memory[name] + count
    judged, most, least = fleet.judged, fleet.missed_most, fleet.missed_least
    for name, count, time in (
        ("missed", most, 1800.0),
        ("missed_least", least, 1800.0),
        ("served", judged, 1800.0),
    ):
        memory[name] = np.exp(-fleet.seconds / time) * memory[name] + count


def _longer_requests(memory: Memory, fleet: Fleet) -> Bools:
    """Whether requests have just become longer, prompts or outputs: some ticks in a row whose mean is far above that of
    before. What was remembered of lengths says nothing any more then."""
    far: Bools = np.zeros(len(fleet.seconds), dtype=np.bool_)
    for name, counted, centers in (
        ("prompts", fleet.prompts, _PROMPT_CENTERS),
        ("outputs", fleet.outputs, _OUTPUT_CENTERS),
    ):
        before, requests = memory[name], counted.sum(axis=1)
        share = before / np.maximum(before.sum(axis=1), 1e-9)[:, None]
        mean = (share * centers).sum(axis=1)
        deviation = np.sqrt(np.maximum((share * centers * centers).sum(axis=1) - mean * mean, 0.0))
        newest = (counted * centers).sum(axis=1) / np.maximum(requests, 1e-9)
        off = (newest - mean) * np.sqrt(requests)
        enough = (requests >= 5) & (before.sum(axis=1) >= 100)
        far |= enough & (off > _SHIFT_DEVIATIONS * deviation) & (newest > _SHIFT_LEAST * mean)
    memory["longer"] = np.where(
        far, memory["longer"] + 1, np.where(fleet.prompts.sum(axis=1) > 0, 0.0, memory["longer"])
    )
    shifted = memory["longer"] >= _SHIFT_TICKS
    memory["longer"] = np.where(shifted, 0.0, memory["longer"])
    return np.asarray(shifted, dtype=np.bool_)


def traffic(memory: Memory, fleet: Fleet) -> tuple[Traffic, Traffic]:
    """What requests are like, of rows and of pools."""
    prompt_share = _shares(memory["prompts"], prior_shares(fleet.prior_prompt, FIRST_PROMPT, PROMPT_EDGES))
    output_share = _shares(memory["outputs"], prior_shares(fleet.prior_output, 0, OUTPUT_EDGES))
    prompt = _scaled(
        _PROMPT_CENTERS,
        prompt_share,
        memory["prompt_sum"],
        memory["prompted"],
        memory["prompts"],
        fleet.prior_prompt,
    )
    output = _scaled(
        _OUTPUT_CENTERS,
        output_share,
        memory["output_sum"],
        memory["answered"],
        memory["outputs"],
        fleet.prior_output,
    )
    tokens = memory["prompt_tokens"]
    weight = tokens / (tokens + _PRIOR_REQUESTS * 1000.0)
    measured = memory["cached_tokens"] / np.maximum(tokens, 1.0)
    cached = clipped(weight * measured + (1 - weight) * fleet.prior_cached, 0.0, 0.95)
    pools = Traffic(prompt, prompt_share, output, output_share, cached, memory["dispersion"])
    of = fleet.pool
    if len(of) == len(prompt):
        # a row each
        return pools, pools
    rows = Traffic(prompt[of], prompt_share[of], output[of], output_share[of], cached[of], pools.dispersion[of])
    return rows, pools


def _shares(counts: Floats, prior: Floats) -> Floats:
    total = counts + _PRIOR_REQUESTS * prior
    return np.asarray(total / total.sum(axis=1, keepdims=True), dtype=np.float64)


def _scaled(centers: Floats, share: Floats, tokens: Floats, requests: Floats, counted: Floats, prior: Floats) -> Floats:
    """The middles of buckets, moved so that their mean is the measured one (of the prior where nothing is)."""
    inside = (share * centers[None, :]).sum(axis=1)
    known = requests >= 1.0
    weight = np.minimum(requests / (requests + _PRIOR_REQUESTS), 1.0)
    mean = np.where(known, weight * tokens / np.maximum(requests, 1.0) + (1 - weight) * prior, prior)
    # with lengths counted the mean only corrects the width of buckets; without, it carries everything
    seen = counted.sum(axis=1) > 10
    factor = np.maximum(mean, 1.0) / np.maximum(inside, 1e-9)
    factor = np.where(seen, clipped(factor, 0.6, 1.6), clipped(factor, 0.02, 50.0))
    return np.asarray(np.maximum(centers[None, :] * factor[:, None], 1.0), dtype=np.float64)


def spread(traffic: Traffic, memory: Memory, fleet: Fleet, replicas: Floats) -> Traffic:
    """The dispersion of one replica's arrivals: a router spreads what comes in a heap over all of them."""
    pool = clipped(memory["dispersion"], 1.0, _MOST_DISPERSION)[fleet.pool]
    return traffic.dispersed(1 + (pool - 1) / replicas)


def nominal_work(fleet: Fleet, pools: Traffic) -> Floats:
    """Replica-seconds of a request by the prior of each pool's first variant: the unit that demand is kept in."""
    engines, at = fleet.engines, fleet.first_row
    own = (
        column(engines.compute_token[at]) * pools.fresh
        + column(engines.prefill_request[at])
        + column(engines.attention_pair[at]) * (pools.fresh * pools.span)
    )
    read, context = lone(engines.read_token[at]), lone(engines.kv_token[at]) * pools.context
    return rows_of(mean(pools.prompt_share, own) + pools.mean_output * (read + context))


def life(fleet: Fleet, pools: Traffic) -> Floats:
    """Seconds that a request is served, about: its tokens in steps half as long again as empty ones."""
    engines, at = fleet.engines, fleet.first_row
    return rows_of(pools.mean_output * 1.5 * lone(np.maximum(engines.read, engines.compute)[at]))
