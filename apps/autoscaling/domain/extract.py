"""Policies and signals of many pools, read into arrays: what is not known is NaN, and never zero."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from operator import mul
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import at, where
from apps.autoscaling.domain.capacity import NO_GOAL, Goals
from apps.autoscaling.domain.fleet import Fleet
from apps.autoscaling.domain.lengths import MIDDLES, ByLength, table
from apps.autoscaling.domain.memory import Memory
from apps.autoscaling.domain.misses import missed, missed_at_gateway, objectives_of
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
    Unknown,
    VariantPolicy,
    VariantSignals,
    record,
)

__all__ = ["fleet_of"]

Floats = NDArray[np.float64]
NAN = math.nan
_MIDDLES = MIDDLES.__getitem__


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
        self.figures: list[bytes] = []
        self.counts: list[int] = []
        self.owners: list[int] = []
        self.seen: list[VariantSignals | None] = []
        self.prompts, self.outputs = ByLength(0), ByLength(1)

    def pool(self, policy: Policy, signals: Signals) -> None:
        index, declared = len(self.counts), _declared(policy)
        wanted, oldest = declared.objectives, declared.oldest
        derived, any_rows = 0.0, False
        most = least = judged = tokens = asked = generated = answered = 0.0
        seen = _seen(policy, signals)
        self.seen += seen
        self.counts.append(len(seen))
        self.figures.append(declared.of_rows)
        for found in seen:
            at = len(self.owners)
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
            high, low, count = missed(wanted, found, row[_FINISHED])
            most, least, judged = most + high, least + low, judged + count
        gateway = missed_at_gateway(wanted, signals)
        if gateway is not None:
            most, least, judged = gateway
        shed = _value(signals.shed, oldest)
        if shed > 0:
            most, least, judged = most + shed, least + shed, judged + shed
        arrived = _value(signals.arrived, oldest)
        if arrived != arrived and any_rows:
            arrived = derived
        self.pools += (
            policy.tick,
            max(signals.seconds, 1e-3),
            arrived,
            _value(signals.queued, oldest),
            _value(signals.queued_tokens, oldest),
            _value(signals.season, math.inf),
            most,
            least,
            judged,
            tokens,
            asked,
            generated,
            answered,
            *declared.of_pool,
        )

    def fleet(self, factors: Floats) -> Fleet:
        """Of all pools that were read. factors: of the step-time model (rows, 4)."""
        of, counts = np.array(self.owners), np.array(self.counts)
        figures = dict(zip(_FIGURES, _columns(np.frombuffer(b"".join(self.figures)), len(_FIGURES)), strict=True))
        declared = {name: figures.pop(name) for name in ("startup_prior", "minimum", "maximum", "trusted")}
        prefills, decodes = figures.pop("prefills") > 0, figures.pop("decodes") > 0
        pools = _columns(np.fromiter(self.pools, np.float64, len(self.pools)), len(_OF_POOL) + 7)
        goals = pools[_GOALS] if len(of) == len(counts) else [at(goal, of) for goal in pools[_GOALS]]
        rows = np.fromiter(self.rows, np.float64, len(self.rows))
        measured = dict(zip(_OF_ROW, _columns(rows, len(_OF_ROW)), strict=True))
        desired = measured["desired"]
        return Fleet(
            first_row=np.add.accumulate(counts) - counts,
            rows=counts,
            pool=of,
            lengths=table((self.prompts, self.outputs), len(counts)),
            goals=Goals(*goals),
            engines=Engines(**figures, prefills=prefills, decodes=decodes, factors=factors),
            before=where(desired == desired, desired, declared["minimum"]),
            seen=self.seen,
            prior_lengths=np.array(pools[_PRIORS]).reshape(2, len(counts)),
            allowed=pools[_ALLOWED],
            **declared,
            **dict(zip(_OF_POOL, pools, strict=False)),
            **measured,
        )


def _columns(rows: Floats, width: int) -> Sequence[Any]:
    """The columns of rows that follow each other, as figures of rows."""
    return rows.tolist() if len(rows) == width else list(np.ascontiguousarray(rows.reshape(-1, width).T))


def _seen(policy: Policy, signals: Signals) -> Sequence[VariantSignals | None]:
    """The signals of the policy's variants in its order, None of one that was not seen."""
    mine, found = policy.variants, signals.variants
    if len(mine) == 1 and len(found) == 1 and mine[0].name == found[0].name:
        return found
    named = {variant.name: variant for variant in found}
    return [named.get(variant.name) for variant in mine]


_OF_POOL = (
    *("tick", "seconds", "arrived", "queued", "queued_tokens", "season"),
    *("missed_most", "missed_least", "judged"),
    *("prompt_sum", "prompted", "output_sum", "answered"),
    "prior_cached",
)
# of pools, what follows: mean lengths, goals, and the share that may miss
_PRIORS, _GOALS, _ALLOWED = slice(len(_OF_POOL), len(_OF_POOL) + 2), slice(len(_OF_POOL) + 2, len(_OF_POOL) + 6), -1
_OF_ROW = (
    *("ready", "coming", "stuck", "finished", "running", "waiting"),
    *("prompt_tokens", "cached_tokens", "generated", "between", "kv_usage", "desired"),
)
_FINISHED = _OF_ROW.index("finished")
_EMPTY = (0.0, 0.0, 0.0, *([NAN] * 9))
_FIGURES = (
    *("read", "read_token", "compute", "compute_token", "attention_pair", "kv_token", "prefill_request", "mixed"),
    *("kv_tokens", "max_num_seqs", "max_num_batched_tokens", "prefills", "decodes"),
    *("startup_prior", "minimum", "maximum", "trusted"),
)


