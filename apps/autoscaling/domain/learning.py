"""What is learned online: the step-time model, its residual, start-up times, crowding, and what a miss is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import (
    Figures,
    anywhere,
    beside,
    clipped,
    columns,
    exp,
    expm1,
    finite,
    larger,
    log,
    lone,
    mean,
    no,
    smaller,
    where,
)
from apps.autoscaling.domain.fleet import Fleet
from apps.autoscaling.domain.memory import Memory
from apps.autoscaling.domain.sizing import missing
from apps.autoscaling.domain.steps import Engines, Traffic

__all__ = ["learn_crowding", "learn_gain", "learn_startup", "learn_step_time", "weigh"]

Floats = NDArray[np.float64]

_FADE = 600.0
# how much the prior counts against one tick: relative noise of a tick 0.1, of the prior 0.2
_PRIOR = 0.25
_LOWEST, _HIGHEST = 0.4, 2.5
# bursts and calms teach of themselves, not of the load at which replicas give way: what they say is kept within this
_LEAST_CROWDING, _MOST_CROWDING = 1.0, 1.25
# below it by as much where requests live long: within a life bursts and calms even out, and what misses is the load's
_TRUSTED = 0.2
# of what a miss is worth: a calm hour must not leave a pool bare, nor a bad one fill it up
_LEAST_GAIN, _MOST_GAIN = 0.7, 4.0
# seconds until the requests that came while too few replicas were ready have ended; in proportion longer where they
# live long
_STRAIN = 60.0
# the upper triangle of the regression's matrix, and where the items of each of its rows stand in it
_UPPER = [(i, j) for i in range(4) for j in range(i, 4)]
_ROWS = [[_UPPER.index((min(i, j), max(i, j))) for j in range(4)] for i in range(4)]
# of the four factors, each in its turn
_SWEEPS = 6


def learn_step_time(
    memory: Memory, engines: Engines, traffic: Traffic, batch: Floats, rate: Floats, observed: Floats, seconds: Floats
) -> None:
    """Recursive least squares with forgetting and bounds, around the prior (factors 1).

    batch: decoding requests of a replica; rate: requests/s of a replica; observed: mean seconds between tokens, NaN
    where there is none. All (rows,). The step is fixed + tokens + attention + KV, each the prior's times its factor.
    """
    batch, observed = lone(batch), lone(observed)
    known = finite(observed) & (observed > 1e-5) & (batch >= 0.5)
    if not anywhere(known):
        return
    step = where(known, observed, 1.0)
    parts = [part / step for part in _parts(engines.lone(), traffic, batch, lone(rate) * step)]
    keep = where(known, exp(-lone(seconds) / _FADE), 1.0)
    information = [
        keep * total + where(known, parts[i] * parts[j], 0.0)
        for total, (i, j) in zip(columns(memory.row("information")), _UPPER, strict=True)
    ]
    moments = [
        keep * total + where(known, part, 0.0)
        for total, part in zip(columns(memory.row("moments")), parts, strict=True)
    ]
    factors = columns(memory.row("factors"))
    off = abs(_product(factors, parts) - 1)
    residual = lone(memory.row("residual"))
    memory.row("residual")[:] = where(known, residual + 0.05 * (smaller(off, 3.0) - residual), residual)
    memory.row("information")[:] = beside(information)
    memory.row("moments")[:] = beside(moments)
    solved = _solved(information, moments, factors)
    memory.row("factors")[:] = beside([where(known, new, old) for new, old in zip(solved, factors, strict=True)])


def _parts(engines: Engines, traffic: Traffic, batch: Floats, admits: Floats) -> tuple[Floats, ...]:
    """Seconds (rows,) of the four parts of a step that decodes `batch` and admits so many requests, by the prior."""
    share, fresh = traffic.prompt_share, traffic.fresh
    pairs = mean(share * fresh, traffic.span)
    admitted = admits * mean(share, fresh) * engines.prefills
    mixed = clipped(larger(-expm1(-admits), admitted / engines.max_num_batched_tokens), 1e-9, 1.0) * engines.prefills
    base = larger(engines.read, engines.compute)

    def linear(tokens: Floats) -> Floats:
        read, compute = engines.read + engines.read_token * tokens, engines.compute + engines.compute_token * tokens
        return cast(Floats, larger(read, compute) - base)

    return (
        base,
        (1 - mixed) * linear(batch) + mixed * linear(batch + admitted / larger(mixed, 1e-9)),
        admits * (engines.prefill_request + engines.attention_pair * pairs) * engines.prefills,
        engines.kv_token * batch * traffic.context * (1 + mixed * (engines.mixed - 1)),
    )


def _solved(information: Sequence[Floats], moments: Sequence[Floats], factors: Sequence[Floats]) -> list[Floats]:
    """The bounded factors that fit best, by coordinate descent from the last ones."""
    solved, matrix = list(factors), [[information[at] for at in row] for row in _ROWS]
    asked = [(i, row, row[i], row[i] + _PRIOR, moments[i] + _PRIOR) for i, row in enumerate(matrix)]
    for _ in range(_SWEEPS):
        for i, row, own, weight, moment in asked:
            rest = moment - _product(row, solved) + own * solved[i]
            solved[i] = clipped(rest / weight, _LOWEST, _HIGHEST)
    return solved


def _product(left: Sequence[Floats], right: Sequence[Floats]) -> Floats:
    """Of two fours."""
    a, b, c, d = left
    e, f, g, h = right
    return a * e + b * f + c * g + d * h


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


def weigh(
    memory: Memory, short: NDArray[np.bool_], fleet: Fleet, now: Floats, horizon: Floats, further: Floats
) -> Figures:
    """How many of the requests judged in this tick, a figure of pools, teach how tightly to size: none of a strain.

    Where more comes than replicas can do (from nothing, after a step, while replicas start) requests miss whatever
    sizing there is: more replicas afterwards would not have helped them. `short`: it is so now. A strain lasts until
    what waited is done; one that outlasts several start-ups is no start-up's fault, and teaches. `further`: how many
    times as far back averages reach as where requests are short.
    """
    short, now, seconds = lone(short), lone(now), lone(fleet.seconds)
    last, since = memory.figure("strained_at"), memory.figure("strained_from")
    ends = _STRAIN * lone(further)
    before = (last >= 0) & (now - last <= ends)
    since = where(short & no(before), now, since)
    memory["strained_from"], memory["strained_at"] = since, where(short, now, last)
    strained = (short | before) & (now - since <= 3 * lone(horizon) + ends)
    keep, judged = exp(-seconds / 1800.0), lone(fleet.judged)
    for name, count in (
        ("blamed", lone(fleet.missed_most)),
        ("blamed_least", lone(fleet.missed_least)),
        ("weighed", judged),
    ):
        memory[name] = keep * memory.figure(name) + where(strained, 0.0, count)
    return where(strained, 0.0, judged)


def learn_crowding(
    memory: Memory,
    miss: Floats,
    demand: Floats,
    replicas: Floats,
    fleet: Fleet,
    judged: Floats,
    further: Floats,
) -> None:
    """Bring the model's misses to the observed ones by a factor on the load.

    Totals of half an hour are compared, not moments: what misses comes in bursts, a while after the load that did it.
    They move it while the tick itself says the same: what has long ended would wind it up (docs/decisions/0016).
    miss: the model's curve (pools, GRID); demand: now, at NODES (pools, nodes); replicas: ready; judged: requests of
    this tick that teach, a figure of pools; further: how many times as far back averages reach as where requests are
    short, a figure of pools.
    """
    seconds = lone(fleet.seconds)
    crowding = memory["crowding"]
    fresh = lone(missing(miss, demand, crowding, replicas)) * judged
    expected = exp(-seconds / 1800.0) * memory.figure("expected") + fresh
    observed = (memory.figure("blamed") + memory.figure("blamed_least")) / 2
    drive = (observed - expected) / (observed + expected + 10.0)
    lately = (lone(fleet.missed_most) + lone(fleet.missed_least)) / 2 - fresh
    drive = where(lately * drive > 0, drive, 0.0)
    moved = exp(log(lone(crowding)) + seconds / 1000.0 * drive)
    memory["expected"] = expected
    least = _LEAST_CROWDING - _TRUSTED * (1 - 1 / lone(further))
    memory["crowding"] = where(judged > 0, clipped(moved, least, _MOST_CROWDING), lone(crowding))


def learn_gain(memory: Memory, floor: Floats, fleet: Fleet, judged: Floats) -> None:
    """What a miss is worth, as a multiple of the model's figure: up while more misses than may, over half an hour and
    in this tick too, down while fewer; as it is while nobody is served (judged: requests of this tick that teach, a
    figure of pools)."""
    budget, floor, served, gain = lone(fleet.allowed), lone(floor), memory.figure("weighed"), memory.figure("gain")
    share = memory.figure("blamed") / larger(served, 1e-9)
    allowed = larger(budget - floor, budget / 4)
    sure = served * allowed / (served * allowed + 5.0)
    # down slowly: what a calm hour taught must not leave a pool bare when load comes
    drive = clipped((share - smaller(floor, budget)) / allowed - 1, -0.3, 1.5)
    drive = where(lone(fleet.missed_most) > budget * judged, drive, smaller(drive, 0.0))
    moved = exp(log(gain) + lone(fleet.seconds) / 900.0 * sure * drive)
    memory["gain"] = where(judged > 0, clipped(moved, _LEAST_GAIN, _MOST_GAIN), gain)
