"""What is kept of reuse: tokens wanted again by how much larger a cache would have held them, by the length of the
prefix that they belong to, and by the time since they were stored. Small, fading, and added up by plain sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["DISTANCES", "DISTANCE_EDGES", "LENGTHS", "LENGTH_EDGES", "TIMES", "TIME_EDGES", "Sketch"]

Floats = NDArray[np.float64]

_PER_OCTAVE = 8
_UNIT = 256.0
DISTANCES = 216
LENGTHS = 12
TIMES = 80
# tokens beyond the device: upper edge of each bucket; the first is up to 23 tokens, the last beyond 3 x 10^10
DISTANCE_EDGES: Floats = _UNIT * (np.exp2(np.arange(1, DISTANCES + 1) / _PER_OCTAVE) - 1)
# tokens of a prefix that was wanted again: 128, 256, … ; the last has no end
LENGTH_EDGES: Floats = np.exp2(np.arange(7, 7 + LENGTHS, dtype=np.float64))
# seconds
TIME_EDGES: Floats = 0.25 * np.exp2(np.arange(1, TIMES + 1) / 4)


@dataclass(slots=True)
class Sketch:
    """Faded sums, in tokens. `again[d, l]`: stored again, by distance and length; `times`: the same by time.

    stored: all that devices stored; sampled: what the sample makes of the same number (their ratio corrects `again`).
    generated, generated_again: the part that single blocks at the end of a chain make up, as generated tokens do.
    rooted: of what was stored again, the part of prompts of which the device had nothing.
    held: tokens that devices hold when they are full, of one device on average for the scope `replica`.
    """

    again: Floats = field(default_factory=lambda: np.zeros((DISTANCES, LENGTHS)))
    times: Floats = field(default_factory=lambda: np.zeros(TIMES))
    stored: float = 0.0
    sampled: float = 0.0
    generated: float = 0.0
    generated_again: float = 0.0
    rooted: float = 0.0
    held: float = 0.0

    def note(
        self, distance: float, length: float, seconds: float, tokens: float, generated: bool, rooted: bool = False
    ) -> None:
        """`tokens` were stored again that `distance` more tokens of cache would have kept: of a prefix of `length`
        tokens, `seconds` after they had been stored before; `generated`: as generated tokens are;
        `rooted`: the device had nothing of the prompt."""
        row = int(_PER_OCTAVE * log2(distance / _UNIT + 1.0)) if distance > 0 else 0
        column = ceil(log2(max(length, 1.0))) - 7
        self.again[min(row, DISTANCES - 1), min(max(column, 0), LENGTHS - 1)] += tokens
        at = int(4 * log2(max(seconds, 0.25) / 0.25))
        self.times[min(at, TIMES - 1)] += tokens
        if generated:
            self.generated_again += tokens
        if rooted:
            self.rooted += tokens

    def fade(self, keep: float) -> None:
        """Everything but what is held counts `keep` times as much from now on."""
        self.again *= keep
        self.times *= keep
        self.stored *= keep
        self.sampled *= keep
        self.generated *= keep
        self.generated_again *= keep
        self.rooted *= keep

    @property
    def correction(self) -> float:
        """What the sample has to be multiplied by to count all that was stored."""
        return self.stored / self.sampled if self.sampled > 0 else 1.0

    @property
    def total_again(self) -> float:
        """Tokens stored again, of any distance."""
        return float(self.again.sum()) * self.correction

    @property
    def rooted_share(self) -> float:
        """Of what was stored again, the part of prompts of which the device had nothing."""
        again = float(self.again.sum())
        return min(self.rooted / again, 1.0) if again > 0 else 0.0

    def within(self, extra: float, *, shortest: float = 0.0) -> float:
        """Tokens stored again that `extra` more tokens of cache would have kept, of prefixes of at least `shortest`."""
        if extra <= 0:
            return 0.0
        rows = self.again if shortest <= 0 else self.again[:, shortest < LENGTH_EDGES]
        cumulative = np.concatenate([[0.0], np.cumsum(rows.sum(axis=1))])
        edges = np.concatenate([[0.0], DISTANCE_EDGES])
        return float(np.interp(extra, edges, cumulative)) * self.correction

    def lengths_within(self, extra: float) -> Floats:
        """The same by length of the prefix, (LENGTHS,)."""
        if extra <= 0:
            return np.zeros(LENGTHS)
        edges = np.concatenate([[0.0], DISTANCE_EDGES])
        cumulative = np.concatenate([np.zeros((1, LENGTHS)), np.cumsum(self.again, axis=0)])
        found = np.array([np.interp(extra, edges, cumulative[:, column]) for column in range(LENGTHS)])
        return found * self.correction

    def time_share(self, seconds: float) -> float:
        """Share of what was wanted again that came within `seconds`."""
        total = float(self.times.sum())
        if total <= 0:
            return 0.0
        cumulative = np.concatenate([[0.0], np.cumsum(self.times)])
        return float(np.interp(seconds, np.concatenate([[0.0], TIME_EDGES]), cumulative)) / total

    def time_quantile(self, share: float) -> float | None:
        """Within how many seconds `share` of it came, None where nothing did."""
        total = float(self.times.sum())
        if total <= 0:
            return None
        cumulative = np.concatenate([[0.0], np.cumsum(self.times)])
        return float(np.interp(share * total, cumulative, np.concatenate([[0.0], TIME_EDGES])))

    def add(self, other: Sketch) -> None:
        """Sums of both; what is held is added up too."""
        self.again += other.again
        self.times += other.times
        self.stored += other.stored
        self.sampled += other.sampled
        self.generated += other.generated
        self.generated_again += other.generated_again
        self.rooted += other.rooted
        self.held += other.held

    def to_json(self) -> dict[str, Any]:
        rows, columns = np.nonzero(self.again)
        return {
            "again": [
                [int(r), int(c), float(self.again[r, c])] for r, c in zip(rows.tolist(), columns.tolist(), strict=True)
            ],
            "times": [[int(i), float(self.times[i])] for i in np.nonzero(self.times)[0].tolist()],
            **{name: float(getattr(self, name)) for name in _SUMS},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Sketch:
        """Raises KeyError, IndexError or TypeError for what `to_json` did not write."""
        sketch = cls()
        for name in _SUMS:
            # what was kept before it was counted has none
            setattr(sketch, name, float(data.get(name, 0.0) if name == "rooted" else data[name]))
        for row, column, tokens in data["again"]:
            sketch.again[row, column] = tokens
        for at, tokens in data["times"]:
            sketch.times[at] = tokens
        return sketch


_SUMS: Sequence[str] = ("stored", "sampled", "generated", "generated_again", "rooted", "held")