@record
class _Declared:
    """What is read of a policy: its objectives, seconds up to which what was measured counts, the figures of its
    variants one after the other (`_FIGURES` of each, as doubles), and those of `_OF_POOL` from its prior on."""

    objectives: Sequence[Objective]
    oldest: float
    of_rows: bytes
    of_pool: tuple[float, ...]


def _declared(policy: Policy) -> _Declared:
    """Kept with the policy, which does not change: a pool has the same one for many ticks."""
    try:
        return cast(_Declared, policy.kept)
    except AttributeError:
        pass
    wanted, prior = objectives_of(policy), policy.lengths
    of_rows = array("d")
    for variant in policy.variants:
        of_rows.extend(_figures(variant, policy.limits.residual))
    of_pool = (prior.cached, prior.prompt, prior.output, *_goals(wanted))
    found = _Declared(wanted, policy.limits.stale * policy.tick, of_rows.tobytes(), of_pool)
    object.__setattr__(policy, "kept", found)
    return found


def _figures(v: VariantPolicy, trusted: float) -> tuple[float, ...]:
    step, role = v.step_time, v.role
    return (
        step.read,
        step.read_token,
        step.compute,
        step.compute_token,
        step.attention_pair,
        step.kv_token,
        step.prefill_request,
        step.mixed,
        v.kv_tokens,
        v.max_num_seqs,
        v.max_num_batched_tokens,
        role != "decode",
        role != "prefill",
        v.startup,
        v.minimum,
        v.maximum,
        trusted,
    )


def _goals(objectives: Sequence[Objective]) -> tuple[float, ...]:
    """The tightest threshold of each metric, and the share of requests that may miss."""
    ttft = tpot = itl = e2e = NO_GOAL
    strictest = 0.0
    for objective in objectives:
        metric, threshold = objective.metric, objective.threshold
        strictest = max(strictest, objective.fraction)
        if metric == "ttft":
            ttft = min(ttft, threshold)
        elif metric == "tpot":
            tpot = min(tpot, threshold)
        elif metric == "itl":
            itl = min(itl, threshold)
        else:
            e2e = min(e2e, threshold)
    return ttft, tpot, itl, e2e, max(1.0 - strictest, 1e-4)


def _value(sample: Sample, oldest: float) -> float:
    if type(sample) is Known:
        return sample.value if sample.age <= oldest else NAN
    if type(sample) is NoTraffic:
        return 0.0 if sample.age <= oldest else NAN
    return NAN


def _row(seen: VariantSignals, before: float, oldest: float) -> tuple[tuple[float, ...], float, float]:
    """The figures of a variant, its arrivals, and its requests in flight for the next tick. Most samples are known: of
    those no function is asked."""
    replicas = seen.replicas
    ready, desired, pending = replicas.ready, replicas.desired, replicas.pending
    stuck = len([replica for replica in pending if replica.stuck]) if pending else 0
    s = seen.finished
    finished = s.value if type(s) is Known and s.age <= oldest else _value(s, oldest)
    s = seen.running
    running = s.value if type(s) is Known and s.age <= oldest else _value(s, oldest)
    s = seen.waiting
    waiting = s.value if type(s) is Known and s.age <= oldest else _value(s, oldest)
    if ready == 0 and desired == 0:
        # there is nobody to ask, and nobody should be there: nothing runs
        finished, running, waiting = [0.0 if math.isnan(v) else v for v in (finished, running, waiting)]
    flight = running + waiting
    s = seen.arrived
    arrivals = NAN if type(s) is Unknown else _value(s, oldest)
    if arrivals != arrivals:
        came = finished + (flight - before if before >= 0 else 0.0)
        arrivals = came if came > 0 else 0.0
        if finished != finished or flight != flight:
            arrivals = NAN
    s = seen.prompt_tokens
    prompt = s.value if type(s) is Known and s.age <= oldest else _value(s, oldest)
    s = seen.cached_tokens
    cached = s.value if type(s) is Known and s.age <= oldest else _value(s, oldest)
    s = seen.generated_tokens
    generated = s.value if type(s) is Known and s.age <= oldest else _value(s, oldest)
    s = seen.kv_usage
    usage = s.value if type(s) is Known and s.age <= oldest else _value(s, oldest)
    between = _mean(seen.itl)
    if between != between:
        between = _mean(seen.tpot)
    row = (
        ready,
        len(pending) - stuck,
        stuck,
        finished,
        running,
        waiting,
        prompt,
        cached,
        generated,
        between,
        usage,
        desired,
    )
    return row, arrivals, (before if flight != flight else flight)


def _mean(observed: Observed) -> float:
    if type(observed) is not Distribution:
        return NAN
    counts = observed.histogram.counts
    total = sum(counts.values())
    if total <= 0:
        return NAN
    if observed.sum is not None:
        return observed.sum / total
    return sum(map(mul, counts.values(), map(_MIDDLES, counts))) / total
