"""Policies and signals of many pools as arrays: what is not known is NaN, and never zero."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import columns, known, lone
from apps.autoscaling.domain.capacity import NO_GOAL, Goals
from apps.autoscaling.domain.memory import OUTPUT_EDGES, PROMPT_EDGES, Memory
from apps.autoscaling.domain.steps import Engines
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
from apps.telemetry.domain.histogram import Bucket

__all__ = ["DEFAULT_OBJECTIVES", "FIRST_PROMPT", "Fleet", "fleet_of", "objectives_of", "prior_shares"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
NAN = math.nan

DEFAULT_OBJECTIVES = (Objective("ttft", 2.0, 0.95), Objective("tpot", 0.1, 0.95))
# log2 of the shortest prompt bucket
FIRST_PROMPT = 4
_PRIOR_SIGMA = 0.8
# of prompts and outputs (kinds, 1, buckets)
_LOG_CENTERS: Floats = (np.array([[FIRST_PROMPT], [0]]) + np.arange(float(PROMPT_EDGES)))[:, None, :] * math.log(2.0)


def objectives_of(policy: Policy) -> tuple[Objective, ...]:
    return policy.objectives or DEFAULT_OBJECTIVES


@dataclass(slots=True)
class Fleet:
    """Arrays of a batch. (pools,): first_row, rows (how many), tick, seconds, arrived, queued, queued_tokens, season,
    allowed, missed_most, missed_least, judged (requests judged); prompt_sum and prompted, output_sum and answered:
    tokens of the requests whose lengths were counted, and how many (0: none); of prompts and outputs, (2, pools,
    buckets) and (2, pools): `lengths` counted, `prior_lengths`. (rows,): pool, engine figures, and of the tick: ready,
    coming, stuck, finished, running, waiting, prompt_tokens, cached_tokens, generated, between (mean s). seen: the
    signals of each row, None where there are none."""

    first_row: Ints
    rows: Ints
    pool: Ints
    tick: Floats
    seconds: Floats
    arrived: Floats
    queued: Floats
    queued_tokens: Floats
    season: Floats
    allowed: Floats
    missed_most: Floats
    missed_least: Floats
    judged: Floats
    lengths: Floats
    prompt_sum: Floats
    prompted: Floats
    output_sum: Floats
    answered: Floats
    prior_lengths: Floats
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
    maximum: Floats
    seen: list[VariantSignals | None]

    def sums(self, *values: Floats) -> Sequence[Floats]:
        """Of row values (rows,) by pool, what is not known left out: figures of pools."""
        if len(self.first_row) == len(self.pool):
            return [known(lone(of_rows)) for of_rows in values]
        return columns(self.per_pool(np.stack(values, 1)))

    def per_pool(self, values: Floats) -> Floats:
        """Sums of row values (rows, k) by pool, what is not known left out."""
        return np.asarray(np.add.reduceat(known(values), self.first_row, axis=0), dtype=np.float64)


def fleet_of(policies: Sequence[Policy], signals: Sequence[Signals], memory: Memory) -> Fleet:
    """One pass over all pools. `memory` gives and keeps the requests in flight, from which arrivals are derived."""
    reading = _Reading(memory.row("inflight").tolist())
    for policy, seen in zip(policies, signals, strict=True):
        reading.pool(policy, seen)
    memory.row("inflight")[:] = reading.inflight
    return reading.fleet(memory.row("factors"))


class _Reading:
    """Policies and signals, read one after the other into rows of numbers (`_OF_POOL`, `_OF_ROW`, `_FIGURES`).
    `inflight` (rows,): requests in flight at the last tick, below 0 where not known; after reading, at this one."""

    def __init__(self, inflight: list[float]) -> None:
        self.inflight = inflight
        self.pools: list[float] = []
        self.rows: list[float] = []
        self.figures: list[float] = []
        self.goals: list[float] = []
        self.counts: list[int] = []
        self.owners: list[int] = []
        self.seen: list[VariantSignals | None] = []
        self.prompts = _ByLength(_prompt_bucket, PROMPT_EDGES)
        self.outputs = _ByLength(_output_bucket, OUTPUT_EDGES)

    def pool(self, policy: Policy, signals: Signals) -> None:
        index, wanted = len(self.counts), objectives_of(policy)
        oldest = policy.limits.stale * policy.tick
        derived, any_rows = 0.0, False
        most = least = judged = tokens = asked = generated = answered = 0.0
        seen = _seen(policy, signals)
        self.seen += seen
        self.counts.append(len(seen))
        self.goals += _goals(wanted)
        for variant, found in zip(policy.variants, seen, strict=True):
            at = len(self.owners)
            self.figures += _figures(variant)
            self.owners.append(index)
            if found is None:
                self.rows += _EMPTY
                derived = NAN
                continue
            row, arrivals, self.inflight[at] = _row(found, self.inflight[at], oldest)
            self.rows += row
            derived, any_rows = derived + arrivals, True
            total, count = self.prompts.add(index, found.prompt_lengths)
            tokens, asked = tokens + total, asked + count
            total, count = self.outputs.add(index, found.output_lengths)
            generated, answered = generated + total, answered + count
            high, low, count = _bounds(wanted, found, row[_FINISHED])
            most, least, judged = most + high, least + low, judged + count
        gateway = _gateway_misses(wanted, signals)
        if gateway is not None:
            most, least, judged = gateway
        shed = _value(signals.shed, oldest)
        if shed > 0:
            most, least, judged = most + shed, least + shed, judged + shed
        arrived = _value(signals.arrived, oldest)
        if math.isnan(arrived) and any_rows:
            arrived = derived
        prior = policy.lengths
        self.pools += (
            policy.tick,
            max(signals.seconds, 1e-3),
            arrived,
            _value(signals.queued, oldest),
            _value(signals.queued_tokens, oldest),
            _value(signals.season, math.inf),
            max(1.0 - max([objective.fraction for objective in wanted]), 1e-4),
            *(most, least, judged),
            *(tokens, asked, generated, answered),
            *(prior.cached, prior.prompt, prior.output),
        )

    def fleet(self, factors: Floats) -> Fleet:
        """Of all pools that were read. factors: of the step-time model (rows, 4)."""
        of, counts = np.array(self.owners), np.array(self.counts)
        figures = dict(zip(_FIGURES, _columns(self.figures, len(_FIGURES)), strict=True))
        prefills, decodes = figures.pop("prefills") > 0, figures.pop("decodes") > 0
        startup, maximum = figures.pop("startup"), figures.pop("maximum")
        pools = _columns(self.pools, len(_OF_POOL) + 2)
        return Fleet(
            first_row=np.cumsum(counts) - counts,
            rows=counts,
            pool=of,
            lengths=_table(self.prompts, self.outputs, len(counts)),
            goals=Goals(*_columns(self.goals, 4)[:, of]),
            engines=Engines(**figures, prefills=prefills, decodes=decodes, factors=factors),
            startup_prior=startup,
            maximum=maximum,
            seen=self.seen,
            prior_lengths=pools[-2:],
            **dict(zip(_OF_POOL, pools, strict=False)),
            **dict(zip(_OF_ROW, _columns(self.rows, len(_OF_ROW)), strict=True)),
        )


def _columns(rows: Sequence[float], width: int) -> Floats:
    """(width, rows) of rows that follow each other, each column side by side."""
    return np.ascontiguousarray(np.array(rows, dtype=np.float64).reshape(-1, width).T)


def _seen(policy: Policy, signals: Signals) -> Sequence[VariantSignals | None]:
    """The signals of the policy's variants in its order, None of one that was not seen."""
    mine, found = policy.variants, signals.variants
    if len(mine) == 1 and len(found) == 1 and mine[0].name == found[0].name:
        return found
    named = {variant.name: variant for variant in found}
    return [named.get(variant.name) for variant in mine]


