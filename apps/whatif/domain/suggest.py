"""Which variants would keep an objective for a new model: replicas, cost and how well, from priors alone.

Nothing has been measured of a pool that does not exist. The step times are those of the catalogue (measured, or scaled
from the nearest pair known: good to about a factor of 1.5), the share of requests that misses comes from the capacity
curves that the autoscaler decides by (apps.autoscaling.domain.capacity), for a steady load with Poisson arrivals and
lengths that scatter as those of chat traces do. So a suggestion is a place to start; the autoscaler learns the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from apps.autoscaling.domain.capacity import NO_GOAL, Goals, curve_of
from apps.autoscaling.domain.grid import inverse, look_up
from apps.autoscaling.domain.steps import Engines, Traffic
from apps.physics.steptime import StepTimeModel

__all__ = ["MOST_REPLICAS", "Option", "Suggestion", "Wanted", "suggest"]

Floats = NDArray[np.float64]

# lengths: log-normal, of which so many equally likely middles are looked at
_BUCKETS = 12
# standard deviation of the logarithm of prompt and answer lengths; 1.0 is a long tail, as in the public chat traces
_SCATTER = 1.0
_MAX_NUM_SEQS = 1024.0
_MAX_NUM_BATCHED_TOKENS = 8192.0
MOST_REPLICAS = 10_000
# load of a replica (1: as much as it can do) above which a busier minute of the busy hour would pile up
_FULLEST = 0.85


@dataclass(frozen=True, slots=True)
class Wanted:
    """The load to carry and the promise about it.

    requests_per_second: of the whole pool, steady. prompt, output: mean tokens. cached: share of prompt tokens found
    in a cache, 0..1. ttft, tpot: seconds, None: no such objective. fraction: of requests that must keep them, 0..1.
    """

    requests_per_second: float
    prompt: float
    output: float
    cached: float = 0.0
    ttft: float | None = None
    tpot: float | None = None
    fraction: float = 0.95


@dataclass(frozen=True, slots=True)
class Option:
    """One way to run a replica. kv_tokens: that its cache holds. price: of one replica per hour, None: not listed."""

    accelerator: str
    tensor: int
    step_time: StepTimeModel
    kv_tokens: int
    price: float | None = None


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What came out for one option.

    verdict: `keeps` the promise with `replicas`, or `never`: no number of replicas does. carries: requests per second
    of one replica within the promise (0 for never). attained: share of requests within the promise with `replicas`,
    for `never` the best that an idle replica does. cost: per hour, None without a price.
    """

    option: Option
    verdict: Literal["keeps", "never"]
    replicas: int
    carries: float
    attained: float
    cost: float | None


def suggest(options: Sequence[Option], wanted: Wanted) -> list[Suggestion]:
    """The options from the cheapest that keeps the promise on; unpriced ones after them, those that never do last."""
    if not options:
        return []
    curve = curve_of(_engines(options), _traffic(len(options), wanted), _goals(len(options), wanted))
    allowed = max(1.0 - wanted.fraction, 1e-4)
    load = np.minimum(inverse(curve.miss, np.full(len(options), allowed))[0], _FULLEST)
    carries = load / curve.work
    # an objective that is missed at the lowest load of the curves is missed whatever the number of replicas
    idle = curve.miss[:, 0]
    never = (idle > allowed) | (curve.floor > allowed)
    counts = np.ceil(np.maximum(wanted.requests_per_second / np.maximum(carries, 1e-9), 1.0) - 1e-9)
    never |= counts > MOST_REPLICAS
    each = wanted.requests_per_second * curve.work / np.maximum(counts, 1.0)
    missing = np.where(never, np.maximum(idle, curve.floor), look_up(curve.miss, each[:, None])[:, 0])
    found = [
        Suggestion(
            option=option,
            verdict="never" if never[at] else "keeps",
            replicas=0 if never[at] else int(counts[at]),
            carries=0.0 if never[at] else float(carries[at]),
            attained=float(np.clip(1.0 - missing[at], 0.0, 1.0)),
            cost=None if never[at] or option.price is None else option.price * int(counts[at]),
        )
        for at, option in enumerate(options)
    ]
    return sorted(found, key=_order)


def _order(one: Suggestion) -> tuple[bool, bool, float, int, str]:
    accelerators = one.replicas * one.option.tensor
    cost = one.cost if one.cost is not None else math.inf
    return one.verdict == "never", one.cost is None, cost, accelerators, one.option.accelerator


def _engines(options: Sequence[Option]) -> Engines:
    def column(name: str) -> Floats:
        return np.array([float(getattr(option.step_time, name)) for option in options])

    rows = len(options)
    return Engines(
        read=column("read"),
        read_token=column("read_token"),
        compute=column("compute"),
        compute_token=column("compute_token"),
        attention_pair=column("attention_pair"),
        kv_token=column("kv_token"),
        prefill_request=column("prefill_request"),
        mixed=column("mixed"),
        kv_tokens=np.array([float(option.kv_tokens) for option in options]),
        max_num_seqs=np.full(rows, _MAX_NUM_SEQS),
        max_num_batched_tokens=np.full(rows, _MAX_NUM_BATCHED_TOKENS),
        prefills=np.ones(rows, dtype=np.bool_),
        decodes=np.ones(rows, dtype=np.bool_),
        factors=np.ones((rows, 4)),
    )


def _traffic(rows: int, wanted: Wanted) -> Traffic:
    middles = (np.arange(_BUCKETS) + 0.5) / _BUCKETS
    shape = np.exp(_SCATTER * ndtri(middles))
    shape /= shape.mean()
    share = np.full((rows, _BUCKETS), 1.0 / _BUCKETS)
    return Traffic(
        prompt=np.tile(np.maximum(wanted.prompt * shape, 1.0), (rows, 1)),
        prompt_share=share,
        output=np.tile(np.maximum(wanted.output * shape, 1.0), (rows, 1)),
        output_share=share,
        cached=np.full(rows, wanted.cached),
        dispersion=np.ones(rows),
    )


def _goals(rows: int, wanted: Wanted) -> Goals:
    none = np.full(rows, NO_GOAL)
    return Goals(
        ttft=np.full(rows, wanted.ttft) if wanted.ttft is not None else none,
        tpot=np.full(rows, wanted.tpot) if wanted.tpot is not None else none,
        itl=none,
        e2e=none,
    )
