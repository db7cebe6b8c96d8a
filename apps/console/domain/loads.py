"""A load of the made-up week: what its users would have seen, as a smooth function of time. No chance in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from apps.benchmarks.domain.outcomes import Outcome
from apps.benchmarks.domain.tally import Promise, Tally

__all__ = ["measured"]

_GAP = 0.018
_TOKENS = 24


def measured(promises: Sequence[Promise], *, rate: float, seconds: float, ttft: float, until: float) -> dict[str, Any]:
    """What `rate` requests/s would have measured until `until` of `seconds`: TTFT (s) swings around `ttft` and grows
    while the load goes on; each fiftieth request is refused."""
    tally = Tally(promises, seconds)
    for n in range(int(rate * min(until, seconds))):
        at = n / rate
        tally.sent(at)
        if n % 50 == 49:
            tally.ended(Outcome(at, at, 1152, "HTTP 429: the queue is full"))
            continue
        first = at + ttft * (1 + at / seconds + 0.3 * math.sin(n))
        times = [first + n * _GAP for n in range(_TOKENS)]
        tally.ended(Outcome(at, at, 1152, None, times[-1], times, _TOKENS, 1024 if n > 8 else 0))
    return tally.to_json(until + ttft, over=True)
