"""The load to come: several forecasts of the requests one start-up ahead, weighted by how they fared; their errors.

Demand is work, replica-seconds a second: requests/s times the work of a request. What a request is like is known best
from the newest ones, so that a change of lengths at a constant rate is a change of demand at once (`in_work`); what is
averaged and extrapolated is the rate. Everything is in logarithms: errors are relative.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import (
    Figures,
    anywhere,
    at,
    clipped,
    column,
    exp,
    finite,
    larger,
    log,
    log1p,
    lone,
    rows_of,
    smaller,
    sqrt,
    table,
    where,
)
from apps.autoscaling.domain.memory import EXPERTS, RING, Memory
from apps.autoscaling.domain.types import record

__all__ = ["NODES", "WEIGHTS", "Forecast", "forecast", "longer", "observe"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# where the distribution of the demand is looked at, in standard deviations, and the probability of each place
NODES: Floats = np.array([-1.5, -0.75, 0.0, 0.75, 1.5, 2.3])
_NODES: Floats = NODES[None, :]
_ABOVE: Bools = _NODES > 0
WEIGHTS: Floats = np.array([0.10, 0.20, 0.34, 0.21, 0.11, 0.04])
# seconds that averages reach back; in proportion longer where requests last longer than the fastest of them: what comes
# within the life of a request is served together, so that a faster average would follow noise
_TIMES = {"fast": 30.0, "near": 60.0, "far": 180.0, "slow": 300.0}
# where each one's correction of its start is remembered
_CORRECTED = {name: f"weight_{name}" for name in _TIMES}
# the least requests/s that count: below it logarithms say nothing
_LEAST = 0.015
_LONGEST_TREND = 180.0
# of a trend, what is left on average of the way ahead: trends end (damped trend, Gardner and McKenzie 1985)
_DAMPED = 0.4
# seconds over which the highest load is forgotten
_PEAK = 1800.0
# what comes within these seconds is served together, whatever the minute's average; the minute of an average of 30 s.
# Held to the fleet simulator by tests/unit/autoscaling/test_misses_of_fleets.py
_RIPPLE, _AVERAGED = 20.0, 60.0
# Nor is less served together than what comes within long lives: how many are in service varies as counts within
# L^2 / integral of S(u)^2 seconds, L the mean life, S(u) the share of lives longer than u (peakedness, W. Whitt,
# Heavy-traffic approximations for service systems with blocking, 1984): 1.6 L where lives are log-normal, sigma 0.7.
# L is what a replica remembers (mix.life)
_LIVES = 1.6
# of a forecast's verdict, per verdict; in proportion less where averages reach back further: neighbours judge the same
_LEARN, _LEARN_SPREAD = 0.08, 0.04
_QUANTILE = 0.6
# a step: so many ticks in a row, each so many deviations above what was expected
_SHIFT_TICKS, _SHIFT_DEVIATIONS = 2, 4.0
# where requests live long, averages reach back for minutes: a burst of two ticks, taken for a step, would be in all of
# them long after the requests that came with it
_SHIFT_TICKS_OF_LONG = 3
_MOST_NOISE = 40.0
_MOST_LONGER = 6.0
_sum = np.add.reduce


@record
class Forecast:
    """Requests/s, or work, at the horizon, figures of pools: `mean` in logarithms, `above` and `below` its deviations
    upwards and downwards; now: what comes now (30 s). `ripple`: variance of the logarithm of what comes within
    `_RIPPLE` seconds, around the average of a minute that is forecast."""

    mean: Floats
    above: Floats
    below: Floats
    ripple: Floats
    now: Floats

    def in_work(self, per_request: Floats) -> Forecast:
        """The same in work, where a request is so much."""
        more = log(larger(per_request, 1e-12))
        return Forecast(self.mean + more, self.above, self.below, self.ripple, self.now * per_request)

    def rippling(self, ripple: Floats) -> Forecast:
        """The same where what comes within seconds varies so."""
        return Forecast(self.mean, self.above, self.below, ripple, self.now)

    def points(self) -> Floats:
        """The demand at NODES (pools, nodes)."""
        ripple = self.ripple
        up, down = sqrt(self.above * self.above + ripple), sqrt(self.below * self.below + ripple)
        spread = np.where(_ABOVE, column(up), column(down))
        return cast(Floats, np.exp(column(self._middle(self.mean)) + spread * _NODES))

    def shape(self) -> Floats:
        """What comes within seconds over the average, at NODES (pools, nodes): nothing but its ripple is unknown."""
        return cast(Floats, np.exp(column(self._middle(0.0)) + column(sqrt(self.ripple)) * _NODES))

    def _middle(self, mean: Any) -> Any:
        # a ripple leaves the average what it is; the middle of a skewed distribution is below it
        return mean - self.ripple / 2

    @property
    def median(self) -> Figures:
        """The demand that is exceeded as often as not, figures of pools."""
        return exp(self.mean)


def observe(memory: Memory, arrivals: Floats, seconds: Floats, known: Bools, life: Floats, horizon: Floats) -> None:
    """Take in the arrivals (requests/s) of a tick where they are known. life: seconds within which a replica forgets
    what came; horizon: seconds until a replica that is asked for now is there. All are figures of pools."""
    further = longer(life)
    stepped = _stepped(memory, arrivals, seconds, known, further)
    # arrivals in a tick against what the last minute led to expect: a level that moves over minutes is no burst
    count, ticks = arrivals * seconds, memory.figure("ticks")
    expected = where(memory.figure("weight_near") > 0, level(memory, "near"), arrivals) * seconds
    shift = larger(memory.figure("shift"), 1.0)
    step = memory.figure("shift_rate") / shift
    for name, time in _TIMES.items():
        keep, average, weight = exp(-seconds / (time * further)), memory.figure(name), memory.figure(_CORRECTED[name])
        average = where(known, keep * average + (1 - keep) * arrivals, average)
        weight = where(known, keep * weight + (1 - keep), weight)
        # the level before a step says nothing any more
        risen = step * weight
        memory[name], memory[_CORRECTED[name]] = where(stepped, risen, average), weight
    if anywhere(stepped):
        # nor is a step a burst
        memory["dispersion"] = where(stepped, memory.figure("shift_noise"), memory.figure("dispersion"))
        # forecasts of before it are not judged by what nobody could know
        memory["ring_for"] = np.where(column(stepped), -1.0, memory["ring_for"])
        for name in ("shift", "shift_rate"):
            memory[name] = where(stepped, 0.0, memory.figure(name))
    # what is over before a replica could have been there teaches little of what replicas are worth
    lately, keep = memory.figure("lately"), exp(-seconds / horizon)
    lately = where(known, keep * lately + (1 - keep) * arrivals, lately)
    peak = memory.figure("peak")
    memory["peak"] = where(known, larger(peak * exp(-seconds / _PEAK), lately), peak)
    memory["lately"] = lately
    off, dispersion = count - expected, memory.figure("dispersion")
    relative = off * off / larger(expected, 1.0)
    keep = exp(-seconds / 300.0)
    busy = known & (ticks > 3) & (count > 0)
    memory["dispersion"] = where(busy, keep * dispersion + (1 - keep) * clipped(relative, 0.0, 400.0), dispersion)
    memory["ticks"] = where(known, ticks + 1, ticks)


def _stepped(memory: Memory, arrivals: Floats, seconds: Floats, known: Bools, further: Floats) -> Figures:
    """Whether the load has just stepped up: some ticks in a row with far more arrivals than noise and bursts explain.
    further: how many times as far back averages reach as where requests are short.

    An average takes a minute to believe what two ticks prove; a replica that is asked for a minute later is a minute
    of misses.
    """
    shift, total = memory.figure("shift"), memory.figure("shift_rate")
    fresh = shift <= 0
    before = where(fresh, level(memory, "fast"), memory.figure("shift_from"))
    noise = clipped(memory.figure("dispersion"), 1.0, _MOST_NOISE)
    dispersion = where(fresh, noise, memory.figure("shift_noise"))
    expected = before * seconds
    excess = arrivals * seconds - expected
    far = excess > _SHIFT_DEVIATIONS * sqrt(dispersion * larger(expected, 1.0))
    high = known & (memory.figure("ticks") > 3) & far
    shift = where(high, shift + 1, where(known, 0.0, shift))
    # from nothing at all one tick is proof enough: what came has to be served
    needed = where(further > 1, _SHIFT_TICKS_OF_LONG, _SHIFT_TICKS)
    stepped = high & (shift >= where(expected < 1.0, 1, needed))
    memory["shift"] = shift
    memory["shift_rate"] = where(high, total + arrivals, where(known, 0.0, total))
    memory["shift_from"], memory["shift_noise"] = before, dispersion
    return stepped


def longer(life: Floats) -> Figures:
    """How many times as far back averages reach as where requests are short; life: as in `observe`."""
    return clipped(life / _TIMES["fast"], 1.0, _MOST_LONGER)


def level(memory: Memory, name: str) -> Figures:
    """Smoothed requests/s, their start corrected: figures of pools."""
    return memory.figure(name) / larger(memory.figure(_CORRECTED[name]), 1e-9)


def forecast(memory: Memory, season: Floats, now: Floats, horizon: Floats, known: Bools, life: Floats) -> Forecast:
    """Judge the forecasts that came due, make new ones. `season`: requests/s, NaN where not known."""
    truth, further = log(larger(level(memory, "fast"), _LEAST)), longer(life)
    _judge(memory, truth, now, known, further)
    experts = _experts(memory, season, horizon, further)
    loss = memory["loss"] + 0.01
    weights = loss**-3.0
    weights[:, EXPERTS.index("season")] *= finite(season)
    weights /= _sum(weights, axis=1, keepdims=True)
    mean = lone(_sum(weights * experts, axis=1)) + 0.5 * memory.figure("bias")
    _remember(memory, experts, mean, now, horizon, known)
    return Forecast(
        mean=mean,
        above=sqrt(memory.figure("above")),
        below=sqrt(memory.figure("below")),
        ripple=_ripple(memory, life),
        now=level(memory, "fast"),
    )


def _ripple(memory: Memory, life: Floats) -> Figures:
    """Arrivals vary by their dispersion (variance over mean of counts): by how much within some seconds more than
    within the average's. life: seconds within which a replica forgets what came."""
    lumps = larger(memory.figure("dispersion") - 1, 0.0) / larger(level(memory, "fast"), _LEAST)
    together = larger(_LIVES * smaller(life, _MOST_LONGER * _TIMES["fast"]), _RIPPLE)
    return log1p(lumps * (1 / together - 1 / (_AVERAGED * longer(life))))


