"""How long decisions take: of one pool, and of 10,000 pools in one tick on one core.

Every pool has its own policy, load and a memory of two dozen ticks, and as many replicas as it wanted a tick before.
As in production a tick says for every pool what it decides, and explains (sentence, inputs, counterfactuals) what it
stores anew: moves, and of the holds those whose minute is over. What it takes to explain all of them is printed beside
it; JSON and the database are not in it. Garbage is collected as in a worker, not within a tick (`apps.core.memory`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from apps.autoscaling.domain.decide import decide, decide_many
from apps.autoscaling.domain.types import (
    Decision,
    Distribution,
    Known,
    Objective,
    Policy,
    Replicas,
    Signals,
    State,
    VariantPolicy,
    VariantSignals,
)
from apps.core import memory
from apps.physics.catalogue import ModelSize, step_time_for
from apps.telemetry.domain.histogram import Histogram
from bench.common import finish

POOLS = 10_000
ONE_POOL_LIMIT, TICK_LIMIT = 0.002, 1.0
# a hold is told anew once a minute: of six ticks
_RETOLD = 6
_LATENCIES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0)
_LENGTHS = (50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 5000.0)


def _observed(edges: tuple[float, ...], count: float, draw: random.Random) -> Distribution:
    buckets = {
        (low, high): count * draw.uniform(0.5, 1.5) / len(edges)
        for low, high in zip((0.0, *edges[:-1]), edges, strict=True)
    }
    return Distribution(Histogram(buckets))


def _signals(draw: random.Random, base: float, ready: int) -> Signals:
    rate = base * draw.uniform(0.9, 1.1)
    n = rate * 10
    seen = VariantSignals(
        "main",
        Replicas(ready, ready),
        finished=Known(n, 2.0),
        prompt_tokens=Known(n * 1100, 2.0),
        cached_tokens=Known(n * 100, 2.0),
        generated_tokens=Known(n * 200, 2.0),
        running=Known(rate * 3, 2.0),
        waiting=Known(0.0, 2.0),
        kv_usage=Known(0.4, 2.0),
        prompt_lengths=_observed(_LENGTHS, n, draw),
        output_lengths=_observed(_LENGTHS, n, draw),
        ttft=_observed(_LATENCIES, n, draw),
        tpot=_observed(_LATENCIES[:3], n, draw),
        itl=_observed(_LATENCIES[:3], n * 200, draw),
    )
    return Signals(10.0, (seen,), arrived=Known(n, 2.0))


def _best(times: int, run: object) -> float:
    assert callable(run)
    taken = []
    for _ in range(times):
        began = time.process_time()
        with memory.undisturbed():
            run()
        taken.append(time.process_time() - began)
    return min(taken)


def _stored(decisions: Sequence[Decision], first: int) -> int:
    """Explain what a tick stores: moves, and one hold in `_RETOLD`; how many."""
    stored = [d for at, d in enumerate(decisions) if d.targets != d.before or at % _RETOLD == first]
    for decision in stored:
        assert decision.sentence
    return len(stored)


def main() -> None:
    draw = random.Random(5)
    step = step_time_for(ModelSize(8.03e9, 32, 16.06e9, 131072), "nvidia-l40s").step_time
    objectives = (Objective("ttft", 2.0, 0.95), Objective("tpot", 0.06, 0.95))
    policies = [
        Policy(objectives, (VariantPolicy("main", 1, draw.randint(5, 60), 1.0, step, 190_000),)) for _ in range(POOLS)
    ]
    few = POOLS // 10
    base, ready, some = [draw.uniform(1, 40) for _ in range(few)], [3] * few, [State()] * few
    for tick in range(24):
        ticks = [_signals(draw, base[i], ready[i]) for i in range(few)]
        decisions = decide_many(policies[:few], ticks, some, [tick * 10.0] * few)
        some, ready = [d.state for d in decisions], [d.total for d in decisions]
    policies = [policies[i % few] for i in range(POOLS)]
    states = [some[i % few] for i in range(POOLS)]
    signals = [_signals(draw, base[i % few], ready[i % few]) for i in range(POOLS)]
    nows = [240.0] * POOLS
    memory.settle()
    stored = _stored(decide_many(policies, signals, states, nows), 0)
    whole = _best(5, lambda: _stored(decide_many(policies, signals, states, nows), 0))
    bare = _best(3, lambda: decide_many(policies, signals, states, nows))
    told = _best(3, lambda: [d.sentence for d in decide_many(policies, signals, states, nows)])
    one = _best(5, lambda: [decide(policies[i], signals[i], states[i], 240.0).sentence for i in range(40)]) / 40
    figures = {
        "pools": POOLS,
        "tick_cpu_s": round(whole, 3),
        "stored": stored,
        "decided_only_cpu_s": round(bare, 3),
        "all_explained_cpu_s": round(told, 3),
        "one_pool_cpu_ms": round(one * 1e3, 3),
    }
    print(
        f"{POOLS} pools: {whole:.2f} s of one core (limit {TICK_LIMIT:g}), {stored} of them explained; "
        f"{bare:.2f} s to decide alone, {told:.2f} s with all explained; one pool: {one * 1e3:.2f} ms (limit 2)"
    )
    finish(
        "autoscaling_speed",
        figures=figures,
        ratios={
            "tick_of_limit": round(whole / TICK_LIMIT, 3),
            "all_explained_of_limit": round(told / TICK_LIMIT, 3),
            "one_pool_of_limit": round(one / ONE_POOL_LIMIT, 3),
        },
        peer="the limits: 1 s a tick for 10,000 pools on one core, 2 ms for one pool",
        ok=whole <= TICK_LIMIT and one <= ONE_POOL_LIMIT,
    )


if __name__ == "__main__":
    main()
