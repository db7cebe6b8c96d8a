"""Workloads that nobody has looked at: every seed is another process, and no recorded trace is behind any of them.

Arrivals are a Markov-modulated gamma renewal process: levels of load that follow each other at random moments, with
ramps of random length between them, and arrivals more or less bursty around them. Requests are a mix of two kinds,
whose lengths are log-normal with a Pareto tail (as published traces of LLM services have them: BurstGPT, Wang et al.
2024; ServeGen, Xiang et al. 2025), and whose share moves at a random moment. What is drawn once for a seed: levels,
dwell, ramps, burstiness, both kinds, the shift of the mix, and how many replicas the highest level asks for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from apps.physics import StepTimeModel
from apps.physics.fleet.types import Arrival
from bench.autoscaling import traces

__all__ = ["Kind", "Process", "arrivals", "process"]

STEP = 5.0
LONGEST_PROMPT, LONGEST_OUTPUT = 16_000, 3_000
# of a replica's time, the share that requests keep busy when it is well loaded: only sets how large fleets become
LOADED = 0.5


@dataclass(frozen=True)
class Kind:
    """One kind of request: medians in tokens, spreads of the logarithm; `tail` of requests are longer by a Pareto
    factor with exponent `alpha`."""

    prompt: float
    prompt_spread: float
    output: float
    output_spread: float
    tail: float
    alpha: float


@dataclass(frozen=True)
class Process:
    """levels: of the load, 1 the lowest; dwell, ramp: seconds; cv: of the times between arrivals; share: of the first
    kind before and after `moved` (seconds); replicas: that the highest level met keeps well loaded."""

    levels: tuple[float, ...]
    dwell: float
    ramp: float
    cv: float
    kinds: tuple[Kind, Kind]
    share: tuple[float, float]
    moved: float
    replicas: float


def process(chance: Generator, seconds: float, *, flat: bool) -> Process:
    """One at random; `flat`: a single level and one mix."""
    swing = 1.0 if flat else _between(chance, 2.0, 6.0)
    count = 1 if flat else int(chance.integers(2, 6))
    before, after = chance.uniform(0.1, 0.9, 2).tolist()
    return Process(
        levels=tuple(np.geomspace(1.0, swing, count).tolist()),
        dwell=_between(chance, 300.0, 1500.0),
        ramp=float(chance.uniform(0.0, 300.0)),
        cv=_between(chance, 0.8, 3.0),
        kinds=(_kind(chance), _kind(chance)),
        share=(before, before if flat else after),
        moved=float(chance.uniform(0.25, 0.75)) * seconds,
        # by the highest level, so that no draw asks for more than a fleet may have
        replicas=float(chance.uniform(2.5, 5.0)) * (1.0 if flat else 1.6),
    )


def arrivals(chance: Generator, seconds: float, step_time: StepTimeModel, *, flat: bool) -> list[Arrival]:
    """`seconds` of a process drawn from `chance`; step_time: of the replica that its size is stated in."""
    drawn = process(chance, seconds, flat=flat)
    grid = np.arange(0.0, seconds, STEP)
    level = _levels(drawn, len(grid), chance)
    work = _work(step_time, _mixed(drawn, 4000, chance))
    rate = level * (LOADED * drawn.replicas / work / level.max())
    cv = np.full(len(grid), drawn.cv)
    times = traces.renewal(grid, rate, cv, seconds, [(1, 1)], chance)
    kinds = [_lengths_of(kind, len(times), chance) for kind in drawn.kinds]
    first = chance.random(len(times))
    made = []
    for index, each in enumerate(times):
        of = 0 if first[index] < drawn.share[each.time >= drawn.moved] else 1
        prompt, output = kinds[of][index].tolist()
        made.append(replace(each, prompt_tokens=prompt, output_tokens=output))
    return made


def _between(chance: Generator, low: float, high: float) -> float:
    """Log-uniform."""
    return math.exp(float(chance.uniform(math.log(low), math.log(high))))


def _kind(chance: Generator) -> Kind:
    return Kind(
        prompt=_between(chance, 400.0, 3000.0),
        prompt_spread=float(chance.uniform(0.5, 1.0)),
        output=_between(chance, 100.0, 500.0),
        output_spread=float(chance.uniform(0.5, 0.9)),
        tail=float(chance.uniform(0.0, 0.03)),
        alpha=float(chance.uniform(1.2, 2.0)),
    )


def _levels(drawn: Process, count: int, chance: Generator) -> NDArray[np.float64]:
    values, state = np.zeros(count), int(chance.integers(len(drawn.levels)))
    for index in range(count):
        values[index] = drawn.levels[state]
        if len(drawn.levels) > 1 and chance.random() < STEP / drawn.dwell:
            state = (state + int(chance.integers(1, len(drawn.levels)))) % len(drawn.levels)
    width = max(int(drawn.ramp // STEP), 1)
    padded = np.concatenate([np.full(width - 1, values[0]), values])
    return np.convolve(padded, np.full(width, 1.0 / width), mode="valid")


def _lengths_of(kind: Kind, count: int, chance: Generator) -> NDArray[np.int64]:
    """(count, 2): prompt and output tokens."""
    prompt = chance.lognormal(math.log(kind.prompt), kind.prompt_spread, count)
    output = chance.lognormal(math.log(kind.output), kind.output_spread, count)
    longer = np.where(chance.random(count) < kind.tail, 1.0 + chance.pareto(kind.alpha, count), 1.0)
    prompt = np.clip(prompt * longer, 8, LONGEST_PROMPT)
    output = np.clip(output * longer, 1, LONGEST_OUTPUT)
    return np.stack([prompt, output], axis=1).astype(np.int64)


def _mixed(drawn: Process, count: int, chance: Generator) -> NDArray[np.int64]:
    """Of both kinds in their shares over the whole time."""
    first = int(count * sum(drawn.share) / 2)
    kinds = zip(drawn.kinds, (first, count - first), strict=True)
    return np.concatenate([_lengths_of(kind, number, chance) for kind, number in kinds])


def _work(model: StepTimeModel, lengths: NDArray[np.int64]) -> float:
    """Replica-seconds of a request in the mean."""
    prompt, output = lengths.astype(np.float64).T
    prefill = model.compute_token * prompt + model.attention_pair * prompt * prompt / 2
    decode = output * (model.read_token + model.kv_token * (prompt + output / 2))
    return float((prefill + decode).mean())
