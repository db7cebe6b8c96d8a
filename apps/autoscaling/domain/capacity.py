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
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from apps.autoscaling.domain.arrays import (
    anywhere,
    clipped,
    column,
    columns,
    larger,
    lone,
    mean,
    only,
    rows_of,
    smaller,
    sqrt,
    where,
)

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
    "look_up_all",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

GRID = 18
# loads (work a second of a replica) at which curves are tabulated
LOADS: Floats = np.concatenate([np.linspace(0.05, 0.9, GRID - 3), [0.95, 1.0, 1.1]])
_SHARES: Floats = np.concatenate([np.linspace(0.03, 0.9, GRID - 3), [0.94, 0.97, 0.985]])[None, :]
# a threshold, in seconds, that stands for none
NO_GOAL = 1e9
_TINY = 1e-12
_sum = np.add.reduce
# a length bucket with a smaller share of the requests changes nothing
_LEAST_SHARE = 1e-5
_FULLEST = float(_SHARES[0, -1])
_ODDS: Floats = _SHARES / (1 - _SHARES)
_WIDTHS: Floats = np.diff(LOADS)
_PER_WIDTH: Floats = 1.0 / _WIDTHS
# LOADS are found by cells of equal width, in each of which is one of them at most, and none on an edge
_CELLS, _HIGHEST = np.array(38.5), np.array(1.2)
_LOWEST = np.array(LOADS[0])
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

    def lone(self) -> Engines:
        """With plain numbers for one row, but for the factors."""
        figures = {name: lone(getattr(self, name)) for name in _FIGURES}
        return Engines(**figures, factors=self.factors)


_FIGURES = tuple(figure.name for figure in fields(Engines) if figure.name != "factors")


@dataclass
class Traffic:
    """What requests are like: tokens at the middle of each length bucket and the share of requests there, (rows,
    buckets); `cached` share of prompt tokens found in a cache; `dispersion` variance over mean of a replica's
    arrivals. What follows from lengths alone is computed once."""

    prompt: Floats
    prompt_share: Floats
    output: Floats
    output_share: Floats
    cached: Floats
    dispersion: Floats

    def dispersed(self, dispersion: Floats) -> Traffic:
        """The same requests, arriving so."""
        same = object.__new__(Traffic)
        same.__dict__.update(self.__dict__)
        same.dispersion = dispersion
        return same

    @cached_property
    def fresh(self) -> Floats:
        """Tokens of prompts that are in no cache (rows, buckets)."""
        return self.prompt * column(1.0 - self.cached)

    @cached_property
    def span(self) -> Floats:
        """Tokens that each of those attends to, in the mean (rows, buckets)."""
        return self.prompt * column(self.cached) + self.fresh / 2

    @cached_property
    def mean_output(self) -> Floats:
        """Tokens of an output."""
        return mean(self.output_share, self.output)

    @cached_property
    def square_output(self) -> Floats:
        """Mean square of them."""
        return mean(self.output_share, self.output * self.output)

    @cached_property
    def context(self) -> Floats:
        """Tokens that a decoding request reads: output-weighted mean of prompt and what is generated so far."""
        return mean(self.prompt_share, self.prompt) + self.square_output / larger(self.mean_output, 1.0) / 2


@dataclass(frozen=True, slots=True)
class Goals:
    """Thresholds in seconds (rows,), NO_GOAL where there is none."""

    ttft: Floats
    tpot: Floats
    itl: Floats
    e2e: Floats

    def lone(self) -> Goals:
        """With plain numbers for one row."""
        return Goals(lone(self.ttft), lone(self.tpot), lone(self.itl), lone(self.e2e))


@dataclass(frozen=True, slots=True)
class Curve:
    """By load (rows, GRID): `miss` share of requests outside an objective, nondecreasing and convex from the second
    point on; `means` (4, rows, GRID): seconds of a step, seconds of waiting, busy share, and the variance of the
    logarithm of a request's mean time between tokens. `sized`: the misses that numbers of replicas are chosen by:
    `miss`; or where even an idle replica misses an objective nearly always (`hopeless` (rows,)), so that no number of
    them helps, those of the other objectives, with some of what a replica can do left over. `floor`: what misses of it
    whatever the load. work: replica-seconds of a request (more than its parts where its seats bound a replica);
    prefill, decode: its parts. most: the load that a replica can reach at all (its cache, its seats). ttft_alone:
    seconds of a prompt's prefill by bucket (rows, buckets)."""

    miss: Floats
    sized: Floats
    hopeless: NDArray[np.bool_]
    means: Floats
    floor: Floats
    work: Floats
    prefill: Floats
    decode: Floats
    most: Floats
    ttft_alone: Floats


