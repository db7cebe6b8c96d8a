"""What load one replica carries: step times, queueing, and the share of requests that miss an objective.

Around the means of its steps (`steps`): the prefills of others that fall into a request's life, or came during its own
prefill, lengthen its time between tokens by a compound Poisson sum (none at all, or log-normal by its first two
moments; over the distribution of output lengths); waiting for prefill is an M/G/1 queue with an exponential tail (over
the distribution of prompt lengths); a full KV cache makes requests wait. Burstiness enters as the index of dispersion
of arrivals. What this leaves out the callers learn as a factor on the load.

All functions work on many rows at once: arrays are (rows,), (rows, GRID) or (rows, GRID, buckets).
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from apps.autoscaling.domain.arrays import (
    Figures,
    anywhere,
    clipped,
    column,
    larger,
    lone,
    mean,
    only,
    rows_of,
    smaller,
    sqrt,
    where,
)
from apps.autoscaling.domain.grid import GRID, LOADS, convex, resampled
from apps.autoscaling.domain.steps import Engines, Requests, Steps, Traffic, requests_of, steps_of
from apps.autoscaling.domain.types import record

__all__ = ["NO_GOAL", "Curve", "Goals", "curve_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

# a threshold, in seconds, that stands for none
NO_GOAL = 1e9
_TINY = 1e-12
_sum = np.add.reduce
# a length bucket with a smaller share of the requests changes nothing
_LEAST_SHARE = 1e-5
# share of requests that an idle replica misses, above which an objective is nobody's reason for one more replica
_HOPELESS = 0.9
# share of what a replica can do at all up to which nothing piles up
_ROOM = 0.8
# steeper than any curve below saturation: load above it piles up
_DEBT = 6.0


@record
class Goals:
    """Thresholds in seconds (rows,), NO_GOAL where there is none."""

    ttft: Floats
    tpot: Floats
    itl: Floats
    e2e: Floats

    def lone(self) -> Goals:
        """With plain numbers for one row."""
        if isinstance(self.ttft, float) or len(self.ttft) > 1:
            return self
        return Goals(lone(self.ttft), lone(self.tpot), lone(self.itl), lone(self.e2e))


@record
class Curve:
    """By load (rows, GRID): `miss` share of requests outside an objective, nondecreasing and convex from the second
    point on; `means` (4, rows, GRID): seconds of a step, seconds of waiting, busy share, and the variance of the
    logarithm of a request's mean time between tokens. `sized`: the misses that numbers of replicas are chosen by:
    `miss`; or where even an idle replica misses an objective nearly always (`hopeless` (rows,)), so that no number of
    them helps, those of the other objectives, with some of what a replica can do left over. `floor`: what misses of it
    whatever the load. work: replica-seconds of a request (more than its parts where its seats bound a replica);
    prefill, decode: its parts. most: the load that a replica can reach at all (its cache, its seats). ttft_alone:
    seconds of a prompt's prefill by bucket (rows, buckets). floor, work, prefill and decode are figures of rows."""

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


def curve_of(engines: Engines, traffic: Traffic, goals: Goals) -> Curve:
    """The curves of all rows."""
    engines, goals = engines.lone(), goals.lone()
    requests = requests_of(engines, traffic)
    steps = steps_of(engines, requests)
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
    at_loads = resampled(steps.load, (np.maximum.accumulate(miss, axis=1), step, wait, busy, scatter))
    saturated = steps.load[:, -1]
    miss = convex(_indebted(at_loads[0], saturated))
    never_first, never_between = missing[:, 0] > _HOPELESS, rows_of(engines.decodes) & (late[:, 0] > _HOPELESS)
    hopeless, sized = never_first | never_between, miss
    if anywhere(hopeless):
        first, between = np.where(never_first[:, None], 0.0, missing), np.where(never_between[:, None], 0.0, late)
        rest = np.maximum.accumulate(_either(first, only(engines.decodes, between)), axis=1)
        rest = np.maximum(resampled(steps.load, (rest,))[0], _piling_up(saturated))
        sized = np.where(hopeless[:, None], convex(_indebted(rest, saturated)), miss)
    return Curve(
        miss=miss,
        sized=sized,
        hopeless=hopeless,
        means=at_loads[1:],
        floor=where(lone(never_first), 0.0, smaller(_floor(engines, traffic, goals, requests), 0.95)),
        work=requests.work * steps.scale,
        prefill=requests.prefill,
        decode=requests.decode,
        most=saturated,
        ttft_alone=requests.own,
    )


