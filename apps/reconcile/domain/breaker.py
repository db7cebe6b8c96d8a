"""Circuit breaker of a shard (a cluster): after failures in a row nothing is tried for a while, then one probe."""

from __future__ import annotations

from dataclasses import dataclass

THRESHOLD = 3
FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 60.0


@dataclass(frozen=True)
class Breaker:
    """`failures`: faults of the shard in a row. `pause`: seconds from now in which no key of the shard is claimed."""

    failures: int = 0
    pause: float = 0.0

    @property
    def tripped(self) -> bool:
        """Tripped shards are probed by one key at a time until a success closes the breaker."""
        return self.failures >= THRESHOLD


def after_fault(failures: int) -> Breaker:
    """The breaker after one more fault of the shard; `failures` counts those before it."""
    total = failures + 1
    if total < THRESHOLD:
        return Breaker(failures=total)
    pause = FIRST_PAUSE_SECONDS * 2.0 ** min(total - THRESHOLD, 16)
    return Breaker(failures=total, pause=min(LONGEST_PAUSE_SECONDS, pause))