@dataclass(slots=True)
class _Requests:
    """What requests ask of a replica, means over their lengths (rows,). Tokens: `fresh` (of prompts, not cached),
    `output`, `context` that a decoding request reads. Seconds that they add to steps: `own`, a prompt's by bucket
    (rows, buckets), its mean `prefill`, of which `attention` does not go with the tokens of a step; `decode`,
    `per_token` of it; `work`, all. `lumps`: seconds^2, what prefills weigh in a queue. `fixed`: seconds of a step in
    which nothing is done."""

    own: Floats
    prefill: Floats
    lumps: Floats
    attention: Floats
    fresh: Floats
    output: Floats
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
    engines, goals = engines.lone(), goals.lone()
    requests = _requests(engines, traffic)
    steps = _steps(engines, requests)
    step, lumps = steps.step, column(requests.lumps)
    wait = steps.rate * lumps / (2 * (1 - steps.busy))
    prompts = _Lengths.of(traffic.prompt_share)
    seats = _seats(engines, traffic, steps, requests)
    missing = _miss_ttft(engines, traffic, goals, prompts, requests, steps, wait, seats)
    busy = steps.busy
    if seats is not None:
        wait, busy = wait + seats.wait, busy + seats.full * (1 - busy)
    uneven = column(requests.per_token) * np.sqrt(steps.batch * column(traffic.dispersion))
    slow_variance = uneven * uneven
    late = _miss_between(traffic, goals, prompts, requests, steps, slow_variance, wait)
    tokens = column(larger(requests.output - 1, 1.0))
    scatter = np.log1p((steps.rate * step * lumps / tokens + slow_variance) / (step * step))
    miss = _either(missing, only(engines.decodes, late))
    at_loads = _resampled(steps.load, (np.maximum.accumulate(miss, axis=1), step, wait, busy, scatter))
    saturated = steps.load[:, -1]
    miss = _convex(_indebted(at_loads[0], saturated))
    never_first, never_between = missing[:, 0] > _HOPELESS, rows_of(engines.decodes) & (late[:, 0] > _HOPELESS)
    hopeless, sized = never_first | never_between, miss
    if anywhere(hopeless):
        first, between = np.where(never_first[:, None], 0.0, missing), np.where(never_between[:, None], 0.0, late)
        rest = np.maximum.accumulate(_either(first, only(engines.decodes, between)), axis=1)
        rest = np.maximum(_resampled(steps.load, (rest,))[0], _piling_up(saturated))
        sized = np.where(hopeless[:, None], _convex(_indebted(rest, saturated)), miss)
    return Curve(
        miss=miss,
        sized=sized,
        hopeless=hopeless,
        means=at_loads[1:],
        floor=np.where(never_first, 0.0, np.minimum(_floor(engines, traffic, goals, requests), 0.95)),
        work=rows_of(requests.work * steps.scale),
        prefill=rows_of(requests.prefill),
        decode=rows_of(requests.decode),
        most=saturated,
        ttft_alone=requests.own,
    )


def _either(first: Floats, second: Floats | float) -> Floats:
    """Share of requests to which one of two things happens that know nothing of each other."""
    return 1 - (1 - first) * (1 - second)


def _requests(engines: Engines, traffic: Traffic) -> _Requests:
    f_fixed, f_token, f_attention, f_kv = columns(engines.factors)
    pairs = traffic.fresh * traffic.span
    attention = column(f_attention) * (column(engines.prefill_request) + column(engines.attention_pair) * pairs)
    own = only(engines.prefills, column(f_token * engines.compute_token) * traffic.fresh + attention)
    prefill = mean(traffic.prompt_share, own)
    square = mean(traffic.prompt_share, own * own)
    output = traffic.mean_output
    per_token = f_token * engines.read_token + f_kv * engines.kv_token * traffic.context
    decode = output * per_token * engines.decodes
    return _Requests(
        own=own,
        prefill=prefill,
        lumps=square + (lone(traffic.dispersion) - 1) * prefill * prefill,
        attention=mean(traffic.prompt_share, attention),
        fresh=mean(traffic.prompt_share, traffic.fresh) * engines.prefills,
        output=output,
        context=traffic.context,
        per_token=per_token,
        decode=decode,
        work=larger(prefill + decode, _TINY),
        fixed=f_fixed * larger(engines.read, engines.compute),
    )


