"""How full the folder is between two looks at it, and how much of the quota must stay free. No clock, no I/O.

A look at a million chunks takes seconds, and engines write meanwhile. What they write is known at once from the bytes
that the whole volume holds (statvfs), so the folder is taken to hold what the last look saw, less what was removed
since, plus what the volume grew by: the share of it that is ours, learned from look to look and 0 until one has shown
it, for others may write there too, and their growth must cost us nothing but a look. Free stays what is written in
the time that it takes to notice and to remove: growth x latency.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

# one turn of noticing and removing is not taken to be faster than this, whatever was measured
LEAST_LATENCY = 0.2
# how long a burst is remembered: the next one finds room for it
PEAK_SECONDS = 120.0
GROWTH_SECONDS = 1.0
# a volume that grows by less than this share of what the folder does says nothing (sparse files, caches of statvfs)
LEAST_TOLD = 0.25
# a store of which more than this is kept free is none: then the quota is not promised
MOST_RESERVED = 0.35
DOUBTFUL = 0.05


@dataclass
class Room:
    """`seen`: bytes of the chunks that are known; `unseen`: bytes written since, by the volume. `growth`: bytes a
    second that engines write now; `peak`: the most of it lately. `latency`: seconds of the slowest turn lately."""

    quota: int
    high: float
    low: float
    seen: int = 0
    unseen: float = 0.0
    growth: float = 0.0
    peak: float = 0.0
    latency: float = LEAST_LATENCY
    share: float = 0.0
    told: bool = True
    """Whether the volume's growth says anything of the folder's."""
    _at: float | None = None
    _volume: int | None = None
    _removed: int = 0
    _look: _Look | None = None
    _raw: float = 0.0
    _gone: int = 0
    _learned: bool = False
    _written: float = 0.0
    _before: tuple[float, float] | None = field(default=None)

    @property
    def held(self) -> float:
        """Bytes that the folder is taken to hold now."""
        return self.seen + self.unseen

    @property
    def doubtful(self) -> bool:
        """The volume grew by so much since the last look that another one is due."""
        return self._raw * (max(self.share, 0.1) if self._learned else 1.0) > DOUBTFUL * self.quota

    @property
    def reserve(self) -> float:
        """Bytes that are written before they can be noticed and removed, at the fastest that was seen lately."""
        return min(max(self.growth, self.peak) * self.latency, MOST_RESERVED * self.quota)

    @property
    def limit(self) -> float:
        """Above this the quota itself forces chunks out, used or not."""
        return self.quota - self.reserve

    @property
    def ceiling(self) -> float:
        """Above this chunks go that nobody uses."""
        return min(self.high * self.quota, self.quota - 2 * self.reserve)

    @property
    def floor(self) -> float:
        """Down to this, between two looks."""
        return self.ceiling - max(0.01 * self.quota, self.reserve / 2)

    def turn(self, at: float, volume: int | None) -> None:
        """One turn of the loop at `at` (seconds); `volume`: bytes held on the whole volume, None where not known."""
        if self._at is None or at <= self._at:
            self._at, self._volume = (at if self._at is None else self._at), volume
            return
        since = at - self._at
        # a slow turn is believed at once, and forgotten slowly
        self.latency = max(LEAST_LATENCY, since, self.latency * math.exp(-since / GROWTH_SECONDS / 10))
        if self.told and volume is not None and self._volume is not None:
            raw = volume - self._volume + self._removed
            self._raw += raw
            wrote = max(raw * self.share, 0.0)
            keep = math.exp(-since / GROWTH_SECONDS)
            self.growth = self.growth * keep + wrote / since * (1 - keep)
        else:
            wrote = self.growth * since
        self.peak = max(self.growth, self.peak * math.exp(-since / PEAK_SECONDS))
        self.unseen += wrote
        self._written += wrote
        self._at, self._volume, self._removed = at, volume, 0

    def removed(self, size: int) -> None:
        """So many bytes of known chunks are gone."""
        self.seen -= size
        self._removed += size
        self._gone += size

    def look_begins(self) -> None:
        self._look = _Look(self._written)

    def look_ends(self, at: float, held: int) -> None:
        """A look is over that found `held` bytes. Of what was written while it went on it saw half: each chunk lies in
        a folder by its hash, and is seen when that is read later than it was written."""
        begun = self._look.written if self._look is not None else self._written
        self.seen, self.unseen = held, (self._written - begun) / 2
        if self._before is not None and at > self._before[0]:
            self._learn(at - self._before[0], self.held - self._before[1] + self._gone)
        self._before, self._raw, self._gone = (at, self.held), 0.0, 0

    def _learn(self, since: float, own: float) -> None:
        enough = 0.01 * self.quota
        if own >= enough:
            self._learned = True
            first = self.share == 0
            self.told = self._raw >= LEAST_TOLD * own
            if self.told:
                self.share = min(1.0, own / self._raw)
            if first or not self.told:
                self.growth = own / max(since, GROWTH_SECONDS)
                self.peak = max(self.peak, self.growth)
        elif self._raw >= enough:
            self._learned, self.share = True, max(own, 0.0) / self._raw
        elif not self.told:
            self.growth = max(own, 0.0) / since


@dataclass(frozen=True)
class _Look:
    written: float