def _either(first: Any, second: Any) -> Any:
    """Share of requests to which one of two things happens that know nothing of each other."""
    return 1 - (1 - first) * (1 - second)


@record
class _Lengths:
    """The length buckets in which requests are, of all rows one after the other (buckets,): the row, its `place` in
    tables (rows, buckets) written in one line, the share of its requests, and `starts`: where each row's begin. Most
    buckets are empty: there is nothing to compute for them."""

    row: Ints
    share: Floats
    place: Ints
    starts: Ints

    @classmethod
    def of(cls, share: Floats) -> _Lengths:
        used = share > _LEAST_SHARE
        counts = _sum(used, axis=1, dtype=np.int64)
        if not counts.all():
            # a row without any has one that weighs nothing
            used[:, 0] |= counts == 0
            counts = np.maximum(counts, 1)
        place = used.reshape(-1).nonzero()[0]
        return cls(place // share.shape[1], share.take(place), place, np.add.accumulate(counts) - counts)

    def of_rows(self, values: Floats) -> Floats:
        """`values` (rows, GRID) beside the buckets of each row."""
        return values if len(values) == 1 else values.take(self.row, axis=0)

    def total(self, values: Floats) -> Floats:
        """The mean over each row's requests (rows, GRID) of `values` (buckets, GRID)."""
        return cast(Floats, np.add.reduceat(values * self.share[:, None], self.starts, axis=0))


@record
class _Seats:
    """Waiting for one of the sequences that an engine runs at once (rows, GRID): `full`, the share of requests that
    find all of them taken; the mean seconds `those_who_wait` wait; `wait` is the mean over all requests."""

    full: Floats
    those_who_wait: Floats

    @property
    def wait(self) -> Floats:
        return self.full * self.those_who_wait


def _seats(engines: Engines, traffic: Traffic, steps: Steps, requests: Requests) -> _Seats | None:
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
    requests: Requests,
    steps: Steps,
    wait: Floats,
    seats: _Seats | None,
) -> Floats:
    """Share of requests (rows, GRID) whose first token is late. wait: for prefill (rows, GRID)."""
    row, busy = prompts.row, steps.busy
    decoding = clipped(steps.rate * column(requests.decode), 0.0, 0.95)
    left, stretch = column(goals.ttft) - 1.5 * steps.step, 1 / (1 - decoding)
    slack = prompts.of_rows(left) - requests.own.take(prompts.place)[:, None] * prompts.of_rows(stretch)
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
    requests: Requests,
    steps: Steps,
    slow: Floats,
    wait: Floats,
) -> Floats:
    """Share of requests (rows, GRID) whose time between tokens is too long: per request (tpot, e2e) or per token (itl).
    slow: variance of a step by the sequences decoded; wait: until the first token (rows, GRID)."""
    kept: Any = np.ones(steps.step.shape)
    if anywhere((goals.tpot < NO_GOAL) | (goals.e2e < NO_GOAL)):
        kept = _kept_per_request(traffic, goals, requests, steps, slow, wait)
    if anywhere(goals.itl < NO_GOAL):
        threshold, row, quiet = rows_of(goals.itl)[:, None], prompts.row, steps.quiet
        hit = prompts.total(
            ndtr(np.log((requests.own.take(prompts.place)[:, None] + quiet[row]) / threshold[row]) / 0.25)
        )
        calm = ndtr(np.log(quiet / threshold) / 0.15)
        kept = kept * (1 - clipped(steps.mixed * hit + (1 - steps.mixed) * calm, 0.0, 1.0))
    return cast(Floats, 1 - kept)


