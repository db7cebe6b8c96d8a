"""The load generator in a process of its own: what it measures must not wait for the test beside it."""

from __future__ import annotations

import asyncio
import random

from apps.benchmarks.domain.outcomes import Outcome
from apps.benchmarks.domain.workloads import PlannedRequest, Segment, poisson
from apps.benchmarks.load import Target, play


def plan_of(seconds: float, rate: float, seed: int = 7) -> list[PlannedRequest]:
    """Short questions, and one in six with a long document: latencies of two kinds, as people's traffic has."""
    chance = random.Random(seed)
    plan = []
    for number, at in enumerate(poisson(rate, seconds, seed)):
        long = chance.random() < 1 / 6
        prompt = Segment(1_000_000 * seed + number, 8_000 if long else chance.randint(50, 400))
        plan.append(PlannedRequest(at, (prompt,), 90 if long else chance.randint(5, 20)))
    return plan


def traffic(url: str, seconds: float, rate: float) -> list[Outcome]:
    """Play it against a server; what came of each request. Picklable, for a ProcessPoolExecutor."""
    outcomes, _ = asyncio.run(play(Target(url, "llama"), plan_of(seconds, rate)))
    return outcomes
