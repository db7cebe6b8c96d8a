"""What a `State` remembers: names, sizes, units; and states of many pools as one array."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import Figures
from apps.autoscaling.domain.types import Numbers, Policy, State

__all__ = ["EXPERTS", "LAYOUT", "MINUTES", "POOL", "RING", "VARIANT", "Field", "Memory", "Table"]

Floats = NDArray[np.float64]

# bumped whenever a name below changes its meaning: an older state then starts anew
LAYOUT = 6
# lengths are counted in buckets of a power of two: 2^4 … 2^18 tokens of prompt, 2^0 … 2^14 of output
PROMPT_EDGES = 15
OUTPUT_EDGES = 15
EXPERTS = ("fast", "slow", "trend", "season")
RING = 12
# needs that the hold tells apart
HOLD_LEVELS = 12
MINUTES = 30
# seconds
LONGEST_HOLD = 1800.0
GAPS = 8


@dataclass(frozen=True, slots=True)
class Field:
    """`size` numbers called `name`, `initial` at first."""

    name: str
    size: int = 1
    initial: float = 0.0


# fmt: off
_POOL = (
    Field("ticks"),                        # decided so far with known arrivals
    Field("prompts", PROMPT_EDGES),        # requests by length of prompt, fading
    Field("outputs", OUTPUT_EDGES),        # requests by length of output, fading
    Field("prompt_tokens"), Field("cached_tokens"),            # as engines count them, fading
    Field("prompt_sum"), Field("prompted"),                    # tokens and requests whose mean is a prompt's, fading
    Field("output_sum"), Field("answered"),                    # the same of outputs
    Field("longer"),                       # ticks in a row with far longer requests than remembered
    Field("fast"), Field("slow"),          # requests/s: 30 s, 300 s
    Field("near"), Field("far"),           # the same, 60 s and 180 s: their difference is the trend
    Field("weight_fast"), Field("weight_slow"), Field("weight_near"), Field("weight_far"),  # bias corrections, 0..1
    Field("dispersion", 1, 1.0),           # variance over mean of arrivals in a tick
    Field("shift"), Field("shift_rate"),   # ticks in a row with far more requests than expected, and their sum
    Field("shift_from"), Field("shift_noise", 1, 1.0),         # level and dispersion before the first of them
    Field("ring_at", RING, -1.0),          # when the forecasts below were made
    Field("ring_for", RING, -1.0),         # and for when
    Field("ring", RING * len(EXPERTS)),    # log requests/s by expert
    Field("ring_mean", RING),              # log requests/s of the ensemble
    Field("loss", len(EXPERTS)),           # recent pinball loss of each expert, in logarithms
    Field("above", 1, 0.04), Field("below", 1, 0.04),  # squared log error of the ensemble where truth was above, below
    Field("bias"),                         # log error of the ensemble, recent mean
    Field("gain", 1, 1.0),                 # what a miss is worth, as a multiple of what the model says
    Field("crowding", 1, 1.05),             # load at which replicas behave, over the load that they have
    Field("missed"), Field("missed_least"), Field("served"),   # of requests, half an hour
    Field("expected"),                     # misses that the model led to expect, half an hour
    Field("strained_from", 1, -1.0), Field("strained_at", 1, -1.0),   # more came than replicas could do: since, last
    Field("blamed"), Field("blamed_least"), Field("weighed"),  # as missed and served, without those of a strain
    Field("hold"),                         # seconds that a lower need must last before replicas go, as it was last
    Field("lately"), Field("peak"),        # requests/s of one start-up; their highest, fading over half an hour
    Field("minutes", MINUTES, -1.0),       # work of the last minutes (replica-seconds a second), the newest first
    Field("minutes_ready", MINUTES),       # replicas that were ready in each of them
    Field("minute_work"), Field("minute_ready"), Field("minute_seconds"),      # of the one that is not over, sums
    Field("usual_ripple"),                 # variance of the logarithm of the load within a minute, mean of the window
    Field("up_at", 1, -1.0), Field("down_at", 1, -1.0),        # last moves
    Field("up_load"),                      # the highest load (replica-seconds a second) since the last move up
    Field("reversals"),                    # fading count over an hour
    Field("idle_from", 1, -1.0),           # since when nothing runs, waits or comes
    Field("gaps", GAPS),                   # idle times seen, by length, fading
    Field("minute_from", 1, -1.0), Field("minute_total", 1, -1.0),    # of the rate limit: when it began, replicas then
    Field("known_at", 1, -1.0),            # when arrivals were last known
)
_VARIANT = (
    Field("factors", 4, 1.0),              # of the prior's fixed, per-token, attention and KV parts of a step
    Field("information", 10),              # of the regression, fading: upper triangle
    Field("moments", 4),                   # of the regression, fading
    Field("residual", 1, 0.0),             # relative error of the step time, fading mean
    Field("inflight", 1, -1.0),            # running + waiting at the last tick
    Field("hold_needs", HOLD_LEVELS),      # of its group: what was needed, falling,
    Field("hold_at", HOLD_LEVELS, -1.0),   # and when each of these was last
    Field("startup", 1, -1.0),             # 90th percentile of measured starts, seconds; below 0: none measured
)
# fmt: on


class Table:
    """Where each field lies in a row."""

    def __init__(self, fields: Sequence[Field]) -> None:
        ends = list(accumulate(f.size for f in fields))
        self.slices = {f.name: slice(end - f.size, end) for f, end in zip(fields, ends, strict=True)}
        self.size = ends[-1]
        self.initial = np.concatenate([np.full(f.size, f.initial) for f in fields])
        self.scalars = frozenset(f.name for f in fields if f.size == 1)

    def named(self, row: Sequence[float]) -> dict[str, list[float] | float]:
        """A row for people."""
        return {name: row[at.start] if name in self.scalars else list(row[at]) for name, at in self.slices.items()}


POOL = Table(_POOL)
VARIANT = Table(_VARIANT)
_FRESH_POOL, _FRESH_ROW = array("d", POOL.initial.tolist()), array("d", VARIANT.initial.tolist())
# where the single numbers of pools are
_PLACES = {name: POOL.slices[name].start for name in POOL.scalars}


class Memory:
    """The memory of many pools: `pool` (pools, POOL.size) and `rows` (variants of all pools in order, VARIANT.size)."""

    def __init__(self, pool: Floats, rows: Floats) -> None:
        self.pool, self.rows = pool, rows
        # the numbers of the only pool, one by one
        self._alone: Any = memoryview(pool[0]) if len(pool) == 1 else None
        self._views: dict[str | tuple[str, str], Floats] = {}

    @classmethod
    def of(cls, policies: Sequence[Policy], states: Sequence[State]) -> Memory:
        pools: list[Numbers] = []
        rows: list[Numbers] = []
        for policy, state in zip(policies, states, strict=True):
            known = state.layout == LAYOUT and len(state.pool) == POOL.size
            pools.append(state.pool if known else _FRESH_POOL)
            held: Mapping[str, Numbers] = state.variants if known else {}
            for variant in policy.variants:
                row = held.get(variant.name, _FRESH_ROW)
                rows.append(row if len(row) == VARIANT.size else _FRESH_ROW)
        return cls(_joined(pools, POOL.size), _joined(rows, VARIANT.size))

    def apart(self) -> tuple[list[Numbers], list[Numbers]]:
        """Pools and rows one by one. Negative zero becomes zero: a store without it gives back the same."""
        return _apart(self.pool + 0.0), _apart(self.rows + 0.0)

    def __getitem__(self, name: str) -> Floats:
        """A pool field of all pools as a view: (pools,) for a number, (pools, size) for several."""
        found = self._views.get(name)
        if found is None:
            at: Any = _PLACES.get(name)
            found = self._views[name] = self.pool[:, POOL.slices[name] if at is None else at]
        return found

    def __setitem__(self, name: str, values: Floats | float) -> None:
        if self._alone is not None and isinstance(values, float):
            self._alone[_PLACES[name]] = values
        else:
            self[name][...] = values

    def figure(self, name: str) -> Figures:
        """A number of all pools, plain where there is one pool."""
        return self[name] if self._alone is None else self._alone[_PLACES[name]]

    def span(self, first: str, last: str) -> Floats:
        """The pool fields from one to another, which follow each other, as a view (pools, their sizes together)."""
        found = self._views.get((first, last))
        if found is None:
            found = self.pool[:, POOL.slices[first].start : POOL.slices[last].stop]
            self._views[first, last] = found
        return found

    def row(self, name: str) -> Floats:
        """A variant field of all rows, as a view."""
        at = VARIANT.slices[name]
        return self.rows[:, at.start] if name in VARIANT.scalars else self.rows[:, at]


def _joined(rows: Sequence[Numbers], size: int) -> Floats:
    return np.frombuffer(bytearray(b"".join(rows)), dtype=np.float64).reshape(-1, size)


def _apart(table: Floats) -> list[Numbers]:
    numbers, width = array("d", table.tobytes()), table.shape[1]
    if len(table) == 1:
        return [numbers]
    return [numbers[at : at + width] for at in range(0, len(numbers), width)]