_OF_POOL = (
    *("tick", "seconds", "arrived", "queued", "queued_tokens", "season", "allowed"),
    *("missed_most", "missed_least", "judged"),
    *("prompt_sum", "prompted", "output_sum", "answered"),
    "prior_cached",
)
_OF_ROW = (
    *("ready", "coming", "stuck", "finished", "running", "waiting"),
    *("prompt_tokens", "cached_tokens", "generated", "between", "kv_usage", "desired"),
)
_FINISHED = _OF_ROW.index("finished")
_EMPTY = (0.0, 0.0, 0.0, *([NAN] * 9))
_FIGURES = (
    *("read", "read_token", "compute", "compute_token", "attention_pair", "kv_token", "prefill_request", "mixed"),
    *("kv_tokens", "max_num_seqs", "max_num_batched_tokens", "prefills", "decodes", "startup", "maximum"),
)


def _figures(v: VariantPolicy) -> tuple[float, ...]:
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
        float(v.maximum),
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
    counts = observed.histogram.counts
    total = sum(counts.values())
    if total <= 0:
        return NAN
    if observed.sum is not None:
        return observed.sum / total
    return sum([count * _middle(*bucket) for bucket, count in counts.items()]) / total


@lru_cache(maxsize=4096)
def _middle(low: float, high: float) -> float:
    if math.isinf(high):
        return 1.5 * max(low, 0.0)
    low = max(low, 0.0)
    return (low + high) / 2


