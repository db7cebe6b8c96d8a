"""Arrivals of a simulation: read from a trace, or drawn so that they look like the pool's signals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.random import Generator

from apps.benchmarks.domain.traces import MOONCAKE_BLOCK, TraceError, azure, mooncake
from apps.benchmarks.domain.workloads import PlannedRequest
from apps.physics.fleet.types import Arrival
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.signals import Signals
from apps.whatif.domain.request import LONGEST, MOST_REQUESTS

__all__ = ["NothingToPlay", "from_history", "from_trace", "scaled"]

BLOCK = 16
DEFAULT_PROMPT, DEFAULT_OUTPUT = 1000.0, 200.0


class NothingToPlay(ValueError):
    """There are no arrivals, or too many; the sentence says what to do."""


def from_trace(text: str, form: str) -> list[Arrival]:
    """The requests of a file, the first at zero. Raises NothingToPlay: cannot be read, empty, too many, too long."""
    try:
        plan = (mooncake if form == "mooncake" else azure)(text.splitlines())
    except TraceError as error:
        raise NothingToPlay(f"The trace cannot be read as {form}: {error}.") from None
    if not plan:
        raise NothingToPlay("The trace has no request in it.")
    if len(plan) > MOST_REQUESTS:
        raise NothingToPlay(f"The trace has {len(plan)} requests; at most {MOST_REQUESTS} are played: cut it.")
    plan.sort(key=lambda request: request.at)
    first = plan[0].at
    if plan[-1].at - first > LONGEST:
        raise NothingToPlay(f"The trace spans {(plan[-1].at - first) / 3600:.1f} hours; at most 24 are played: cut it.")
    shared = _shared(plan)
    return [
        Arrival(
            index,
            request.at - first,
            max(1, request.prompt_tokens),
            request.output_tokens,
            0,
            _blocks(request) if shared else (),
        )
        for index, request in enumerate(plan)
    ]


def from_history(rows: Sequence[Signals], chance: Generator) -> list[Arrival]:
    """As many arrivals in each row's time as were counted there, spread evenly by chance; lengths by the histograms of
    all rows, the cached share by the row. Raises NothingToPlay when nothing was counted.

    The gateway's count of requests is taken where there is one (those that it shed too), else what engines finished.
    """
    if not rows:
        raise NothingToPlay("The pool has no signals of that time yet: wait some minutes, or give a trace.")
    began = rows[0].at - rows[0].seconds
    prompts = _draws([row.histograms.get("prompt_length") for row in rows])
    outputs = _draws([row.histograms.get("generation_length") for row in rows])
    arrivals: list[Arrival] = []
    owed = 0.0
    for row in rows:
        count = row.counts.get("gateway.requests", row.counts.get("requests"))
        owed += count or 0.0
        here, owed = int(owed), owed - int(owed)
        if len(arrivals) + here > MOST_REQUESTS:
            raise NothingToPlay(f"More than {MOST_REQUESTS} requests came in that time: ask for fewer hours.")
        tokens, cached = row.counts.get("prompt_tokens", 0.0), row.counts.get("cached_tokens", 0.0)
        hit = min(cached / tokens, 0.99) if tokens else 0.0
        requests = row.counts.get("requests", 0.0)
        prompt_mean = tokens / requests if requests else DEFAULT_PROMPT
        output_mean = row.counts.get("generation_tokens", 0.0) / requests if requests else DEFAULT_OUTPUT
        start = row.at - row.seconds - began
        for at in np.sort(chance.uniform(start, start + row.seconds, here)):
            prompt = max(1, round(prompts(chance) if prompts else prompt_mean))
            output = max(1, round(outputs(chance) if outputs else output_mean))
            arrivals.append(Arrival(len(arrivals), float(at), prompt, output, int(prompt * hit)))
    if not arrivals:
        raise NothingToPlay("No request was counted in that time: choose more hours, or give a trace.")
    return arrivals


def scaled(arrivals: Sequence[Arrival], factor: float, chance: Generator) -> list[Arrival]:
    """So many times as many requests: each is there `factor` times on average, copies within a second of it."""
    if factor == 1.0:
        return list(arrivals)
    if len(arrivals) * factor > MOST_REQUESTS:
        raise NothingToPlay(
            f"{len(arrivals)} requests times {factor:g} are more than {MOST_REQUESTS}: choose a smaller scale."
        )
    whole, rest = int(factor), factor - int(factor)
    more: list[Arrival] = []
    for each in arrivals:
        copies = whole + (1 if chance.random() < rest else 0)
        for copy in range(copies):
            at = each.time + (float(chance.uniform(0, 1)) if copy else 0.0)
            # a copy is another client's request: it shares nothing
            more.append(replace(each, time=at, block_hashes=each.block_hashes if not copy else ()))
    more.sort(key=lambda each: each.time)
    if not more:
        raise NothingToPlay("So small a scale leaves no request: choose a larger one.")
    return [replace(each, index=index) for index, each in enumerate(more)]


class _Draw:
    def __init__(self, histogram: Histogram) -> None:
        rows = sorted(histogram.counts.items())
        self._low = np.array([max(low, 1.0) for (low, _high), _count in rows])
        self._high = np.array([high if np.isfinite(high) else 2 * max(low, 1.0) for (low, high), _ in rows])
        counts = np.array([count for _bucket, count in rows])
        self._cumulative = np.cumsum(counts) / counts.sum()

    def __call__(self, chance: Generator) -> float:
        at = min(int(np.searchsorted(self._cumulative, chance.random())), len(self._low) - 1)
        return float(chance.uniform(self._low[at], self._high[at]))


def _draws(parts: Iterable[Histogram | None]) -> _Draw | None:
    total = Histogram.sum(part for part in parts if part is not None)
    return _Draw(total) if total.total > 0 else None


def _shared(plan: Sequence[PlannedRequest]) -> bool:
    seen: set[int] = set()
    for request in plan:
        first = request.prompt[0].id if request.prompt else None
        if first is not None and first in seen:
            return True
        if first is not None:
            seen.add(first)
    return False


def _blocks(request: PlannedRequest) -> tuple[int, ...]:
    parts = MOONCAKE_BLOCK // BLOCK
    hashes = [segment.id * parts + part for segment in request.prompt for part in range(segment.tokens // BLOCK)]
    return tuple(hashes)
