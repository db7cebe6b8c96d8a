"""The load to come: several forecasts of the requests one start-up ahead, weighted by how they fared; their errors.

Demand is work, replica-seconds a second: requests/s times the work of a request. What a request is like is known best
from the newest ones, so that a change of lengths at a constant rate is a change of demand at once (`in_work`); what is
averaged and extrapolated is the rate. Everything is in logarithms: errors are relative.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import clipped
from apps.autoscaling.domain.memory import EXPERTS, RING, Memory

__all__ = ["NODES", "WEIGHTS", "Forecast", "forecast", "observe"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

# where the distribution of the demand is looked at, in standard deviations, and the probability of each place
NODES: Floats = np.array([-1.5, -0.75, 0.0, 0.75, 1.5, 2.3])
WEIGHTS: Floats = np.array([0.10, 0.20, 0.34, 0.21, 0.11, 0.04])
# seconds that averages reach back; in proportion longer where requests last longer than the fastest of them: what comes
# within the life of a request is served together, so that a faster average would follow noise
_TIMES = {"fast": 30.0, "near": 60.0, "far": 180.0, "slow": 300.0}
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
# of a forecast's verdict, per verdict
_LEARN, _LEARN_SPREAD = 0.08, 0.04
_QUANTILE = 0.6
# a step: so many ticks in a row, each so many deviations above what was expected
_SHIFT_TICKS, _SHIFT_DEVIATIONS = 2, 4.0
_MOST_NOISE = 40.0
_MOST_LONGER = 6.0


@dataclass(frozen=True, slots=True)
class Forecast:
    """Requests/s, or work, at the horizon (pools,): `mean` in logarithms, `above` and `below` its deviations upwards
    and downwards; now: what comes now (30 s). `ripple`: variance of the
    logarithm of what comes within `_RIPPLE` seconds, around the average of a minute that is forecast."""

    mean: Floats
    above: Floats
    below: Floats
    ripple: Floats
    now: Floats

    def in_work(self, per_request: Floats) -> Forecast:
        """The same in work, where a request is so much (pools,)."""
        more = np.log(np.maximum(per_request, 1e-12))
        return replace(self, mean=self.mean + more, now=self.now * per_request)

    def points(self) -> Floats:
        """The demand at NODES (pools, nodes)."""
        return self._spread(self.mean, self.above, self.below)

    def shape(self) -> Floats:
        """What comes within seconds over the average, at NODES (pools, nodes): nothing but its ripple is unknown."""
        nothing = np.zeros(len(self.mean))
        return self._spread(nothing, nothing, nothing)

    def _spread(self, mean: Floats, above: Floats, below: Floats) -> Floats:
        # a ripple leaves the average what it is; the middle of a skewed distribution is below it
        middle = mean - self.ripple / 2
        up, down = np.sqrt(above * above + self.ripple), np.sqrt(below * below + self.ripple)
        spread = np.where(NODES[None, :] > 0, up[:, None], down[:, None])
        return np.asarray(np.exp(middle[:, None] + spread * NODES[None, :]), dtype=np.float64)

    @property
    def median(self) -> Floats:
        """The demand that is exceeded as often as not (pools,)."""
        return np.asarray(np.exp(self.mean), dtype=np.float64)


def observe(memory: Memory, arrivals: Floats, seconds: Floats, known: Bools, life: Floats, horizon: Floats) -> None:
    """Take in the arrivals (requests/s) of a tick where they are known. life: seconds that a request is served;
    horizon: seconds until a replica that is asked for now is there."""
    stepped = _stepped(memory, arrivals, seconds, known)
    # arrivals in a tick against what the last minute led to expect: a level that moves over minutes is no burst
    count, ticks = arrivals * seconds, memory["ticks"]
    expected = np.where(memory["weight_near"] > 0, level(memory, "near"), arrivals) * seconds
    longer = _longer(life)
    for name, time in _TIMES.items():
        keep = np.exp(-seconds / (time * longer))
        memory[name] = np.where(known, keep * memory[name] + (1 - keep) * arrivals, memory[name])
        weight = memory[f"weight_{name}"]
        memory[f"weight_{name}"] = np.where(known, keep * weight + (1 - keep), weight)
    for name in _TIMES:
        # the level before the step says nothing any more
        risen = memory["shift_rate"] / np.maximum(memory["shift"], 1.0) * memory[f"weight_{name}"]
        memory[name] = np.where(stepped, risen, memory[name])
    # nor is a step a burst
    memory["dispersion"] = np.where(stepped, memory["shift_noise"], memory["dispersion"])
    # forecasts of before it are not judged by what nobody could know
    memory["ring_for"] = np.where(stepped[:, None], -1.0, memory["ring_for"])
    for name in ("shift", "shift_rate"):
        memory[name] = np.where(stepped, 0.0, memory[name])
    # what is over before a replica could have been there teaches little of what replicas are worth
    lately, keep = memory["lately"], np.exp(-seconds / horizon)
    memory["lately"] = np.where(known, keep * lately + (1 - keep) * arrivals, lately)
    highest = np.maximum(memory["peak"] * np.exp(-seconds / _PEAK), memory["lately"])
    memory["peak"] = np.where(known, highest, memory["peak"])
    relative = (count - expected) ** 2 / np.maximum(expected, 1.0)
    keep = np.exp(-seconds / 300.0)
    busy = known & (ticks > 3) & (count > 0)
    memory["dispersion"] = np.where(
        busy, keep * memory["dispersion"] + (1 - keep) * clipped(relative, 0.0, 400.0), memory["dispersion"]
    )
    memory["ticks"] = np.where(known, ticks + 1, ticks)


def _stepped(memory: Memory, arrivals: Floats, seconds: Floats, known: Bools) -> Bools:
    """Whether the load has just stepped up: some ticks in a row with far more arrivals than noise and bursts explain.

    An average takes a minute to believe what two ticks prove; a replica that is asked for a minute later is a minute
    of misses.
    """
    fresh = memory["shift"] <= 0
    before = np.where(fresh, level(memory, "fast"), memory["shift_from"])
    dispersion = np.where(fresh, clipped(memory["dispersion"], 1.0, _MOST_NOISE), memory["shift_noise"])
    expected = before * seconds
    excess = arrivals * seconds - expected
    high = (
        known & (memory["ticks"] > 3) & (excess > _SHIFT_DEVIATIONS * np.sqrt(dispersion * np.maximum(expected, 1.0)))
    )
    shift = np.where(high, memory["shift"] + 1, np.where(known, 0.0, memory["shift"]))
    total = np.where(high, memory["shift_rate"] + arrivals, np.where(known, 0.0, memory["shift_rate"]))
    # from nothing at all one tick is proof enough: what came has to be served
    stepped = high & (shift >= np.where(expected < 1.0, 1, _SHIFT_TICKS))
    memory["shift"], memory["shift_rate"] = shift, total
    memory["shift_from"], memory["shift_noise"] = before, dispersion
    return np.asarray(stepped, dtype=np.bool_)


def _longer(life: Floats) -> Floats:
    return np.asarray(clipped(life / _TIMES["fast"], 1.0, _MOST_LONGER), dtype=np.float64)


def level(memory: Memory, name: str) -> Floats:
    """Smoothed requests/s, their start corrected."""
    return np.asarray(memory[name] / np.maximum(memory[f"weight_{name}"], 1e-9), dtype=np.float64)


def forecast(memory: Memory, season: Floats, now: Floats, horizon: Floats, known: Bools, life: Floats) -> Forecast:
    """Judge the forecasts that came due, make new ones. `season`: requests/s, NaN where not known."""
    truth = np.log(np.maximum(level(memory, "fast"), _LEAST))
    _judge(memory, truth, now, known)
    experts = _experts(memory, season, horizon, _longer(life))
    loss = memory["loss"] + 0.01
    weights = loss**-3.0
    weights[:, EXPERTS.index("season")] *= np.isfinite(season)
    weights /= weights.sum(axis=1, keepdims=True)
    mean = (weights * experts).sum(axis=1) + 0.5 * memory["bias"]
    _remember(memory, experts, mean, now, horizon, known)
    return Forecast(
        mean=mean,
        above=np.sqrt(memory["above"]),
        below=np.sqrt(memory["below"]),
        ripple=_ripple(memory, _longer(life)),
        now=level(memory, "fast"),
    )


def _ripple(memory: Memory, longer: Floats) -> Floats:
    """Arrivals vary by their dispersion (variance over mean of counts): by how much within some seconds more than
    within the average's."""
    lumps = np.maximum(memory["dispersion"] - 1, 0.0) / np.maximum(level(memory, "fast"), _LEAST)
    return np.asarray(np.log1p(lumps * (1 / _RIPPLE - 1 / _AVERAGED) / longer), dtype=np.float64)