def _steps(engines: Engines, requests: _Requests) -> _Steps:
    _, f_token, _, f_kv = columns(engines.factors)
    fixed, work = requests.fixed, column(requests.work)
    admits, bound = _admitted(engines, requests)
    batch = column(requests.output * engines.decodes) * admits
    tokens = column(requests.fresh) * admits
    chunked = tokens / column(engines.max_num_batched_tokens)
    mixed = only(engines.prefills, clipped(np.maximum(-np.expm1(-admits), chunked), _TINY, 1.0))
    reading = column(f_kv * engines.kv_token) * batch * column(requests.context)
    linear = _linear(engines, fixed, f_token)
    plain, filled = linear(batch), linear(batch + tokens / np.maximum(mixed, _TINY))
    asides = only(engines.prefills, admits * column(requests.attention))
    # the shares of both kinds of steps, and what reading takes longer in mixed ones
    step = (1 - mixed) * plain + mixed * filled + asides + reading * (1 + mixed * column(engines.mixed - 1))
    rate = admits / step
    load = rate * work
    # a replica whose seats are taken is at its full load, however little its steps have to do
    full = lone(load[:, -1])
    scale = where(bound, larger(_FULLEST / larger(full, _TINY), 1.0), 1.0)
    busy = clipped(1 - column(fixed) / step, 0.0, 0.999)
    return _Steps(admits, batch, mixed, plain + reading, step, busy, rate, load * column(scale), scale)


def _admitted(engines: Engines, requests: _Requests) -> tuple[Floats, Bools]:
    """Requests that a step admits as load rises (rows, GRID), and whether (rows,) it is seats that bound it."""
    decodes, fixed, work = engines.decodes, requests.fixed, requests.work
    out = requests.output * decodes
    seated = where(decodes, 0.97 * engines.max_num_seqs / larger(out, 1.0), math.inf)
    limit = smaller(
        0.97 * engines.max_num_batched_tokens / larger(requests.fresh + out, 1.0),
        where(decodes, 0.97 * engines.kv_tokens / larger(out * requests.context, 1.0), math.inf),
    )
    # up to where the work of requests is nearly all of a step; where the seats are taken long before, up to there: a
    # few sequences at once fill a replica whose steps have little to do
    taken = where(decodes, seated, 0.0) * work
    fits = taken / larger(fixed + taken, _TINY)
    bound = (seated < limit) & (fits < _FULLEST)
    odds = _ODDS
    if anywhere(bound):
        shares = np.where(column(bound), (_SHARES / _FULLEST) * column(fits), _SHARES)
        odds = shares / (1 - shares)
    return np.minimum(column(fixed / work) * odds, column(smaller(limit, seated))), bound


def _linear(engines: Engines, fixed: Floats, factor: Floats) -> Callable[[Floats], Floats]:
    """Seconds of the layers whose time goes with the tokens of a step, by these (rows, GRID)."""
    read, compute = column(engines.read), column(engines.compute)
    read_token, compute_token = column(engines.read_token), column(engines.compute_token)
    base, least, slower = column(larger(engines.read, engines.compute)), column(fixed), column(factor)

    def seconds(tokens: Floats) -> Floats:
        total = np.maximum(read + read_token * tokens, compute + compute_token * tokens)
        return least + slower * (total - base)

    return seconds


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
        counts = _sum(used, axis=1, dtype=np.int64)
        if np.count_nonzero(counts) < len(counts):
            # a row without any has one that weighs nothing
            used[:, 0] |= counts == 0
            counts = np.maximum(counts, 1)
        row, bucket = used.nonzero()
        return cls(row, share[row, bucket], (row, bucket), np.cumsum(counts) - counts)

    def of_rows(self, values: Floats) -> Floats:
        """`values` (rows, GRID) beside the buckets of each row."""
        return values if len(values) == 1 else values.take(self.row, axis=0)

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


