"""What the loop of tiers decided in the seeded week: made by the loop's own functions, from made-up events of a cache.

No engine publishes events there and no cluster answers: what the collector would have learned is written in its place.
"""

from __future__ import annotations

from typing import Any

from apps.core import clock
from apps.offload import services
from apps.offload.domain.decide import decide
from apps.offload.domain.sketch import Sketch
from apps.offload.engines import Publishers
from apps.offload.ticking import entry_of
from apps.pools.models import Pool

__all__ = ["decide_tiers"]

# seconds of events that the sketches stand for, of which half are forgotten in an hour
_WINDOW = 4200.0
# tokens that a replica's accelerators hold
_HELD = 120_000.0
# extra tokens of cache that would have kept a block that was stored again, and of 100 tokens stored, how many so
_COME_BACK = ((10_000, 14), (40_000, 20), (90_000, 18), (200_000, 10), (500_000, 5), (2_000_000, 2))


def decide_tiers(pool: Pool, *, stored: float, replicas: int) -> None:
    """One tick for one pool, now: from its signals, and a cache whose replicas stored so many tokens a second each."""
    now = clock.now()
    names = [f"{pool.name}-{nth}" for nth in range(replicas)]
    one = _sketch(stored * _WINDOW, held=_HELD)
    all_of_them = _sketch(stored * replicas * _WINDOW, held=_HELD * replicas)
    services.store_reuse(
        [
            {
                "pool": pool.uid, "at": now, "window": _WINDOW, "rate": 1.0, "samples": 2400, "one_hit": 0.3,
                "sketches": {"replica": {"": one}, "pool": {"": all_of_them}},
                "engines": {f"{name}/0": {"pod": name, "sequence": 9, "heard_at": now.timestamp()} for name in names},
                "counters": {"events": 84_000, "dropped": 0, "gaps": 0, "restarts": 0, "silent": []},
            }
        ]
    )  # fmt: skip
    entry = entry_of(pool, Publishers(pool.uid, ready={name: name for name in names}), now)
    decision = decide(entry.policy, entry.signals, entry.state, now.timestamp())
    changes = (decision.plan, decision.canary) != (entry.signals.standing, entry.signals.canaried)
    if changes:
        services.write_plan(pool, decision, entry.policy.variant, "beside" if decision.canary else None)
    services.record([entry], [decision], {pool.uid: "Plan written." if changes else ""}, now)


def _sketch(stored: float, *, held: float) -> dict[str, Any]:
    sketch = Sketch(stored=stored, sampled=stored, held=held)
    for distance, percent in _COME_BACK:
        # what needs more room comes back later
        sketch.note(distance, 2048, distance / 2000, stored * percent / 100, generated=False)
    return sketch.to_json()