def _experts(memory: Memory, season: Floats, horizon: Floats, longer: Floats) -> Floats:
    fast, slow = level(memory, "fast"), level(memory, "slow")
    near, far = level(memory, "near"), level(memory, "far")
    slope = (near - far) / ((_TIMES["far"] - _TIMES["near"]) * longer)
    ahead = _TIMES["near"] * longer + _DAMPED * np.minimum(horizon, _LONGEST_TREND)
    trend = clipped(near + slope * ahead, 0.4 * near, 3.0 * near)
    every = np.stack([fast, slow, trend, np.where(np.isfinite(season), season, slow)], axis=1)
    return np.asarray(np.log(np.maximum(every, _LEAST)), dtype=np.float64)


def _judge(memory: Memory, truth: Floats, now: Floats, known: Bools) -> None:
    due = memory["ring_for"]
    ripe = (due >= 0) & (due <= now[:, None]) & known[:, None]
    late = ripe & (due < now[:, None] - 60.0)
    ring = memory["ring"].reshape(len(now), RING, len(EXPERTS))
    for slot in range(RING):
        at = ripe[:, slot] & ~late[:, slot]
        if not at.any():
            continue
        error = truth[:, None] - ring[:, slot, :]
        pinball = np.where(error > 0, _QUANTILE * error, (_QUANTILE - 1) * error)
        memory["loss"] = np.where(at[:, None], memory["loss"] + _LEARN * (pinball - memory["loss"]), memory["loss"])
        off = truth - memory["ring_mean"][:, slot]
        memory["bias"] = np.where(
            at, clipped(memory["bias"] + _LEARN * (off - memory["bias"]), -0.5, 0.5), memory["bias"]
        )
        # a half-normal side of spread s has mean square s^2
        square = np.minimum(off * off, 0.5)
        for name, side in (("above", off > 0), ("below", off <= 0)):
            moved = memory[name] + 2 * _LEARN_SPREAD * (square - memory[name])
            memory[name] = np.where(at & side, np.maximum(moved, 1e-4), memory[name])
    memory["ring_for"] = np.where(ripe, -1.0, due)


def _remember(memory: Memory, experts: Floats, mean: Floats, now: Floats, horizon: Floats, known: Bools) -> None:
    made = memory["ring_at"]
    due = memory["ring_for"]
    newest = np.where(due >= 0, made, -1.0).max(axis=1)
    wanted = known & ((newest < 0) | (now - newest >= horizon / (RING - 2) - 1e-6))
    slot = np.argmin(np.where(due >= 0, made, -1.0), axis=1)
    rows = np.flatnonzero(wanted)
    if not len(rows):
        return
    at = slot[rows]
    ring = memory["ring"].reshape(len(now), RING, len(EXPERTS))
    ring[rows, at, :] = experts[rows]
    memory["ring"] = ring.reshape(len(now), RING * len(EXPERTS))
    for name, values in (("ring_mean", mean), ("ring_at", now), ("ring_for", now + horizon)):
        table = memory[name].copy()
        table[rows, at] = values[rows]
        memory[name] = table
