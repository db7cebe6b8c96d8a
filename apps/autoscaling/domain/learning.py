"""What is learned online: the step-time model, its residual, start-up times, crowding, and what a miss is worth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import clipped
from apps.autoscaling.domain.capacity import Engines, Traffic
from apps.autoscaling.domain.extract import Fleet
from apps.autoscaling.domain.memory import Memory
from apps.autoscaling.domain.sizing import missing

__all__ = ["learn_crowding", "learn_gain", "learn_startup", "learn_step_time", "weigh"]

Floats = NDArray[np.float64]

_FADE = 600.0
# how much the prior counts against one tick: relative noise of a tick 0.1, of the prior 0.2
_PRIOR = 0.25
_LOWEST, _HIGHEST = 0.4, 2.5
# bursts and calms teach of themselves, not of the load at which replicas give way: what they say is kept within this
_LEAST_CROWDING, _MOST_CROWDING = 1.0, 1.25
# of what a miss is worth: a calm hour must not leave a pool bare, nor a bad one fill it up
_LEAST_GAIN, _MOST_GAIN = 0.7, 4.0
# seconds until the requests that came while too few replicas were ready have ended
_STRAIN = 60.0
_UPPER = [(i, j) for i in range(4) for j in range(i, 4)]


def learn_step_time(
    memory: Memory, engines: Engines, traffic: Traffic, batch: Floats, rate: Floats, observed: Floats, seconds: Floats
) -> None:
    """Recursive least squares with forgetting and bounds, around the prior (factors 1).

    batch: decoding requests of a replica; rate: requests/s of a replica; observed: mean seconds between tokens, NaN
    where there is none. All (rows,). The step is fixed + tokens + attention + KV, each the prior's times its factor.
    """
    known = np.isfinite(observed) & (observed > 1e-5) & (batch >= 0.5)
    if not known.any():
        return
    step = np.where(known, observed, 1.0)
    fresh = 1 - traffic.cached
    n = traffic.prompt * fresh[:, None]
    u = rate * step
    share = traffic.prompt_share
    pairs = (share * n * (traffic.prompt * traffic.cached[:, None] + n / 2)).sum(axis=1)
    admitted = u * (share * n).sum(axis=1) * engines.prefills
    mixed = clipped(np.maximum(-np.expm1(-u), admitted / engines.max_num_batched_tokens), 1e-9, 1.0) * engines.prefills
    output = (traffic.output_share * traffic.output).sum(axis=1)
    second = (traffic.output_share * traffic.output**2).sum(axis=1)
    context = (share * traffic.prompt).sum(axis=1) + second / np.maximum(output, 1.0) / 2
    base = np.maximum(engines.read, engines.compute)

    def linear(tokens: Floats) -> Floats:
        total = np.maximum(engines.read + engines.read_token * tokens, engines.compute + engines.compute_token * tokens)
        return np.asarray(total - base, dtype=np.float64)

    parts = np.stack(
        [
            base,
            (1 - mixed) * linear(batch) + mixed * linear(batch + admitted / np.maximum(mixed, 1e-9)),
            u * (engines.prefill_request + engines.attention_pair * pairs) * engines.prefills,
            engines.kv_token * batch * context * (1 + mixed * (engines.mixed - 1)),
        ],
        axis=1,
    )
    parts = parts / step[:, None]
    keep = np.where(known, np.exp(-seconds / _FADE), 1.0)[:, None]
    information, moments = memory.row("information"), memory.row("moments")
    for k, (i, j) in enumerate(_UPPER):
        information[:, k] = keep[:, 0] * information[:, k] + np.where(known, parts[:, i] * parts[:, j], 0.0)
    moments[:] = keep * moments + np.where(known[:, None], parts, 0.0)
    factors = memory.row("factors")
    off = np.abs((factors * parts).sum(axis=1) - 1)
    residual = memory.row("residual")
    residual[:] = np.where(known, residual + 0.05 * (np.minimum(off, 3.0) - residual), residual)
    matrix = np.zeros((len(step), 4, 4))
    for k, (i, j) in enumerate(_UPPER):
        matrix[:, i, j] = matrix[:, j, i] = information[:, k]
    solved = factors.copy()
    for _ in range(6):
        for i in range(4):
            rest = moments[:, i] + _PRIOR - (matrix[:, i, :] * solved).sum(axis=1) + matrix[:, i, i] * solved[:, i]
            solved[:, i] = clipped(rest / (matrix[:, i, i] + _PRIOR), _LOWEST, _HIGHEST)
    factors[:] = np.where(known[:, None], solved, factors)


def learn_startup(learned: float, prior: float, measured: tuple[float, ...]) -> float:
    """The 90th percentile of start-up times, moved by each measured one: quickly up, slowly down."""
    for seconds in measured:
        if learned < 0:
            learned = max(seconds, 0.5 * (seconds + prior)) if seconds > prior else 0.5 * (seconds + prior)
        elif seconds > learned:
            learned += 0.6 * (seconds - learned)
        else:
            learned -= 0.12 * (learned - seconds)
    return learned


def weigh(memory: Memory, short: NDArray[np.bool_], fleet: Fleet, now: Floats, horizon: Floats) -> Floats:
    """How many of the requests judged in this tick (pools,) teach how tightly to size: none of a strain.

    Where more comes than replicas can do (from nothing, after a step, while replicas start) requests miss whatever
    sizing there is: more replicas afterwards would not have helped them. `short`: it is so now. A strain lasts until
    what waited is done; one that outlasts several start-ups is no start-up's fault, and teaches.
    """
    before = (memory["strained_at"] >= 0) & (now - memory["strained_at"] <= _STRAIN)
    memory["strained_from"] = np.where(short & ~before, now, memory["strained_from"])
    memory["strained_at"] = np.where(short, now, memory["strained_at"])
    strained = (short | before) & (now - memory["strained_from"] <= 3 * horizon + _STRAIN)
    keep = np.exp(-fleet.seconds / 1800.0)
    for name, count in (
        ("blamed", fleet.missed_most),
        ("blamed_least", fleet.missed_least),
        ("weighed", fleet.judged),
    ):
        memory[name] = keep * memory[name] + np.where(strained, 0.0, count)
    return np.where(strained, 0.0, fleet.judged)


def learn_crowding(
    memory: Memory, miss: Floats, demand: Floats, replicas: Floats, judged: Floats, seconds: Floats
) -> None:
    """Bring the model's misses to the observed ones by a factor on the load.

    Totals of half an hour are compared, not moments: what misses comes in bursts, a while after the load that did it.
    miss: the model's curve (pools, GRID); demand: now, at NODES (pools, nodes); replicas: ready; judged: requests of
    this tick that teach.
    """
    crowding = memory["crowding"]
    expected = missing(miss, demand, crowding, replicas) * judged
    keep = np.exp(-seconds / 1800.0)
    memory["expected"] = keep * memory["expected"] + expected
    observed = (memory["blamed"] + memory["blamed_least"]) / 2
    drive = (observed - memory["expected"]) / (observed + memory["expected"] + 10.0)
    moved = np.exp(np.log(crowding) + seconds / 1000.0 * drive)
    memory["crowding"] = np.where(judged > 0, clipped(moved, _LEAST_CROWDING, _MOST_CROWDING), crowding)


def learn_gain(memory: Memory, budget: Floats, floor: Floats, seconds: Floats, judged: Floats) -> None:
    """What a miss is worth, as a multiple of the model's figure: up while more misses than may, down while fewer; as it
    is while nobody is served (judged: requests of this tick that teach)."""
    served = memory["weighed"]
    share = memory["blamed"] / np.maximum(served, 1e-9)
    allowed = np.maximum(budget - floor, budget / 4)
    sure = served * allowed / (served * allowed + 5.0)
    # down slowly: what a calm hour taught must not leave a pool bare when load comes
    drive = clipped((share - np.minimum(floor, budget)) / allowed - 1, -0.3, 1.5)
    moved = np.log(memory["gain"]) + seconds / 900.0 * sure * drive
    memory["gain"] = np.where(judged > 0, clipped(np.exp(moved), _LEAST_GAIN, _MOST_GAIN), memory["gain"])
