"""How full the folder is between two looks at it, and how much of the quota must stay free. No clock, no I/O.

A look at a million chunks takes seconds, and engines write meanwhile. Where the kernel tells of each chunk that comes
into place, what is held is known. Elsewhere what engines write is known at once from the bytes that the whole volume
holds (statvfs), so the folder is taken to hold what the last look saw, less what was removed since, plus what the
volume grew by: the share of it that is ours, learned from look to look and 0 until one has shown it, for others may
write there too, and their growth must cost us nothing but a look. Free stays what is written in the time that it takes
to notice and to remove: growth x latency.

Why a quota Q holds where the kernel tells: let engines write at most `w` bytes a second, `n` be the longest time
between two turns (`reaction`) and `q` the longest that a chunk takes to go that has just come (`quick`). After each
turn all that lies past the brink, Q - w (n + q), is on its way; it is gone `q` later, and the next turn comes `n`
later. So what is held beyond the brink is never more than what comes within n + q, which is w (n + q): together Q. What
lies aside while it is written (`aside`) is taken from Q beforehand. It rests on three things that are measured and not
known: that `w`, `n` and `q` are no more than they were lately (a burst that nobody has seen begin finds `fastest` x
`latency` free), that chunks can go as fast as others come (else `q` grows, and the brink recedes with it), and that all
of it is less than the share of the quota that may be kept free (else `least_quota` says so).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# noticing and removing is not taken to be faster than this, whatever was measured, and this slow before any was
LEAST_LATENCY, FIRST_LATENCY = 0.1, 0.3
# how long a burst is remembered: the next one finds room for it
PEAK_SECONDS = 120.0
GROWTH_SECONDS = 0.5
LATENCY_SECONDS = 10.0
# a volume that grows by less than this share of what the folder does says nothing (sparse files, caches of statvfs)
LEAST_TOLD = 0.25
# a store of which more than this is kept free is none: then what comes goes again, and where nobody tells of chunks the
# quota is not promised
MOST_WATCHED, MOST_RESERVED = 0.25, 0.35
# the least that a chunk which has just come is taken to need until it is gone again
LEAST_QUICK = 0.05
# old chunks go so much before what comes does
BEFORE = 1.2
# a burst that nobody has seen begin finds so much free, of the quota
LEAST_FREE = 0.03
# between the ceiling and the floor, of the quota
STEP = 0.01
DOUBTFUL = 0.05


@dataclass
class Room:
    """`seen`: bytes of the chunks that are known; `unseen`: bytes written since, by the volume. `growth`: bytes a
    second that engines write now; `peak`: the most of it lately. `reaction`: seconds that noticing took at most lately,
    `latency`: that noticing and removing did, `quick`: that removing what had just come did. `fastest`: bytes a second
    that engines are taken to begin with. `aside`: bytes of what is being written and not in place yet."""

    quota: int
    high: float
    low: float
    fastest: float = 0.0
    seen: int = 0
    aside: int = 0
    unseen: float = 0.0
    growth: float = 0.0
    peak: float = 0.0
    latency: float = FIRST_LATENCY
    reaction: float = FIRST_LATENCY
    quick: float = LEAST_QUICK
    share: float = 0.0
    told: bool = True
    """Whether the volume's growth says anything of the folder's."""
    watched: bool = False
    """Whether `seen` is all that there is: each chunk is told as it comes."""
    _at: float | None = None
    _volume: int | None = None
    _removed: int = 0
    _begun: float = 0.0
    _raw: float = 0.0
    _gone: int = 0
    _learned: bool = False
    _written: float = 0.0
    _before: tuple[float, float] | None = None

    @property
    def held(self) -> float:
        """Bytes that the folder is taken to hold now."""
        return self.seen + self.unseen

    @property
    def doubtful(self) -> bool:
        """The volume grew by so much since the last look that another one is due."""
        if self.watched:
            return False
        return self._raw * (max(self.share, 0.1) if self._learned else 1.0) > DOUBTFUL * self.quota

    @property
    def reserve(self) -> float:
        """Bytes that are written before they can be noticed and removed, at the fastest that was seen lately or that a
        burst may begin with."""
        return min(max(self._wanted, self.fastest * self.latency), self._most)

    @property
    def least_quota(self) -> float:
        """Bytes of the smallest quota that can be promised at the fastest growth that was seen lately."""
        return self._wanted * self.quota / self._most

    @property
    def brink(self) -> float:
        """Above this what comes goes again."""
        return self._room - min(max(self._unnoticed, LEAST_FREE * self.quota), self._most / BEFORE)

    @property
    def _room(self) -> float:
        """What chunks that are in place may take."""
        return max(self.quota - self.aside, 0.0)

    @property
    def _most(self) -> float:
        return (MOST_WATCHED if self.watched else MOST_RESERVED) * self.quota

    @property
    def _wanted(self) -> float:
        return max(max(self.growth, self.peak) * self.latency, BEFORE * self._unnoticed)

    @property
    def _unnoticed(self) -> float:
        """Bytes that come before what has just come can be gone again, and a fifth more."""
        return 1.2 * max(self.growth, self.peak) * (self.reaction + self.quick)

    @property
    def limit(self) -> float:
        """Above this the quota itself forces chunks out, used or not."""
        return self._room - self.reserve

    @property
    def ceiling(self) -> float:
        """Above this chunks go that nobody uses."""
        return max(min(self.high * self.quota, self._room - 1.25 * self.reserve), 0.0)

    @property
    def floor(self) -> float:
        """Down to this, between two looks."""
        return max(self.ceiling - STEP * self.quota, 0.0)

    def turn(
        self,
        at: float,
        volume: int | None,
        *,
        arrived: int | None = None,
        slept: float = 0.0,
        lag: float = 0.0,
        quick: float = 0.0,
    ) -> None:
        """One turn of the loop at `at` (seconds); `volume`: bytes held on the whole volume, None where not known;
        `arrived`: bytes of the chunks that came into place since the last turn, None where nobody tells; `slept`: so
        many of the seconds since the last turn were waited because there was room enough; `lag`: seconds that it took
        to remove what was removed last, `quick`: of what had just come."""
        if arrived is not None:
            self.seen += arrived
        if self._at is None or at <= self._at:
            self._at, self._volume = (at if self._at is None else self._at), volume
            return
        since = at - self._at
        busy = since - min(slept, since)
        # a slow one is believed at once, and forgotten slowly while faster ones are seen
        faded = math.exp(-since / LATENCY_SECONDS)
        self.reaction = max(LEAST_LATENCY, busy, self.reaction * faded)
        self.latency = max(LEAST_LATENCY, busy + lag, self.latency * (faded if lag else 1.0))
        self.quick = max(LEAST_QUICK, quick, self.quick * faded)
        raw = None
        if volume is not None and self._volume is not None:
            raw = volume - self._volume + self._removed
            self._raw += raw
        if arrived is not None:
            wrote = float(arrived)
        elif self.told and raw is not None:
            wrote = max(raw * self.share, 0.0)
        else:
            wrote = self.growth * since
        if arrived is not None or (self.told and raw is not None):
            keep = math.exp(-since / GROWTH_SECONDS)
            self.growth = self.growth * keep + wrote / since * (1 - keep)
        self.peak = max(self.growth, self.peak * math.exp(-since / PEAK_SECONDS))
        if arrived is None:
            self.unseen += wrote
        self._written += wrote
        self._at, self._volume, self._removed = at, volume, 0

    def removed(self, size: int, *, seen: int) -> None:
        """So many bytes are gone; of chunks that are counted as seen, `seen`."""
        self.seen -= seen
        self._removed += size
        self._gone += size

    def look_begins(self) -> None:
        self._begun = self._written

    def look_ends(self, at: float, held: int, *, watched: bool = False) -> None:
        """A look is over that found `held` bytes. Of what was written while it went on it saw half: each chunk lies in
        a folder by its hash, and is seen when that is read later than it was written. `watched`: it missed none, and
        from now on every chunk is told."""
        self.seen, self.unseen = held, 0.0 if watched else (self._written - self._begun) / 2
        if self._before is not None and at > self._before[0]:
            self._learn(at - self._before[0], self.held - self._before[1] + self._gone, watched)
        self._before, self._raw, self._gone, self.watched = (at, self.held), 0.0, 0, watched

    def _learn(self, since: float, own: float, watched: bool) -> None:
        enough = 0.01 * self.quota
        if own >= enough:
            self._learned = True
            first = self.share == 0
            self.told = self._raw >= LEAST_TOLD * own
            if self.told:
                self.share = min(1.0, own / self._raw)
            if (first or not self.told) and not watched:
                self.growth = own / max(since, GROWTH_SECONDS)
                self.peak = max(self.peak, self.growth)
        elif self._raw >= enough:
            self._learned, self.share = True, max(own, 0.0) / self._raw
        elif not self.told and not watched:
            self.growth = max(own, 0.0) / since
