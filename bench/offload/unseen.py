"""Traces that nobody has looked at: drawn by a written process from wide ranges, never chosen.

The process: for number 1, 2, ... of a `ROUND` a generator seeded with sha256 of "lamplight offload hold-out ROUND
number" draws the kind of trace and each of its parameters, uniformly in the logarithm between the bounds below. A round
is written down before it is first played, and played as it is. Once the policy has been changed after somebody looked
at what it did on a round, that round is no hold-out any more: it goes to `SPENT`, and the next number is the round.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable
from functools import partial

from bench.offload.workloads import Request, conversations, documents

ROUND = 1
SPENT: tuple[int, ...] = ()
TRACES = 6
SECONDS = (900.0, 3600.0)
RATE = (1.0, 8.0)
COUNT = (100.0, 3000.0)
SKEW = (0.3, 1.5)
BLOCKS = (4.0, 48.0)
ONCE = (0.02, 0.6)


def drawn(number_of_round: int) -> dict[str, Callable[[], list[Request]]]:
    """The traces of a round by name; a name tells the parameters."""
    found: dict[str, Callable[[], list[Request]]] = {}
    for number in range(1, TRACES + 1):
        text = f"lamplight offload hold-out {number_of_round} {number}"
        draw = random.Random(int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big"))
        seed, seconds, rate = draw.getrandbits(32), between(draw, SECONDS), between(draw, RATE)
        if draw.random() < 1 / 3:
            name = f"{number_of_round}.{number} conversations {rate:.1f}/s"
            found[name] = partial(conversations, seed, seconds=seconds, rate=rate)
            continue
        count, skew = round(between(draw, COUNT)), between(draw, SKEW)
        blocks, once = between(draw, BLOCKS), between(draw, ONCE)
        # no more than four replicas of this model can serve: at most 60 blocks a second
        rate = min(rate, 60.0 / blocks)
        name = f"{number_of_round}.{number} {count}x{blocks:.0f} skew {skew:.1f} once {once:.2f}"
        found[name] = partial(
            documents, seed, count=count, skew=skew, blocks=blocks, once=once, seconds=seconds, rate=rate
        )
    return found


def between(draw: random.Random, bounds: tuple[float, float]) -> float:
    low, high = bounds
    return math.exp(draw.uniform(math.log(low), math.log(high)))
