"""What is known of many pools at one tick, as arrays: what is not known is NaN, and never zero."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import columns, known
from apps.autoscaling.domain.capacity import Goals
from apps.autoscaling.domain.steps import Engines
from apps.autoscaling.domain.types import VariantSignals

__all__ = ["Fleet"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(slots=True)
class Fleet:
    """What is known of a batch, as figures of pools or of rows; as arrays first_row, rows, pool, lengths and
    prior_lengths. Pools: first_row, rows (how many), tick, seconds, arrived, queued, queued_tokens, season,
    allowed, missed_most, missed_least, judged (requests judged); prompt_sum and prompted, output_sum and answered:
    tokens of the requests whose lengths were counted, and how many (0: none); of prompts and outputs, (2, pools,
    buckets) and (2, pools): `lengths` counted, `prior_lengths`. Rows: pool, engine figures; minimum, maximum,
    trusted (residual up to which the model of steps is), and of the tick: ready, coming, stuck, desired, before
    (replicas that are to be there already), finished, running, waiting, prompt_tokens, cached_tokens, generated,
    between (mean s), kv_usage. seen: the signals of each row, None where there are none."""

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
    minimum: Floats
    maximum: Floats
    trusted: Floats
    before: Floats
    seen: list[VariantSignals | None]

    def sums(self, *values: Floats) -> Sequence[Floats]:
        """Of figures of rows by pool, what is not known left out: figures of pools."""
        if len(self.first_row) == len(self.pool):
            return [known(of_rows) for of_rows in values]
        return columns(np.add.reduceat(known(np.stack(values, 1)), self.first_row, axis=0))