def _kept_per_request(
    traffic: Traffic, goals: Goals, requests: Requests, steps: Steps, slow: Floats, wait: Floats
) -> Floats:
    """Share of requests (rows, GRID) whose mean time between tokens keeps tpot and e2e."""
    outputs = _Lengths.of(traffic.output_share * (traffic.output > 1.5))
    row, quiet = outputs.row, steps.quiet
    gaps = np.maximum(traffic.output.take(outputs.place) - 1, 1.0)
    # whether something is left of the objectives for prefills of others (buckets, GRID), and the logarithm of how many
    # seconds a token: (rows, GRID) where that is the same for all of a row's lengths, (buckets, GRID) otherwise
    left: list[tuple[Bools, Floats, bool]] = []
    if anywhere(goals.tpot < NO_GOAL):
        same = column(goals.tpot) - quiet
        left.append(((same > 0).take(row, axis=0), np.log(np.maximum(same, 1e-9)), True))
    if anywhere(goals.e2e < NO_GOAL):
        each = (rows_of(goals.e2e)[row, None] - wait.take(row, axis=0)) / gaps[:, None] - quiet.take(row, axis=0)
        left.append((each > 0, np.log(np.maximum(each, 1e-9)), False))
    # where nothing is left all are late: the distribution of the others' prefills, which costs most of a curve, is not
    # asked for there
    some = left[0][0] if len(left) == 1 else left[0][0] | left[1][0]
    at = some.reshape(-1).nonzero()[0]
    bucket = at // GRID
    of, gap = row.take(bucket), gaps.take(bucket)
    cell = of * GRID + at % GRID
    # prefills of others that fall into the request's life, and those that came during its own: none, or a log-normal
    # sum by its first two moments
    own_met = steps.rate * (column(requests.prefill) + quiet)
    met = steps.admits.take(cell) * gap + own_met.take(cell)
    any_met = np.maximum(-np.expm1(-met), 1e-9)
    added = met * _of(requests.prefill, of)
    mean = added / (gap * any_met)
    square = ((met * _of(requests.lumps, of) + added * added) / (gap * gap) + slow.take(cell)) / any_met
    scatter = np.log(np.maximum(square / np.maximum(mean * mean, 1e-12), 1.0 + 1e-6))
    sigma = np.sqrt(scatter)
    center = np.log(np.maximum(mean, 1e-9)) - scatter / 2
    kept: Any = 1.0
    for seconds, logarithm, same_for_all in left:
        beyond = any_met * ndtr((center - logarithm.take(cell if same_for_all else at)) / sigma)
        late = np.full(some.shape, 1.0)
        late.reshape(-1)[at] = beyond if len(left) == 1 else np.where(seconds.take(at), beyond, 1.0)
        kept = kept * (1 - outputs.total(late))
    return cast(Floats, kept)


def _of(figures: Figures, rows: Ints) -> Figures:
    """Figures of the row of each cell."""
    return figures.take(rows) if isinstance(figures, np.ndarray) else figures


def _floor(engines: Engines, traffic: Traffic, goals: Goals, requests: Requests) -> Figures:
    """Share of requests, figures of rows, whose first token is late whatever the load."""
    alone = requests.own + column(1.5 * requests.fixed)
    late = mean(alone > column(goals.ttft), traffic.prompt_share)
    return _either(only(engines.prefills, late), 0.0)


def _piling_up(saturated: Floats) -> Floats:
    """As misses at LOADS: none while a replica has room, all where it can do no more (rows, GRID)."""
    return clipped((LOADS / np.maximum(saturated, _TINY)[:, None] - _ROOM) / (1 - _ROOM), 0.0, 1.0)


def _indebted(miss: Floats, saturated: Floats) -> Floats:
    """Misses at LOADS; above the highest load that a replica can reach everything misses, and debt grows."""
    over = LOADS - column(saturated)
    return np.where(over > 0, np.maximum(miss, 1.0) + _DEBT * over, miss)
