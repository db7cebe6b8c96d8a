"""What to ask of a server and when: open-loop plans. An arrival never waits for the answer to an earlier one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

FIRST_TOKEN, LAST_TOKEN = 1000, 31_999
"""The range of made-up token ids: in every vocabulary of 32,000 or more, and above the special tokens."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A run of prompt tokens. Segments with equal `id` have equal tokens, so that prompts which begin with equal
    segments share a prefix."""

    id: int
    tokens: int


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """A request to be sent `at` seconds after the start."""

    at: float
    prompt: tuple[Segment, ...]
    output_tokens: int

    @property
    def prompt_tokens(self) -> int:
        return sum(segment.tokens for segment in self.prompt)


@dataclass(frozen=True, slots=True)
class SharedPrefixes:
    """Chat-like traffic: each request is the prefix of one of `groups` followed by a question.

    `users`: each group has that many questions, asked again and again; None: every question is new. Lengths are tokens.
    """

    groups: int = 8
    users: int | None = None
    prefix_tokens: int = 1024
    question_tokens: int = 128
    output_tokens: int = 128


def poisson(rate: float, duration: float, seed: int) -> Iterator[float]:
    """Arrival times (s) of a Poisson process of `rate` per second, until `duration`."""
    if rate <= 0:
        return
    chance = np.random.default_rng(seed)
    at = 0.0
    while True:
        at += float(chance.exponential(1 / rate))
        if at >= duration:
            return
        yield at


def varying(curve: Sequence[tuple[float, float]], seed: int) -> Iterator[float]:
    """Arrival times (s) of a Poisson process whose rate runs straight between points (seconds, requests/s)."""
    at = np.array([moment for moment, _ in curve])
    rate = np.array([value for _, value in curve])
    most = float(rate.max(initial=0.0))
    if most <= 0:
        return
    chance = np.random.default_rng([seed, 2])
    for moment in poisson(most, float(at[-1]), seed):
        if chance.uniform() * most < np.interp(moment, at, rate):
            yield moment


def shared_prefixes(shape: SharedPrefixes, arrivals: Sequence[float], seed: int) -> list[PlannedRequest]:
    """One request for each arrival; group and question are drawn evenly. The same seed gives the same requests."""
    prompts = asked(shape, seed)
    return [PlannedRequest(at, prompt, shape.output_tokens) for at, prompt in zip(arrivals, prompts, strict=False)]


def asked(shape: SharedPrefixes, seed: int) -> Iterator[tuple[Segment, ...]]:
    """Prompts of `shape`, one after the other, without an end."""
    chance = np.random.default_rng([seed, 1])
    for position in count():
        group = int(chance.integers(shape.groups)) if shape.groups else 0
        question = int(chance.integers(shape.users)) if shape.users else position
        prefix = Segment(_identity(seed, 0, group), shape.prefix_tokens)
        last = Segment(_identity(seed, 1, group if shape.users else 0, question), shape.question_tokens)
        yield tuple(segment for segment in (prefix, last) if segment.tokens)


def segment_tokens(segment: Segment) -> list[int]:
    """The token ids of a segment, each in FIRST_TOKEN..LAST_TOKEN."""
    chance = np.random.default_rng(segment.id)
    tokens: list[int] = chance.integers(FIRST_TOKEN, LAST_TOKEN + 1, segment.tokens).tolist()
    return tokens


def faster(plan: Sequence[PlannedRequest], scale: float) -> list[PlannedRequest]:
    """The same requests, arriving `scale` times as fast."""
    return [replace(request, at=request.at / scale) for request in plan]


def window(
    plan: Sequence[PlannedRequest], *, start: float = 0.0, duration: float | None = None, requests: int | None = None
) -> list[PlannedRequest]:
    """The requests that arrive in [start, start + duration), moved to begin at 0; at most `requests` of them."""
    end = float("inf") if duration is None else start + duration
    kept = [replace(request, at=request.at - start) for request in plan if start <= request.at < end]
    return kept if requests is None else kept[:requests]


def clipped(
    plan: Sequence[PlannedRequest], *, prompt_tokens: int | None = None, output_tokens: int | None = None
) -> tuple[list[PlannedRequest], int]:
    """The plan with longer prompts and answers cut to these many tokens; and how many requests were cut."""
    kept, cut = [], 0
    for request in plan:
        short = PlannedRequest(
            request.at,
            request.prompt if prompt_tokens is None else _first_tokens(request.prompt, prompt_tokens),
            request.output_tokens if output_tokens is None else min(request.output_tokens, output_tokens),
        )
        cut += short != request
        kept.append(short)
    return kept, cut


def _first_tokens(prompt: tuple[Segment, ...], most: int) -> tuple[Segment, ...]:
    kept: list[Segment] = []
    for segment in prompt:
        if most <= 0:
            break
        kept.append(segment if segment.tokens <= most else Segment(segment.id, most))
        most -= segment.tokens
    return tuple(kept)


def _identity(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])
