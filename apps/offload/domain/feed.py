"""The order of one engine's event batches: gaps, replays, restarts, and what is lost for good."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["Delivery", "Feed"]

_MOST_HELD = 20_000
_PATIENCE = 5.0


class Delivery(NamedTuple):
    """A batch in its turn. `restarted`: the engine began anew just before it; `seen`: it was counted in an earlier
    life of the collector, and serves only to know again what the engine holds."""

    sequence: int
    payload: bytes
    restarted: bool
    seen: bool


@dataclass(slots=True)
class Feed:
    """Batches of one publisher, which numbers them from 0.

    counted: the last number that was counted before this process began, None for a publisher that is new to us.
    replays: whether the publisher can be asked for what was missed. dropped, gaps, restarts: so far.
    """

    replays: bool
    counted: int | None = None
    expected: int | None = None
    dropped: int = 0
    gaps: int = 0
    restarts: int = 0
    _held: dict[int, bytes] = field(default_factory=dict)
    _asking: bool = False
    _asked_at: float | None = None
    _restarted: bool = False

    def __post_init__(self) -> None:
        self._asking = self.replays

    @property
    def replay_from(self) -> int | None:
        """The number from which a replay should be asked for now, None when none is needed or one is under way."""
        if not self._asking or self._asked_at is not None:
            return None
        return self.expected if self.expected is not None else 0

    def asked(self, now: float) -> None:
        """A replay was asked for."""
        self._asked_at = now

    def live(self, sequence: int, payload: bytes) -> list[Delivery]:
        """A batch came; what can be taken in now, in order."""
        if self._began_anew(sequence):
            self._held.clear()
            self.restarts += 1
            self.expected, self.counted, self._restarted = 0, None, True
            self._asked_at = None
            self._asking = sequence > 0 and self.replays
        if self._asking:
            self._hold(sequence, payload)
            return []
        if self.expected is not None and sequence > self.expected:
            self.gaps += 1
            if self.replays:
                self._asking = True
                self._hold(sequence, payload)
                return []
            self.dropped += sequence - self.expected
        return [self._deliver(sequence, payload)]

    def replayed(self, sequence: int, payload: bytes) -> None:
        """A batch of a replay came."""
        self._held.setdefault(sequence, payload)

    def finished(self) -> list[Delivery]:
        """The replay ended, or nobody answers: what is held goes out, and holes in it are lost."""
        self._asking, self._asked_at = False, None
        numbers = sorted(number for number in self._held if self.expected is None or number >= self.expected)
        if numbers and self.counted is not None and numbers[-1] < self.counted:
            # fewer batches than we had counted: another life of the engine
            self.counted, self._restarted = None, True
            self.restarts += 1
        if numbers and self.expected is None and self.counted is not None:
            self.dropped += max(0, numbers[0] - self.counted - 1)
        found = []
        for number in numbers:
            if self.expected is not None and number > self.expected:
                self.dropped += number - self.expected
            found.append(self._deliver(number, self._held[number]))
        self._held.clear()
        return found

    def overdue(self, now: float) -> bool:
        """Whether a replay that was asked for has not ended in time."""
        return self._asked_at is not None and now - self._asked_at > _PATIENCE

    def _began_anew(self, sequence: int) -> bool:
        if self.expected is None:
            return False
        return sequence < self.expected and not (self._asking and sequence in self._held)

    def _hold(self, sequence: int, payload: bytes) -> None:
        self._held[sequence] = payload
        if len(self._held) > _MOST_HELD:
            # the oldest goes, and is counted as lost when its turn comes
            del self._held[min(self._held)]

    def _deliver(self, sequence: int, payload: bytes) -> Delivery:
        self.expected = sequence + 1
        restarted, self._restarted = self._restarted, False
        return Delivery(sequence, payload, restarted, self.counted is not None and sequence <= self.counted)
