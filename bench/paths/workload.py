"""The traffic of the published experiments: groups that share a prefix, users that ask their own question."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import xxhash
from numpy.random import Generator

from apps.physics.fleet.types import Arrival

BLOCK = 64
"""Tokens of a block: the guide's --block-size."""


@dataclass(frozen=True, slots=True)
class Shape:
    """groups x users prompts: `prefix` tokens shared in a group, `question` of each user's own, `output` generated."""

    groups: int = 150
    users: int = 5
    prefix: int = 6000
    question: int = 1200
    output: int = 1000

    @property
    def prompt(self) -> int:
        return self.prefix + self.question

    @property
    def working_set(self) -> int:
        """Tokens of all prompts, shared ones once."""
        return self.groups * (self.prefix + self.users * self.question)


def prompts(shape: Shape, chance: Generator) -> list[tuple[int, ...]]:
    """The block hashes of each prompt, in the order in which they are asked again and again."""
    found = []
    for group in range(shape.groups):
        shared = _chain(shape.prefix // BLOCK, group, 0)
        for user in range(shape.users):
            # the block that prefix and question share is the question's
            own = shape.prompt // BLOCK - len(shared)
            found.append((*shared, *_chain(own, group, shared[-1] if shared else 0, user + 1)))
    chance.shuffle(found)
    return [tuple(each) for each in found]


def poisson(stages: Sequence[tuple[float, float]], chance: Generator, start: float = 0.0) -> list[float]:
    """Arrival times of a Poisson process with the stages' rates."""
    times, at = [], start
    for rate, seconds in stages:
        end = at + seconds
        count = chance.poisson(rate * seconds)
        times += sorted(at + seconds * chance.random(count))
        at = end
    return times


def trace(shape: Shape, stages: Sequence[tuple[float, float]], seed: int) -> list[Arrival]:
    """Arrivals that cycle through all prompts."""
    chance = np.random.default_rng(seed)
    asked = prompts(shape, chance)
    return [
        Arrival(index, float(at), shape.prompt, shape.output, block_hashes=asked[index % len(asked)])
        for index, at in enumerate(poisson(stages, chance))
    ]


def endless(shape: Shape, seed: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Prompts for clients that send one after the other."""
    asked = prompts(shape, np.random.default_rng(seed))
    index = 0
    while True:
        yield index, asked[index % len(asked)]
        index += 1


def _chain(count: int, group: int, parent: int, user: int = 0) -> list[int]:
    hashes = []
    for index in range(count):
        parent = xxhash.xxh64_intdigest(f"{group}/{user}/{index}/{parent}".encode())
        hashes.append(parent)
    return hashes