def _seats(engines: Engines, traffic: Traffic, steps: _Steps, requests: _Requests) -> _Seats | None:
    """A queue with as many servers as sequences at once, each held for a request's decoding. Its share of full moments
    is Sakasegawa's approximation of Erlang's C (Annals of the Institute of Statistical Mathematics 29, 1977); waits
    grow with the variability of arrivals and of lengths as Allen and Cunneen have it. None where nobody waits at all:
    as with a thousand seats."""
    number, output = engines.max_num_seqs, requests.output
    taken = steps.batch / column(larger(number, 1.0))
    power = sqrt(2 * (number + 1)) - 1
    # fullest at the highest load
    if not anywhere(rows_of(clipped(lone(taken[:, -1]), 0.0, 0.999)) ** rows_of(power) > _LEAST_SHARE):
        return None
    taken = clipped(taken, 0.0, 0.999)
    full = taken ** column(power)
    full = only(engines.decodes, np.where(full > _LEAST_SHARE, full, 0.0))
    varied = larger(traffic.square_output / larger(output * output, 1.0) - 1, 0.0)
    unevenness = column((lone(traffic.dispersion) + varied) / 2)
    return _Seats(full, column(output) * steps.step / (column(number) * (1 - taken)) * unevenness)


def _miss_ttft(
    engines: Engines,
    traffic: Traffic,
    goals: Goals,
    prompts: _Lengths,
    requests: _Requests,
    steps: _Steps,
    wait: Floats,
    seats: _Seats | None,
) -> Floats:
    """Share of requests (rows, GRID) whose first token is late. wait: for prefill (rows, GRID)."""
    row, busy = prompts.row, steps.busy
    decoding = clipped(steps.rate * column(requests.decode), 0.0, 0.95)
    left, stretch = column(goals.ttft) - 1.5 * steps.step, 1 / (1 - decoding)
    slack = prompts.of_rows(left) - requests.own[prompts.place][:, None] * prompts.of_rows(stretch)
    more = np.maximum(slack, 0.0)
    decay = -busy / np.maximum(wait, _TINY)
    tail = prompts.of_rows(busy) * np.exp(prompts.of_rows(decay) * more)
    if seats is not None:
        unseated = seats.full[row] * np.exp(-more / np.maximum(seats.those_who_wait, _TINY)[row])
        tail = tail + unseated * (1 - tail)
    tail[slack <= 0] = 1.0
    miss = only(engines.prefills, prompts.total(tail))
    spread = column(requests.context) * np.sqrt(np.maximum(steps.batch * column(traffic.dispersion), 1e-9)) * 1.2
    over = steps.batch * column(requests.context) - column(engines.kv_tokens)
    full = only(engines.decodes, ndtr(over / np.maximum(spread, 1.0)))
    return np.where(rows_of(goals.ttft < NO_GOAL)[:, None], _either(miss, full), 0.0)


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
    if anywhere((goals.tpot < NO_GOAL) | (goals.e2e < NO_GOAL)):
        kept = _kept_per_request(traffic, goals, requests, steps, slow, wait)
    if anywhere(goals.itl < NO_GOAL):
        threshold, row, quiet = rows_of(goals.itl)[:, None], prompts.row, steps.quiet
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
    if anywhere(goals.tpot < NO_GOAL):
        # the same for all of a row's lengths
        same = column(goals.tpot) - quiet
        left.append((same.take(row, axis=0), np.log(np.maximum(same, 1e-9)).take(row, axis=0)))
    if anywhere(goals.e2e < NO_GOAL):
        each = (rows_of(goals.e2e)[row, None] - wait.take(row, axis=0)) / gaps[:, None] - quiet.take(row, axis=0)
        left.append((each, np.log(np.maximum(each, 1e-9))))
    # where nothing is left all are late: the distribution of the others' prefills, which costs most of a curve, is not
    # asked for there
    at = np.flatnonzero(np.logical_or.reduce([seconds > 0 for seconds, _ in left]))
    bucket = at // GRID
    cell, of, gap = row[bucket] * GRID + at % GRID, row[bucket], gaps[bucket]
    # prefills of others that fall into the request's life, and those that came during its own: none, or a log-normal
    # sum by its first two moments
    own_met = steps.rate * (column(requests.prefill) + quiet)
    met = steps.admits.take(cell) * gap + own_met.take(cell)
    any_met = np.maximum(-np.expm1(-met), 1e-9)
    added = met * rows_of(requests.prefill)[of]
    mean = added / (gap * any_met)
    square = ((met * rows_of(requests.lumps)[of] + added * added) / (gap * gap) + slow.take(cell)) / any_met
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


