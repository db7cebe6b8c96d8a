"""How many keys a worker takes at once: many where each is quick, one where it may wait for a slow cluster."""

from __future__ import annotations

# what a hand costs is nothing beside sixteen keys, and the last hands of many end nearly together
MOST_IN_HAND = 16
# quick keys are dealt at least so many together where there are as many: what a hand costs is shared by its keys
LEAST_IN_HAND = 8
# what is told of a key waits for the others of its hand, and an urgent key for a hand that ends
HAND_SECONDS = 1.0
# after so long the rest of a hand is left to others
PATIENCE_SECONDS = 2.0
_WEIGHT = 0.2


def smoothed(before: float | None, seconds: float) -> float:
    """Exponentially weighted mean of the seconds that a key takes."""
    return seconds if before is None else before + _WEIGHT * (seconds - before)


def hand_size(seconds: float | None) -> int:
    """Keys of a hand when one takes so many seconds; one while that is not known."""
    if seconds is None:
        return 1
    return max(1, min(MOST_IN_HAND, int(HAND_SECONDS / max(seconds, 1e-6))))


def full(keys: int, size: int) -> bool:
    """Whether a hand of so many keys was dealt beside others, or may have been; `size`: the most it might hold."""
    return size > 1 and 2 * keys > min(size, LEAST_IN_HAND)
