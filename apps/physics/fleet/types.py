"""What goes into a fleet and what comes out of it. Times in seconds on the trace's clock."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

GAP_BOUNDS = (
    0.001, 0.002, 0.003, 0.004, 0.005, 0.006, 0.008, 0.010, 0.012, 0.015, 0.018, 0.020, 0.025, 0.030, 0.035, 0.040,
    0.050, 0.060, 0.070, 0.080, 0.100, 0.120, 0.150, 0.200, 0.250, 0.300, 0.400, 0.500, 0.750, 1.0, 2.0, 5.0,
)  # fmt: skip
"""Upper bounds of the gaps between tokens that a replica counts, seconds."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request of a trace.

    time: when its client sends it. cached_tokens: prompt tokens to be counted as found in the prefix cache, where the
    trace knows no blocks. block_hashes: chained hashes of the prompt's full blocks, where it does.
    """

    index: int
    time: float
    prompt_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    block_hashes: Sequence[int] = ()


@dataclass(slots=True)
class Seen:
    """One request as its client saw it.

    sent: when it reached a replica's door. first, last: when its first and last token came; 0 while they have not.
    failed: why it never got an answer. hit_tokens: prompt tokens found in the prefix cache.
    """

    arrival: Arrival
    sent: float = 0.0
    replica: int = -1
    first: float = 0.0
    last: float = 0.0
    failed: str = ""
    hit_tokens: int = 0

    @property
    def ttft(self) -> float:
        """Seconds from sending to the first token, time held at the gateway included."""
        return self.first - self.arrival.time

    @property
    def tpot(self) -> float:
        """Mean seconds between tokens after the first; 0 for a single token."""
        more = self.arrival.output_tokens - 1
        return (self.last - self.first) / more if more > 0 else 0.0

    @property
    def finished(self) -> bool:
        return self.last > 0.0


@dataclass(slots=True)
class Load:
    """What a replica has done since it was last asked: its counters, tokens unless named otherwise."""

    steps: int = 0
    busy_seconds: float = 0.0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    prefill_tokens: int = 0
    generation_tokens: int = 0
    preemptions: int = 0
    gap_counts: list[int] = field(default_factory=lambda: [0] * (len(GAP_BOUNDS) + 1))
    first_tokens: list[Seen] = field(default_factory=list)

    def gaps(self, seconds: float, tokens: int) -> None:
        """`tokens` came `seconds` after the ones before them."""
        self.gap_counts[bisect_left(GAP_BOUNDS, seconds)] += tokens

    def gap_range(self, first: float, last: float, steps: int, tokens: int) -> None:
        """`steps` steps of `tokens` each, whose durations grow evenly from `first` to `last`."""
        low, high = bisect_left(GAP_BOUNDS, first), bisect_left(GAP_BOUNDS, last)
        if low == high:
            self.gap_counts[low] += steps * tokens
            return
        done = 0
        for bucket in range(low, high):
            below = min(steps, 1 + int((GAP_BOUNDS[bucket] - first) / (last - first) * (steps - 1)))
            self.gap_counts[bucket] += (below - done) * tokens
            done = below
        self.gap_counts[high] += (steps - done) * tokens
