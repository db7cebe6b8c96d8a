"""Traces as requests of 512-token blocks, and one that nobody has tuned anything on."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

BLOCK = 512


@dataclass(frozen=True)
class Request:
    """`at` seconds, the prompt's blocks by their chained identity."""

    at: float
    blocks: tuple[int, ...]


def mooncake(path: Path) -> list[Request]:
    """Equal ids in equal positions are equal prefixes: the id is the block's identity."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [Request(row["timestamp"] / 1000, tuple(row["hash_ids"])) for row in rows]


def documents(
    seed: int,
    *,
    count: int,
    skew: float,
    blocks: float,
    once: float,
    seconds: float = 1200.0,
    rate: float = 3.0,
) -> list[Request]:
    """Questions to `count` documents of about `blocks` blocks, some asked for more than others (Zipf with `skew`); the
    share `once` of the requests is a prompt that never comes again."""
    draw = random.Random(seed)
    lengths = [max(1, int(draw.lognormvariate(0.0, 0.6) * blocks)) for _ in range(count)]
    weights = [1.0 / (rank + 1) ** skew for rank in range(count)]
    fresh, at = 10**9, 0.0
    found: list[Request] = []
    while (at := at + draw.expovariate(rate)) < seconds:
        if draw.random() < once:
            prompt = []
            grown = max(1, int(draw.lognormvariate(0.0, 0.6) * blocks))
        else:
            chosen = draw.choices(range(count), weights)[0]
            prompt = list(range(10**6 * (chosen + 1), 10**6 * (chosen + 1) + lengths[chosen]))
            grown = draw.randint(1, 2)
        prompt += range(fresh, fresh + grown)
        fresh += grown
        found.append(Request(at, tuple(prompt)))
    return found


def conversations(seed: int, *, seconds: float = 1200.0, rate: float = 3.0) -> list[Request]:
    """Turns of conversations behind one of a few system prompts; think times are log-normal, some never come back."""
    draw = random.Random(seed)
    systems = [tuple(10**6 * (s + 1) + i for i in range(draw.randint(2, 12))) for s in range(8)]
    found: list[Request] = []
    fresh = 10**9
    at = 0.0
    while at < seconds:
        at += draw.expovariate(rate / 3.5)
        prompt = list(systems[min(int(draw.paretovariate(1.2)) - 1, 7)])
        turn = at
        for _ in range(1 + min(int(draw.expovariate(1 / 2.5)), 20)):
            grown = 1 + int(draw.lognormvariate(1.6, 0.9))
            prompt += range(fresh, fresh + grown)
            fresh += grown
            if turn < seconds:
                found.append(Request(turn, tuple(prompt)))
            turn += draw.lognormvariate(4.2, 1.0)
    return sorted(found, key=lambda request: request.at)
