"""What requests ask of a replica, and its steps as its load rises.

Mean field of continuous batching. Let u be the requests that one step admits on average. In steady state a step decodes
B = o u sequences (o: mean output tokens) and prefills P = n u tokens (n: mean uncached prompt tokens), so the step time
is an explicit function T(u) of the step-time model, and the replica's request rate is u / T(u). Work is counted in
replica-seconds: a request's is what it adds to steps, w = prefill + decode, and the load of a replica is rate * w.

All functions work on many rows at once: arrays are (rows,), (rows, GRID) or (rows, buckets).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from apps.autoscaling.domain.arrays import (
    anywhere,
    clipped,
    column,
    columns,
    larger,
    lone,
    mean,
    only,
    smaller,
    where,
)
from apps.autoscaling.domain.grid import GRID
from apps.autoscaling.domain.types import record

__all__ = ["Engines", "Requests", "Steps", "Traffic", "requests_of", "steps_of"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_SHARES: Floats = np.concatenate([np.linspace(0.03, 0.9, GRID - 3), [0.94, 0.97, 0.985]])[None, :]
_TINY = 1e-12
_FULLEST = float(_SHARES[0, -1])
_ODDS: Floats = _SHARES / (1 - _SHARES)


@record
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
        if isinstance(self.read, float) or len(self.read) > 1:
            return self
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
    def pairs(self) -> Floats:
        """Of tokens that are computed and tokens that they attend to (rows, buckets)."""
        return self.fresh * self.span

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


@dataclass(slots=True)
class Requests:
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
class Steps:
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


def requests_of(engines: Engines, traffic: Traffic) -> Requests:
    """Of engines whose figures are plain where there is one row."""
    f_fixed, f_token, f_attention, f_kv = columns(engines.factors)
    asides = column(engines.prefill_request) + column(engines.attention_pair) * traffic.pairs
    attention = column(f_attention) * asides
    own = only(engines.prefills, column(f_token * engines.compute_token) * traffic.fresh + attention)
    prefill = mean(traffic.prompt_share, own)
    square = mean(traffic.prompt_share, own * own)
    output = traffic.mean_output
    per_token = f_token * engines.read_token + f_kv * engines.kv_token * traffic.context
    decode = output * per_token * engines.decodes
    return Requests(
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


def steps_of(engines: Engines, requests: Requests) -> Steps:
    """At rising loads."""
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
    return Steps(admits, batch, mixed, plain + reading, step, busy, rate, load * column(scale), scale)


def _admitted(engines: Engines, requests: Requests) -> tuple[Floats, Bools]:
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
