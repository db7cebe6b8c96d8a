"""Policies and signals of many pools as arrays: what is not known is NaN, and never zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.capacity import NO_GOAL, Engines, Goals
from apps.autoscaling.domain.memory import OUTPUT_EDGES, PROMPT_EDGES, Memory
from apps.autoscaling.domain.types import (
    Distribution,
    Known,
    NoTraffic,
    Objective,
    Observed,
    Policy,
    Sample,
    Signals,
    VariantPolicy,
    VariantSignals,
)

__all__ = ["DEFAULT_OBJECTIVES", "FIRST_PROMPT", "Fleet", "fleet_of", "objectives_of", "prior_shares"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NAN = math.nan

DEFAULT_OBJECTIVES = (Objective("ttft", 2.0, 0.95), Objective("tpot", 0.1, 0.95))
# log2 of the shortest prompt bucket
FIRST_PROMPT = 4
_PRIOR_SIGMA = 0.8


def objectives_of(policy: Policy) -> tuple[Objective, ...]:
    return policy.objectives or DEFAULT_OBJECTIVES


@dataclass(slots=True)
class Fleet:
    """Arrays of a batch. (pools,): first_row, rows (how many), seconds, arrived, queued, queued_tokens, season,
    allowed, missed_most, missed_least, judged (requests judged); prompt_sum and prompted, output_sum and answered:
    tokens of the requests whose lengths were counted, and how many (0: none). (rows,): pool, engine figures, and of
    the tick: ready, coming, stuck, finished, running, waiting, prompt_tokens, cached_tokens, generated, between (mean
    s)."""

    first_row: Ints
    rows: Ints
    pool: Ints
    seconds: Floats
    arrived: Floats
    queued: Floats
    queued_tokens: Floats
    season: Floats
    allowed: Floats
    missed_most: Floats
    missed_least: Floats
    judged: Floats
    prompts: Floats
    outputs: Floats
    prompt_sum: Floats
    prompted: Floats
    output_sum: Floats
    answered: Floats
    prior_prompt: Floats
    prior_output: Floats
    prior_cached: Floats
    goals: Goals
    engines: Engines
    ready: Floats
    coming: Floats
    stuck: Floats
    desired: Floats
    finished: Floats
    running: Floats
    waiting: Floats
    prompt_tokens: Floats
    cached_tokens: Floats
    generated: Floats
    between: Floats
    kv_usage: Floats
    startup_prior: Floats


def fleet_of(policies: Sequence[Policy], signals: Sequence[Signals], memory: Memory) -> Fleet:
    """One pass over all pools. `memory` gives and keeps the requests in flight, from which arrivals are derived."""
    constants: list[tuple[float, ...]] = []
    goals: list[tuple[float, ...]] = []
    pool_rows: list[tuple[float, ...]] = []
    row_rows: list[tuple[float, ...]] = []
    priors: list[tuple[float, ...]] = []
    owner: list[int] = []
    prompts, outputs = [], []
    inflight = memory.row("inflight").tolist()
    at = 0
    for index, (policy, seen) in enumerate(zip(policies, signals, strict=True)):
        named = {variant.name: variant for variant in seen.variants}
        wanted = objectives_of(policy)
        goals.append(_goals(wanted))
        oldest = policy.limits.stale * policy.tick
        derived, any_rows = 0.0, False
        most = least = judged = 0.0
        tokens, asked, generated, answered = 0.0, 0.0, 0.0, 0.0
        asks, answers = [0.0] * PROMPT_EDGES, [0.0] * OUTPUT_EDGES
        prompts.append(asks)
        outputs.append(answers)
        for variant in policy.variants:
            constants.append(_constants(variant))
            owner.append(index)
            found = named.get(variant.name)
            if found is None:
                row_rows.append(_EMPTY)
                derived = NAN
                at += 1
                continue
            row, arrivals, flight = _row(found, inflight[at], oldest)
            inflight[at] = flight
            row_rows.append(row)
            derived += arrivals
            any_rows = True
            at += 1
            total, count = _lengths(found.prompt_lengths, asks, FIRST_PROMPT)
            tokens, asked = tokens + total, asked + count
            total, count = _lengths(found.output_lengths, answers, 0)
            generated, answered = generated + total, answered + count
            finished = row[3]
            high, low, count = _misses(wanted, found, finished)
            most, least, judged = most + high, least + low, judged + count
        gateway = _gateway_misses(wanted, seen)
        if gateway is not None:
            most, least, judged = gateway
        shed = _value(seen.shed, oldest)
        if shed > 0:
            most, least, judged = most + shed, least + shed, judged + shed
        arrived = _value(seen.arrived, oldest)
        if math.isnan(arrived) and any_rows:
            arrived = derived
        priors.append((policy.lengths.prompt, policy.lengths.output, policy.lengths.cached))
        pool_rows.append(
            (
                max(seen.seconds, 1e-3),
                arrived,
                _value(seen.queued, oldest),
                _value(seen.queued_tokens, oldest),
                _value(seen.season, math.inf),
                1.0 - max(objective.fraction for objective in wanted),
                most,
                least,
                judged,
                tokens,
                asked,
                generated,
                answered,
            )
        )
    memory.row("inflight")[:] = inflight
    pools, rows, figures = np.array(pool_rows), np.array(row_rows), np.array(constants)
    prior = np.array(priors)
    counts = np.array([len(policy.variants) for policy in policies])
    thresholds = np.array(goals)
    of = np.array(owner)
    return Fleet(
        first_row=np.concatenate([[0], np.cumsum(counts)[:-1]]),
        rows=counts,
        pool=of,
        seconds=pools[:, 0],
        arrived=pools[:, 1],
        queued=pools[:, 2],
        queued_tokens=pools[:, 3],
        season=pools[:, 4],
        allowed=np.maximum(pools[:, 5], 1e-4),
        missed_most=pools[:, 6],
        missed_least=pools[:, 7],
        judged=pools[:, 8],
        prompts=np.array(prompts),
        outputs=np.array(outputs),
        prompt_sum=pools[:, 9],
        prompted=pools[:, 10],
        output_sum=pools[:, 11],
        answered=pools[:, 12],
        prior_prompt=prior[:, 0],
        prior_output=prior[:, 1],
        prior_cached=prior[:, 2],
        goals=Goals(*(thresholds[of, k] for k in range(4))),
        engines=Engines(
            **{name: figures[:, k] for k, name in enumerate(_FIGURES)},
            prefills=figures[:, 11] > 0,
            decodes=figures[:, 12] > 0,
            factors=memory.row("factors"),
        ),
        ready=rows[:, 0],
        coming=rows[:, 1],
        stuck=rows[:, 2],
        finished=rows[:, 3],
        running=rows[:, 4],
        waiting=rows[:, 5],
        prompt_tokens=rows[:, 6],
        cached_tokens=rows[:, 7],
        generated=rows[:, 8],
        between=rows[:, 9],
        kv_usage=rows[:, 10],
        desired=rows[:, 11],
        startup_prior=figures[:, 13],
    )


_FIGURES = (
    "read",
    "read_token",
    "compute",
    "compute_token",
    "attention_pair",
    "kv_token",
    "prefill_request",
    "mixed",
    "kv_tokens",
    "max_num_seqs",
    "max_num_batched_tokens",
)
_EMPTY = (0.0, 0.0, 0.0, *([NAN] * 8), NAN)


def _constants(v: VariantPolicy) -> tuple[float, ...]:
    step = v.step_time
    return (
        step.read,
        step.read_token,
        step.compute,
        step.compute_token,
        step.attention_pair,
        step.kv_token,
        step.prefill_request,
        step.mixed,
        float(v.kv_tokens),
        float(v.max_num_seqs),
        float(v.max_num_batched_tokens),
        float(v.role != "decode"),
        float(v.role != "prefill"),
        float(v.startup),
    )


@lru_cache(maxsize=4096)
def _goals(objectives: tuple[Objective, ...]) -> tuple[float, ...]:
    tightest = dict.fromkeys(("ttft", "tpot", "itl", "e2e"), NO_GOAL)
    for objective in objectives:
        tightest[objective.metric] = min(tightest[objective.metric], objective.threshold)
    return tuple(tightest[name] for name in ("ttft", "tpot", "itl", "e2e"))


def _value(sample: Sample, oldest: float) -> float:
    if type(sample) is Known:
        return sample.value if sample.age <= oldest else NAN
    if type(sample) is NoTraffic:
        return 0.0 if sample.age <= oldest else NAN
    return NAN


def _row(seen: VariantSignals, before: float, oldest: float) -> tuple[tuple[float, ...], float, float]:
    """The figures of a variant, its arrivals, and its requests in flight for the next tick."""
    replicas = seen.replicas
    stuck = len([pending for pending in replicas.pending if pending.stuck]) if replicas.pending else 0
    finished, running = _value(seen.finished, oldest), _value(seen.running, oldest)
    waiting = _value(seen.waiting, oldest)
    if replicas.ready == 0 and replicas.desired == 0:
        # there is nobody to ask, and nobody should be there: nothing runs
        finished, running, waiting = [0.0 if math.isnan(v) else v for v in (finished, running, waiting)]
    flight = running + waiting
    arrivals = _value(seen.arrived, oldest)
    if math.isnan(arrivals):
        arrivals = max(0.0, finished + (flight - before if before >= 0 else 0.0))
        if math.isnan(finished) or math.isnan(flight):
            arrivals = NAN
    between = _mean(seen.itl)
    if math.isnan(between):
        between = _mean(seen.tpot)
    row = (
        float(replicas.ready),
        float(len(replicas.pending) - stuck),
        float(stuck),
        finished,
        running,
        waiting,
        _value(seen.prompt_tokens, oldest),
        _value(seen.cached_tokens, oldest),
        _value(seen.generated_tokens, oldest),
        between,
        _value(seen.kv_usage, oldest),
        float(replicas.desired),
    )
    return row, arrivals, (before if math.isnan(flight) else flight)


def _mean(observed: Observed) -> float:
    if type(observed) is not Distribution:
        return NAN
    total = middle = 0.0
    for (low, high), count in observed.histogram.counts.items():
        total += count
        middle += count * _middle(low, high)
    if total <= 0:
        return NAN
    return (observed.sum if observed.sum is not None else middle) / total


@lru_cache(maxsize=4096)
def _middle(low: float, high: float) -> float:
    if math.isinf(high):
        return 1.5 * max(low, 0.0)
    low = max(low, 0.0)
    return (low + high) / 2


@lru_cache(maxsize=4096)
def _bucket(low: float, high: float, first: int, size: int) -> int:
    middle = max(_middle(low, high), 1.0)
    return min(max(round(math.log2(middle)) - first, 0), size - 1)


def _lengths(observed: Observed, into: list[float], first: int) -> tuple[float, float]:
    """Counts requests by length; their tokens and number, 0 where the tokens are not known."""
    if type(observed) is not Distribution:
        return 0.0, 0.0
    size, requests = len(into), 0.0
    for (low, high), count in observed.histogram.counts.items():
        into[_bucket(low, high, first, size)] += count
        requests += count
    return (0.0, 0.0) if observed.sum is None else (observed.sum, requests)


def _misses(objectives: tuple[Objective, ...], seen: VariantSignals, finished: float) -> tuple[float, float, float]:
    """Requests that missed an objective, at most and at least, and of how many: only the marginals are measured."""
    return _bounds(objectives, {"ttft": seen.ttft, "tpot": seen.tpot, "itl": seen.itl, "e2e": seen.e2e}, finished)


def _gateway_misses(objectives: tuple[Objective, ...], seen: Signals) -> tuple[float, float, float] | None:
    measured = {"ttft": seen.ttft, "tpot": seen.tpot, "e2e": seen.e2e}
    if not any(type(measured[o.metric]) is Distribution for o in objectives if o.metric in measured):
        return None
    total = max(v.histogram.total for v in measured.values() if type(v) is Distribution)
    return _bounds(objectives, measured, total)


def _bounds(
    objectives: tuple[Objective, ...], measured: dict[str, Observed], requests: float
) -> tuple[float, float, float]:
    most = least = judged = 0.0
    for objective in objectives:
        observed = measured.get(objective.metric)
        if type(observed) is not Distribution:
            continue
        total = outside = 0.0
        for (low, high), count in observed.histogram.counts.items():
            total += count
            if low >= objective.threshold:
                outside += count
            elif high > objective.threshold:
                width = high - low
                inside = (objective.threshold - low) / width if math.isfinite(width) else 0.0
                outside += count * (1 - inside)
        if total <= 0:
            continue
        if objective.metric == "itl" and requests > 0:
            # tokens outside, as that share of the requests
            outside, total = outside / total * requests, requests
        judged = max(judged, total)
        most += outside
        least = max(least, outside)
    if requests > 0:
        judged = max(judged, requests)
    return min(most, judged), least, judged


def prior_shares(mean: Floats, first: int, size: int) -> Floats:
    """Shares (pools, size) of log-normal lengths with a mean, where none have been seen."""
    centers = np.arange(first, first + size) * math.log(2.0)
    middle = np.log(np.maximum(mean, 1.0)) - _PRIOR_SIGMA**2 / 2
    weight = np.exp(-0.5 * ((centers[None, :] - middle[:, None]) / _PRIOR_SIGMA) ** 2) + 1e-12
    return np.asarray(weight / weight.sum(axis=1, keepdims=True), dtype=np.float64)