def _floor(engines: Engines, traffic: Traffic, goals: Goals, requests: _Requests) -> Floats:
    """Share of requests (rows,) whose first token is late whatever the load."""
    alone = requests.own + column(1.5 * requests.fixed)
    late = mean(alone > column(goals.ttft), traffic.prompt_share)
    return rows_of(_either(only(engines.prefills, late), 0.0))


def _piling_up(saturated: Floats) -> Floats:
    """As misses at LOADS: none while a replica has room, all where it can do no more (rows, GRID)."""
    return clipped((LOADS / np.maximum(saturated, _TINY)[:, None] - _ROOM) / (1 - _ROOM), 0.0, 1.0)


def _indebted(miss: Floats, saturated: Floats) -> Floats:
    """Misses at LOADS; above the highest load that a replica can reach everything misses, and debt grows."""
    over = LOADS - column(saturated)
    return np.where(over > 0, np.maximum(miss, 1.0) + _DEBT * over, miss)


def _resampled(load: Floats, tables: tuple[Floats, ...]) -> Floats:
    """Tables (rows, GRID) that stand at `load` (rows, GRID), at LOADS: (tables, rows, GRID)."""
    at = np.minimum(_sum(load[:, :, None] < LOADS, axis=1, dtype=np.int64), GRID - 1)
    if len(load) > 1:
        at += (np.arange(len(load)) * GRID)[:, None]
        before = at - (at % GRID > 0)
    else:
        before = at - (at > 0)
    stands = load.reshape(-1)
    left = stands.take(before)
    share = clipped((LOADS - left) / np.maximum(stands.take(at) - left, _TINY), 0.0, 1.0)
    flat = np.concatenate(tables).reshape(len(tables), -1)
    low = flat.take(before, axis=1)
    return np.asarray(low + (flat.take(at, axis=1) - low) * share, dtype=np.float64)


def _convex(miss: Floats) -> Floats:
    """The same start, with slopes that never fall: more load never looks harmless because all is lost already."""
    steps = miss.copy()
    rise = np.maximum((miss[:, 1:] - miss[:, :-1]) / _WIDTHS, 0.0)
    steps[:, 1:] = miss[:, :1] + np.add.accumulate(np.maximum.accumulate(rise, axis=1) * _WIDTHS, axis=1)
    return steps


def look_up(table: Floats, load: Floats, row: Ints | None = None) -> Floats:
    """Linear interpolation of `table` (rows, GRID) at `load` (rows, anything), extended by its last slope; below the
    first load as at it. `row`: which row of the table each row of loads asks, where that is not its own."""
    before, share = _between(load, len(table), row)
    flat = table.reshape(-1)
    low = flat.take(before)
    before += 1
    return low + (flat.take(before) - low) * share


def look_up_all(tables: Floats, load: Floats, row: Ints) -> Floats:
    """As `look_up` in several tables (tables, rows, GRID) at the same loads: (tables, rows, anything)."""
    before, share = _between(load, tables.shape[1], row)
    flat = tables.reshape(len(tables), -1)
    low = flat.take(before, axis=1)
    before += 1
    return low + (flat.take(before, axis=1) - low) * share


def _between(load: Floats, rows: int, row: Ints | None) -> tuple[Ints, Floats]:
    """The places of the last of LOADS below each load in a table (rows, GRID) written in one line, and how far each is
    from there to the next."""
    reach = np.maximum(load, _LOWEST)
    # the last of LOADS below the load, but for the very last
    cell = (np.fmin(reach, _HIGHEST) * _CELLS).astype(np.int64)
    before = _CELL_FROM.take(cell)
    before += _CELL_EDGE.take(cell) < reach
    share = (reach - LOADS.take(before)) * _PER_WIDTH.take(before)
    if rows > 1:
        before += ((np.arange(rows) if row is None else row) * GRID)[:, None]
    return before, share


def inverse(table: Floats, value: Floats) -> tuple[Floats, Floats]:
    """Where a nondecreasing `table` (rows, GRID) reaches `value` (rows,): the load and the slope there."""
    at = np.minimum(np.maximum((table < value[:, None]).sum(axis=1), 1), GRID - 1)
    flat, place = table.reshape(-1), at + np.arange(len(table)) * GRID
    low, high = flat[place - 1], flat[place]
    left, right = LOADS[at - 1], LOADS[at]
    slope = np.maximum((high - low) / (right - left), 1e-3)
    load = clipped(left + (value - low) / slope, left, right)
    return np.asarray(load, dtype=np.float64), np.asarray(slope, dtype=np.float64)
