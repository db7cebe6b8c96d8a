"""When to try again: exponential back-off with full jitter."""

from __future__ import annotations

BASE_SECONDS = 1.0
CAP_SECONDS = 300.0


def ceiling(attempts: int, *, base: float = BASE_SECONDS, cap: float = CAP_SECONDS) -> float:
    """Longest delay in seconds after `attempts` failures in a row (1 for the first): base, 2·base, … cap."""
    exponent = min(max(attempts - 1, 0), 32)
    return min(cap, base * 2.0**exponent)


def full_jitter(attempts: int, chance: float, *, base: float = BASE_SECONDS, cap: float = CAP_SECONDS) -> float:
    """Delay in seconds: a uniform share of the ceiling, so that many keys failing together come back spread out.

    `chance` is a uniform number in [0, 1], drawn by the caller. The delay is never under a tenth of `base`:
    a key that fails at once must not spin. Formula: "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015).
    """
    return max(base / 10.0, ceiling(attempts, base=base, cap=cap) * chance)