def _bucket(bucket: Bucket, first: int, size: int) -> int:
    middle = max(_middle(*bucket), 1.0)
    return min(max(round(math.log2(middle)) - first, 0), size - 1)


@lru_cache(maxsize=4096)
def _prompt_bucket(bucket: Bucket) -> int:
    return _bucket(bucket, FIRST_PROMPT, PROMPT_EDGES)


@lru_cache(maxsize=4096)
def _output_bucket(bucket: Bucket) -> int:
    return _bucket(bucket, 0, OUTPUT_EDGES)


class _ByLength:
    """Requests by length of many pools: counts and their places in a table (pools, size). `bucket`: where a bucket of a
    histogram lies in its row."""

    def __init__(self, bucket: Callable[[Bucket], int], size: int) -> None:
        self.bucket, self.size = bucket, size
        self.places: list[int] = []
        self.counts: list[float] = []

    def add(self, pool: int, observed: Observed) -> tuple[float, float]:
        """Takes in lengths of a pool; their tokens and number, 0 where the tokens are not known."""
        if type(observed) is not Distribution:
            return 0.0, 0.0
        found, bucket, start = observed.histogram.counts, self.bucket, pool * self.size
        self.places += [start + bucket(edges) for edges in found]
        self.counts += found.values()
        return (0.0, 0.0) if observed.sum is None else (observed.sum, sum(found.values()))


def _table(first: _ByLength, second: _ByLength, pools: int) -> Floats:
    """Of two as large (2, pools, size)."""
    places = np.array(first.places + second.places, dtype=np.int64)
    places[len(first.places) :] += pools * first.size
    counted = np.bincount(places, first.counts + second.counts, 2 * pools * first.size)
    return np.asarray(counted.reshape(2, pools, first.size), dtype=np.float64)


def _gateway_misses(objectives: tuple[Objective, ...], seen: Signals) -> tuple[float, float, float] | None:
    measured = [v for v in (seen.ttft, seen.tpot, seen.e2e) if type(v) is Distribution]
    if not any([type(getattr(seen, o.metric, None)) is Distribution for o in objectives] if measured else ()):
        return None
    return _bounds(objectives, seen, max([v.histogram.total for v in measured]))


def _bounds(
    objectives: tuple[Objective, ...], seen: VariantSignals | Signals, requests: float
) -> tuple[float, float, float]:
    """Requests that missed an objective, at most and at least, and of how many: only the marginals are measured."""
    most = least = judged = 0.0
    known = False
    for objective in objectives:
        observed = getattr(seen, objective.metric, None)
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
        if objective.metric == "itl" and requests > 0:
            # tokens outside, as that share of the requests
            outside, total = outside / total * requests, requests
        judged = max(judged, total)
        most += outside
        least = max(least, outside)
    # requests of which nothing was measured have met nothing: they are no calm that teaches to size tighter
    if known and requests > 0:
        judged = max(judged, requests)
    return min(most, judged), least, judged


def prior_shares(means: Floats) -> Floats:
    """Shares (kinds, pools, buckets) of log-normal lengths of prompts and outputs with these means (kinds, pools),
    where none have been seen."""
    if means.shape[1] == 1:
        return _prior_shares(*means[:, 0].tolist())
    return _log_normal(means)


@lru_cache(maxsize=4096)
def _prior_shares(prompt: float, output: float) -> Floats:
    return _log_normal(np.array([[prompt], [output]]))


def _log_normal(means: Floats) -> Floats:
    middle = np.log(np.maximum(means, 1.0)) - _PRIOR_SIGMA**2 / 2
    weight = np.exp(-0.5 * ((_LOG_CENTERS - middle[:, :, None]) / _PRIOR_SIGMA) ** 2) + 1e-12
    return np.asarray(weight / weight.sum(axis=2, keepdims=True), dtype=np.float64)
