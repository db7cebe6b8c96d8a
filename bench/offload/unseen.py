"""Traces that nobody has looked at: drawn by a written process from wide ranges, never chosen.

The process: for number 1, 2, ... of a `ROUND` a generator seeded with sha256 of "lamplight offload hold-out ROUND
number" draws the kind of trace and each of its parameters, uniformly in the logarithm between the bounds below. A round
is written down before it is first played, and played as it is. Once the policy has been changed after somebody looked
at what it did on a round, that round is no hold-out any more: it goes to `SPENT`, and the next number is the round.

Round 1 was drawn without `LOAD` and left pools idle for 24 hours of 25, where no tier can pay for a restart within a
day; two of its traces were played before that was seen. From round 2 on the share of the time is drawn that all
replicas would compute if nothing were cached, and the rate of requests follows from it.
"""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable
from functools import partial

from bench.offload.workloads import BLOCK, Request, conversations, documents

ROUND = 9
SPENT: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8)
TRACES = 6
SECONDS = (900.0, 3600.0)
LOAD = (0.3, 1.5)
# of one replica, to compute a prompt token; blocks of a conversation's prompt, on average
TOKEN_SECONDS, REPLICAS = 30e-6, 4
CONVERSATION = 30.0
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
        seed, seconds, load = draw.getrandbits(32), between(draw, SECONDS), between(draw, LOAD)
        if draw.random() < 1 / 3:
            rate = load * REPLICAS / (CONVERSATION * BLOCK * TOKEN_SECONDS)
            name = f"{number_of_round}.{number} conversations {rate:.1f}/s"
            found[name] = partial(conversations, seed, seconds=seconds, rate=rate)
            continue
        count, skew = round(between(draw, COUNT)), between(draw, SKEW)
        blocks, once = between(draw, BLOCKS), between(draw, ONCE)
        # lengths are log-normal around their median
        rate = load * REPLICAS / (1.2 * blocks * BLOCK * TOKEN_SECONDS)
        name = f"{number_of_round}.{number} {count}x{blocks:.0f} skew {skew:.1f} load {load:.1f}"
        found[name] = partial(
            documents, seed, count=count, skew=skew, blocks=blocks, once=once, seconds=seconds, rate=rate
        )
    return found


def between(draw: random.Random, bounds: tuple[float, float]) -> float:
    low, high = bounds
    return math.exp(draw.uniform(math.log(low), math.log(high)))
