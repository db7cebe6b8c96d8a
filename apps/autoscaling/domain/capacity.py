"""What load one replica carries: step times, queueing, and the share of requests that miss an objective.

Mean field of continuous batching. Let u be the requests that one step admits on average. In steady state a step decodes
B = o u sequences (o: mean output tokens) and prefills P = n u tokens (n: mean uncached prompt tokens), so the step time
is an explicit function T(u) of the step-time model, and the replica's request rate is u / T(u). Work is counted in
replica-seconds: a request's is what it adds to steps, w = prefill + decode, and the load of a replica is rate * w.

Around the mean: the prefills of others that fall into a request's life, or came during its own prefill, lengthen its
time between tokens by a compound Poisson sum (none at all, or log-normal by its first two moments; over the
distribution of output lengths); waiting for prefill is an M/G/1 queue
with an exponential tail (over the distribution of prompt lengths); a full KV cache makes requests wait. Burstiness
enters as the index of dispersion of arrivals. What this leaves out the callers learn as a factor on the load.

All functions work on many rows at once: arrays are (rows,), (rows, GRID) or (rows, GRID, buckets).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from apps.autoscaling.domain.arrays import clipped

__all__ = [
    "GRID",
    "LOADS",
    "NO_GOAL",
    "Curve",
    "Engines",
    "Goals",
    "Traffic",
    "curve_of",
    "inverse",
    "look_up",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

GRID = 18
# loads (work a second of a replica) at which curves are tabulated
LOADS: Floats = np.concatenate([np.linspace(0.05, 0.9, GRID - 3), [0.95, 1.0, 1.1]])
_SHARES: Floats = np.concatenate([np.linspace(0.03, 0.9, GRID - 3), [0.94, 0.97, 0.985]])
# a threshold, in seconds, that stands for none
NO_GOAL = 1e9
_TINY = 1e-12
# a length bucket with a smaller share of the requests changes nothing
_LEAST_SHARE = 1e-5
_PER_WIDTH: Floats = 1.0 / np.diff(LOADS)
# LOADS are found by cells of equal width, in each of which is one of them at most, and none on an edge
_CELLS, _HIGHEST = 38.5, 1.2
_CELL_FROM: Ints = LOADS[1:-1].searchsorted(np.arange(math.ceil(_HIGHEST * _CELLS)) / _CELLS)
_CELL_EDGE: Floats = np.append(LOADS[1:-1], np.inf)[_CELL_FROM]
# share of requests that an idle replica misses, above which an objective is nobody's reason for one more replica
_HOPELESS = 0.9
# share of what a replica can do at all up to which nothing piles up
_ROOM = 0.8
# steeper than any curve below saturation: load above it piles up
_DEBT = 6.0


@dataclass(frozen=True, slots=True)
class Engines:
    """Step-time models and bounds of rows; arrays (rows,), seconds and tokens as in StepTimeModel. `factors` (rows, 4)
    scale the fixed part, the part per token, prefill's attention and the reading of KV. prefills, decodes: what the
    role does."""

    read: Floats
    read_token: Floats
    compute: Floats
    compute_token: Floats
    attention_pair: Floats
    kv_token: Floats
    prefill_request: Floats
    mixed: Floats
    kv_tokens: Floats
    max_num_seqs: Floats
    max_num_batched_tokens: Floats
    prefills: Bools
    decodes: Bools
    factors: Floats


@dataclass(frozen=True, slots=True)
class Traffic:
    """What requests are like: tokens at the middle of each length bucket and the share of requests there, (rows,
    buckets); `cached` share of prompt tokens found in a cache; `dispersion` variance over mean of a replica's
    arrivals."""

    prompt: Floats
    prompt_share: Floats
    output: Floats
    output_share: Floats
    cached: Floats
    dispersion: Floats


@dataclass(frozen=True, slots=True)
class Goals:
    """Thresholds in seconds (rows,), NO_GOAL where there is none."""

    ttft: Floats
    tpot: Floats
    itl: Floats
    e2e: Floats


@dataclass(frozen=True, slots=True)
class Curve:
    """By load (rows, GRID): `miss` share of requests outside an objective, nondecreasing and convex from the second
    point on; step seconds, waiting seconds (mean), busy share, scatter: variance of the logarithm of a request's mean
    time between tokens. `sized`: the misses that numbers of replicas are chosen by: `miss`; or where even an idle
    replica misses an objective nearly always (`hopeless` (rows,)), so that no number of them helps, those of the other
    objectives, with some of what a replica can do left over. `floor`: what misses of it whatever the load. work:
    replica-seconds of a request (more than its parts where its seats bound a replica); prefill, decode: its parts.
    most: the load that a replica can reach at all (its cache, its seats). ttft_alone: seconds of a prompt's prefill by
    bucket (rows, buckets)."""

    miss: Floats
    sized: Floats
    hopeless: NDArray[np.bool_]
    step: Floats
    wait: Floats
    busy: Floats
    scatter: Floats
    floor: Floats
    work: Floats
    prefill: Floats
    decode: Floats
    most: Floats
    ttft_alone: Floats


@dataclass(slots=True)
class _Requests:
    """What requests ask of a replica, means over their lengths (rows,). Tokens: `fresh` (of prompts, not cached),
    `output`, its square (`second`), `context` that a decoding request reads. Seconds that they add to steps: `own`, a
    prompt's by bucket (rows, buckets), its mean `prefill`, of which `attention` does not go with the tokens of a step;
    `decode`, `per_token` of it; `work`, all. `lumps`: seconds^2, what prefills weigh in a queue. `fixed`: seconds of a
    step in which nothing is done."""

    own: Floats
    prefill: Floats
    lumps: Floats
    attention: Floats
    fresh: Floats
    output: Floats
    second: Floats
    context: Floats
    per_token: Floats
    decode: Floats
    work: Floats
    fixed: Floats


@dataclass(slots=True)
class _Steps:
    """A replica's steps as its load rises (rows, GRID): requests that a step admits on average, sequences that it
    decodes, share of steps with a prefill, seconds of a step without one and of all, share of them that is not fixed,
    requests/s, and the load that this is. `scale` (rows,): of load and work, where seats bound a replica."""

    admits: Floats
    batch: Floats
    mixed: Floats
    quiet: Floats
    step: Floats
    busy: Floats
    rate: Floats
    load: Floats
    scale: Floats


def curve_of(engines: Engines, traffic: Traffic, goals: Goals) -> Curve:
    """The curves of all rows."""
    requests = _requests(engines, traffic)
    steps = _steps(engines, requests)
    step, busy = steps.step, steps.busy
    wait = steps.rate * requests.lumps[:, None] / (2 * (1 - busy))
    prompts = _Lengths.of(traffic.prompt_share)
    seats = _seats(engines, traffic, steps, requests)
    missing = _miss_ttft(engines, traffic, goals, prompts, requests, steps, wait, seats)
    wait, busy = wait + seats.wait, busy + seats.full * (1 - busy)
    slow_variance = (requests.per_token[:, None] * np.sqrt(steps.batch * traffic.dispersion[:, None])) ** 2
    fast_variance = steps.rate * step * requests.lumps[:, None]
    late = _miss_between(traffic, goals, prompts, requests, steps, slow_variance, wait)
    miss = 1 - (1 - missing) * (1 - np.where(engines.decodes[:, None], late, 0.0))
    floor = 1 - (1 - np.where(engines.prefills, _floor_ttft(traffic, goals, requests), 0.0))
    saturated = steps.load[:, -1]
    tokens = np.maximum(requests.output - 1, 1.0)[:, None]
    scatter = np.log1p((fast_variance / tokens + slow_variance) / (step * step))
    at_loads = _resampled(steps.load, (np.maximum.accumulate(miss, axis=1), step, wait, busy, scatter))
    miss = _convex(_indebted(at_loads[0], saturated))
    never_first, never_between = missing[:, 0] > _HOPELESS, engines.decodes & (late[:, 0] > _HOPELESS)
    hopeless, sized = never_first | never_between, miss
    if hopeless.any():
        first, between = np.where(never_first[:, None], 0.0, missing), np.where(never_between[:, None], 0.0, late)
        rest = 1 - (1 - first) * (1 - np.where(engines.decodes[:, None], between, 0.0))
        rest = _resampled(steps.load, (np.maximum.accumulate(rest, axis=1),))[0]
        rest = _convex(_indebted(np.maximum(rest, _piling_up(saturated)), saturated))
        sized = np.where(hopeless[:, None], rest, miss)
    return Curve(
        miss=miss,
        sized=sized,
        hopeless=hopeless,
        step=at_loads[1],
        wait=at_loads[2],
        busy=at_loads[3],
        scatter=at_loads[4],
        floor=np.where(never_first, 0.0, np.minimum(floor, 0.95)),
        work=requests.work * steps.scale,
        prefill=requests.prefill,
        decode=requests.decode,
        most=saturated,
        ttft_alone=requests.own,
    )


def _requests(engines: Engines, traffic: Traffic) -> _Requests:
    f_fixed, f_token, f_attention, f_kv = engines.factors.T
    n = traffic.prompt * (1.0 - traffic.cached)[:, None]
    pairs = n * (traffic.prompt * traffic.cached[:, None] + n / 2)
    attention = f_attention[:, None] * (engines.prefill_request[:, None] + engines.attention_pair[:, None] * pairs)
    own = (f_token[:, None] * engines.compute_token[:, None] * n + attention) * engines.prefills[:, None]
    prefill = _mean(traffic.prompt_share, own)
    square = _mean(traffic.prompt_share, own * own)
    output = _mean(traffic.output_share, traffic.output)
    second = _mean(traffic.output_share, traffic.output * traffic.output)
    # of the context that a decoding request reads: output-weighted mean of prompt + what is generated so far
    context = _mean(traffic.prompt_share, traffic.prompt) + second / np.maximum(output, 1.0) / 2
    per_token = f_token * engines.read_token + f_kv * engines.kv_token * context
    decode = output * per_token * engines.decodes
    return _Requests(
        own=own,
        prefill=prefill,
        lumps=square + (traffic.dispersion - 1) * prefill * prefill,
        attention=_mean(traffic.prompt_share, attention),
        fresh=_mean(traffic.prompt_share, n) * engines.prefills,
        output=output,
        second=second,
        context=context,
        per_token=per_token,
        decode=decode,
        work=np.maximum(prefill + decode, _TINY),
        fixed=f_fixed * np.maximum(engines.read, engines.compute),
    )


def _steps(engines: Engines, requests: _Requests) -> _Steps:
    f_token, f_kv = engines.factors[:, 1], engines.factors[:, 3]
    fixed, work, context = requests.fixed, requests.work, requests.context[:, None]
    prefills, decodes = engines.prefills[:, None], engines.decodes
    out = requests.output * decodes
    seated = np.where(decodes, 0.97 * engines.max_num_seqs / np.maximum(out, 1.0), np.inf)
    limit = np.minimum(
        0.97 * engines.max_num_batched_tokens / np.maximum(requests.fresh + out, 1.0),
        np.where(decodes, 0.97 * engines.kv_tokens / np.maximum(out * requests.context, 1.0), np.inf),
    )
    # up to where the work of requests is nearly all of a step; where the seats are taken long before, up to there: a
    # few sequences at once fill a replica whose steps have little to do
    taken = np.where(decodes, seated, 0.0) * work
    fits = taken / np.maximum(fixed + taken, _TINY)
    bound = (seated < limit) & (fits < _SHARES[-1])
    shares = np.where(bound[:, None], (_SHARES / _SHARES[-1]) * fits[:, None], _SHARES)
    admits = np.minimum((fixed / work)[:, None] * (shares / (1 - shares)), np.minimum(limit, seated)[:, None])
    batch = out[:, None] * admits
    tokens = requests.fresh[:, None] * admits
    chunked = tokens / engines.max_num_batched_tokens[:, None]
    mixed = clipped(np.maximum(-np.expm1(-admits), chunked), _TINY, 1.0) * prefills
    reading = f_kv[:, None] * engines.kv_token[:, None] * batch * context
    plain = _linear(engines, fixed, f_token, batch)
    filled = _linear(engines, fixed, f_token, batch + tokens / np.maximum(mixed, _TINY))
    asides = admits * requests.attention[:, None] * prefills
    step = (1 - mixed) * plain + mixed * filled + asides + reading * (1 + mixed * (engines.mixed[:, None] - 1))
    rate = admits / step
    load = rate * work[:, None]
    # a replica whose seats are taken is at its full load, however little its steps have to do
    scale = np.where(bound, np.maximum(_SHARES[-1] / np.maximum(load[:, -1], _TINY), 1.0), 1.0)
    busy = clipped(1 - fixed[:, None] / step, 0.0, 0.999)
    return _Steps(admits, batch, mixed, plain + reading, step, busy, rate, load * scale[:, None], scale)


def _mean(share: Floats, values: Floats) -> Floats:
    return (share * values).sum(axis=1)


def _linear(engines: Engines, fixed: Floats, factor: Floats, tokens: Floats) -> Floats:
    base = np.maximum(engines.read, engines.compute)[:, None]
    total = np.maximum(
        engines.read[:, None] + engines.read_token[:, None] * tokens,
        engines.compute[:, None] + engines.compute_token[:, None] * tokens,
    )
    return fixed[:, None] + factor[:, None] * (total - base)


@dataclass(frozen=True, slots=True)
class _Lengths:
    """The length buckets in which requests are, of all rows one after the other (buckets,): the row, the share of its
    requests, and `starts`: where each row's begin. Most buckets are empty: there is nothing to compute for them."""

    row: Ints
    share: Floats
    place: tuple[Ints, Ints]
    starts: Ints

    @classmethod
    def of(cls, share: Floats) -> _Lengths:
        used = share > _LEAST_SHARE
        # a row without any has one that weighs nothing
        used[:, 0] |= ~used.any(axis=1)
        row, column = np.nonzero(used)
        starts = np.concatenate([[0], np.cumsum(used.sum(axis=1))[:-1]])
        return cls(row, share[row, column], (row, column), starts)

    def total(self, values: Floats) -> Floats:
        """The mean over each row's requests (rows, GRID) of `values` (buckets, GRID)."""
        return np.asarray(np.add.reduceat(values * self.share[:, None], self.starts, axis=0), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Seats:
    """Waiting for one of the sequences that an engine runs at once (rows, GRID): `full`, the share of requests that
    find all of them taken; the mean seconds `those_who_wait` wait; `wait` is the mean over all requests."""

    full: Floats
    those_who_wait: Floats

    @property
    def wait(self) -> Floats:
        return self.full * self.those_who_wait

    @property
    def scarce(self) -> bool:
        """Whether anybody waits at all: with a thousand seats nobody does."""
        return bool(self.full.any())


def _seats(engines: Engines, traffic: Traffic, steps: _Steps, requests: _Requests) -> _Seats:
    """A queue with as many servers as sequences at once, each held for a request's decoding. Its share of full moments
    is Sakasegawa's approximation of Erlang's C (Annals of the Institute of Statistical Mathematics 29, 1977); waits
    grow with the variability of arrivals and of lengths as Allen and Cunneen have it."""
    number, output = engines.max_num_seqs[:, None], requests.output
    taken = clipped(steps.batch / np.maximum(number, 1.0), 0.0, 0.999)
    full = taken ** (np.sqrt(2 * (number + 1)) - 1)
    full = np.where(engines.decodes[:, None] & (full > _LEAST_SHARE), full, 0.0)
    varied = np.maximum(requests.second / np.maximum(output * output, 1.0) - 1, 0.0)
    unevenness = (traffic.dispersion + varied)[:, None] / 2
    return _Seats(full, output[:, None] * steps.step / (number * (1 - taken)) * unevenness)


def _miss_ttft(
    engines: Engines,
    traffic: Traffic,
    goals: Goals,
    prompts: _Lengths,
    requests: _Requests,
    steps: _Steps,
    wait: Floats,
    seats: _Seats,
) -> Floats:
    """Share of requests (rows, GRID) whose first token is late. wait: for prefill (rows, GRID)."""
    row, busy = prompts.row, steps.busy
    decoding = clipped(steps.rate * requests.decode[:, None], 0.0, 0.95)
    left, stretch = goals.ttft[:, None] - 1.5 * steps.step, 1 / (1 - decoding)
    slack = left.take(row, axis=0) - requests.own[prompts.place][:, None] * stretch.take(row, axis=0)
    more = np.maximum(slack, 0.0)
    decay = -busy / np.maximum(wait, _TINY)
    tail = busy.take(row, axis=0) * np.exp(decay.take(row, axis=0) * more)
    if seats.scarce:
        unseated = seats.full[row] * np.exp(-more / np.maximum(seats.those_who_wait, _TINY)[row])
        tail = tail + unseated * (1 - tail)
    tail[slack <= 0] = 1.0
    miss = prompts.total(tail) * engines.prefills[:, None]
    context = requests.context[:, None]
    spread = context * np.sqrt(np.maximum(steps.batch * traffic.dispersion[:, None], 1e-9)) * 1.2
    over = steps.batch * context - engines.kv_tokens[:, None]
    full = ndtr(over / np.maximum(spread, 1.0)) * engines.decodes[:, None]
    return np.where((goals.ttft < NO_GOAL)[:, None], 1 - (1 - miss) * (1 - full), 0.0)


def _miss_between(
    traffic: Traffic,
    goals: Goals,
    prompts: _Lengths,
    requests: _Requests,
    steps: _Steps,
    slow: Floats,
    wait: Floats,
) -> Floats:
    """Share of requests (rows, GRID) whose time between tokens is too long: per request (tpot, e2e) or per token (itl).
    slow: variance of a step by the sequences decoded; wait: until the first token (rows, GRID)."""
    kept: Floats = np.ones_like(steps.step)
    if ((goals.tpot < NO_GOAL) | (goals.e2e < NO_GOAL)).any():
        kept = _kept_per_request(traffic, goals, requests, steps, slow, wait)
    if (goals.itl < NO_GOAL).any():
        threshold, row, quiet = goals.itl[:, None], prompts.row, steps.quiet
        hit = prompts.total(ndtr(np.log((requests.own[prompts.place][:, None] + quiet[row]) / threshold[row]) / 0.25))
        calm = ndtr(np.log(quiet / threshold) / 0.15)
        kept = kept * (1 - clipped(steps.mixed * hit + (1 - steps.mixed) * calm, 0.0, 1.0))
    return 1 - kept


def _kept_per_request(
    traffic: Traffic, goals: Goals, requests: _Requests, steps: _Steps, slow: Floats, wait: Floats
) -> Floats:
    """Share of requests (rows, GRID) whose mean time between tokens keeps tpot and e2e."""
    outputs = _Lengths.of(traffic.output_share * (traffic.output > 1.5))
    row, quiet = outputs.row, steps.quiet
    gaps = np.maximum(traffic.output[outputs.place] - 1, 1.0)
    # what is left of the objectives for prefills of others, seconds a token, and its logarithm (buckets, GRID)
    left: list[tuple[Floats, Floats]] = []
    if (goals.tpot < NO_GOAL).any():
        # the same for all of a row's lengths
        same = goals.tpot[:, None] - quiet
        left.append((same.take(row, axis=0), np.log(np.maximum(same, 1e-9)).take(row, axis=0)))
    if (goals.e2e < NO_GOAL).any():
        each = (goals.e2e[row, None] - wait.take(row, axis=0)) / gaps[:, None] - quiet.take(row, axis=0)
        left.append((each, np.log(np.maximum(each, 1e-9))))
    # where nothing is left all are late: the distribution of the others' prefills, which costs most of a curve, is not
    # asked for there
    at = np.flatnonzero(np.logical_or.reduce([seconds > 0 for seconds, _ in left]))
    bucket = at // GRID
    cell, of, gap = row[bucket] * GRID + at % GRID, row[bucket], gaps[bucket]
    # prefills of others that fall into the request's life, and those that came during its own: none, or a log-normal
    # sum by its first two moments
    own_met = steps.rate * (requests.prefill[:, None] + quiet)
    met = steps.admits.take(cell) * gap + own_met.take(cell)
    any_met = np.maximum(-np.expm1(-met), 1e-9)
    added = met * requests.prefill[of]
    mean = added / (gap * any_met)
    square = ((met * requests.lumps[of] + added * added) / (gap * gap) + slow.take(cell)) / any_met
    scatter = np.log(np.maximum(square / np.maximum(mean * mean, 1e-12), 1.0 + 1e-6))
    sigma = np.sqrt(scatter)
    center = np.log(np.maximum(mean, 1e-9)) - scatter / 2
    kept: Floats = np.ones_like(quiet)
    for seconds, logarithm in left:
        late = np.ones_like(seconds)
        beyond = any_met * ndtr((center - logarithm.take(at)) / sigma)
        late.reshape(-1)[at] = np.where(seconds.take(at) > 0, beyond, 1.0)
        kept = kept * (1 - outputs.total(late))
    return kept


def _floor_ttft(traffic: Traffic, goals: Goals, requests: _Requests) -> Floats:
    alone = requests.own + 1.5 * requests.fixed[:, None]
    return ((alone > goals.ttft[:, None]) * traffic.prompt_share).sum(axis=1)


def _piling_up(saturated: Floats) -> Floats:
    """As misses at LOADS: none while a replica has room, all where it can do no more (rows, GRID)."""
    return clipped((LOADS / np.maximum(saturated, _TINY)[:, None] - _ROOM) / (1 - _ROOM), 0.0, 1.0)


def _indebted(miss: Floats, saturated: Floats) -> Floats:
    """Misses at LOADS; above the highest load that a replica can reach everything misses, and debt grows."""
    over = LOADS[None, :] - saturated[:, None]
    return np.where(over > 0, np.maximum(miss, 1.0) + _DEBT * over, miss)


def _resampled(load: Floats, tables: tuple[Floats, ...]) -> Floats:
    """Tables (rows, GRID) that stand at `load` (rows, GRID), at LOADS: (tables, rows, GRID)."""
    at = np.minimum((load[:, :, None] < LOADS).sum(axis=1), GRID - 1)
    place = at + (np.arange(len(load)) * GRID)[:, None]
    before = place - (at > 0)
    stands = load.reshape(-1)
    left = stands.take(before)
    share = clipped((LOADS - left) / np.maximum(stands.take(place) - left, _TINY), 0.0, 1.0)
    flat = np.stack(tables).reshape(len(tables), -1)
    low = flat.take(before, axis=1)
    return np.asarray(low + (flat.take(place, axis=1) - low) * share, dtype=np.float64)


def _convex(miss: Floats) -> Floats:
    """The same start, with slopes that never fall: more load never looks harmless because all is lost already."""
    widths = np.diff(LOADS)[None, :]
    slopes = np.maximum.accumulate(np.maximum(np.diff(miss, axis=1) / widths, 0.0), axis=1)
    return np.concatenate([miss[:, :1], miss[:, :1] + np.cumsum(slopes * widths, axis=1)], axis=1)


def look_up(table: Floats, load: Floats, row: Ints | None = None) -> Floats:
    """Linear interpolation of `table` (rows, GRID) at `load` (rows, anything), extended by its last slope; below the
    first load as at it. `row`: which row of the table each row of loads asks, where that is not its own."""
    reach = np.maximum(load, LOADS[0])
    # the last of LOADS below the load, but for the very last
    cell = (np.fmin(reach, _HIGHEST) * _CELLS).astype(np.int64)
    before = _CELL_FROM.take(cell)
    before += _CELL_EDGE.take(cell) < reach
    share = (reach - LOADS.take(before)) * _PER_WIDTH.take(before)
    before += ((np.arange(len(table)) if row is None else row) * GRID)[:, None]
    flat = table.reshape(-1)
    low = flat.take(before)
    before += 1
    return np.asarray(low + (flat.take(before) - low) * share, dtype=np.float64)


def inverse(table: Floats, value: Floats) -> tuple[Floats, Floats]:
    """Where a nondecreasing `table` (rows, GRID) reaches `value` (rows,): the load and the slope there."""
    at = np.minimum(np.maximum((table < value[:, None]).sum(axis=1), 1), GRID - 1)
    flat, place = table.reshape(-1), at + np.arange(len(table)) * GRID
    low, high = flat[place - 1], flat[place]
    left, right = LOADS[at - 1], LOADS[at]
    slope = np.maximum((high - low) / (right - left), 1e-3)
    load = clipped(left + (value - low) / slope, left, right)
    return np.asarray(load, dtype=np.float64), np.asarray(slope, dtype=np.float64)