def _experts(memory: Memory, season: Floats, horizon: Floats, further: Floats) -> Floats:
    """The logarithm of what each expects (pools, experts)."""
    fast, slow = level(memory, "fast"), level(memory, "slow")
    near, far = level(memory, "near"), level(memory, "far")
    slope = (near - far) / ((_TIMES["far"] - _TIMES["near"]) * further)
    ahead = _TIMES["near"] * further + _DAMPED * smaller(horizon, _LONGEST_TREND)
    trend = clipped(near + slope * ahead, 0.4 * near, 3.0 * near)
    every = table([fast, slow, trend, where(finite(season), season, slow)])
    return np.asarray(np.log(np.maximum(every, _LEAST)), dtype=np.float64)


def _judge(memory: Memory, truth: Floats, now: Floats, known: Bools, further: Floats) -> None:
    """What forecasts that came due are worth. truth: the logarithm of what came; further: how many times as far back
    averages reach as where requests are short; figures of pools."""
    due = memory["ring_for"]
    ripe: Bools = (due >= 0) & (due <= column(now)) & cast(Bools, column(known))
    if not anywhere(ripe):
        return
    timely = ripe & (due >= column(now) - 60.0)
    ring = memory["ring"].reshape(-1, RING, len(EXPERTS))
    learn, learn_spread = _LEARN / further, _LEARN_SPREAD / further
    for slot in np.flatnonzero(np.logical_or.reduce(timely)):
        judged = lone(timely[:, slot])
        error = column(truth) - ring[:, slot, :]
        pinball = np.where(error > 0, _QUANTILE * error, (_QUANTILE - 1) * error)
        loss = memory["loss"]
        memory["loss"] = np.where(column(judged), loss + column(learn) * (pinball - loss), loss)
        off, bias = truth - lone(memory["ring_mean"][:, slot]), memory.figure("bias")
        memory["bias"] = where(judged, clipped(bias + learn * (off - bias), -0.5, 0.5), bias)
        # a half-normal side of spread s has mean square s^2
        square = smaller(off * off, 0.5)
        for name, side in (("above", off > 0), ("below", off <= 0)):
            spread = memory.figure(name)
            moved = spread + 2 * learn_spread * (square - spread)
            memory[name] = where(judged & side, larger(moved, 1e-4), spread)
    memory["ring_for"] = np.where(ripe, -1.0, due)


def _remember(memory: Memory, experts: Floats, mean: Floats, now: Floats, horizon: Floats, known: Bools) -> None:
    waiting = np.where(memory["ring_for"] >= 0, memory["ring_at"], -1.0)
    newest = lone(np.maximum.reduce(waiting, axis=1))
    wanted = known & ((newest < 0) | (now - newest >= horizon / (RING - 2) - 1e-6))
    if not anywhere(wanted):
        return
    rows = rows_of(wanted).nonzero()[0]
    slot = waiting.argmin(axis=1)[rows]
    memory["ring"].reshape(-1, RING, len(EXPERTS))[rows, slot, :] = experts[rows]
    for name, values in (("ring_mean", mean), ("ring_at", now), ("ring_for", now + horizon)):
        memory[name][rows, slot] = at(values, rows)
