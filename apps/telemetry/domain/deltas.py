"""From totals to what happened between two scrapes: the one place that knows of restarts and of pods that come and go.

- The first reading of a pod is a baseline: its totals are older than our watching and count as nothing.
- A process that restarted (a later start time; a total that shrank, where start times are not told) counts from zero.
- A total that shrank in a process that goes on has lost a series: it is unknown until two pages agree again.
- A series missing from a page, or no number on it, is not a restart: the last total is carried on, with how long ago
  that was, so that what comes with the next page is divided by the time that it took. Families that are not asked for
  every time are such; they may come with a second look at a page that is known already.
- A series that appears is a baseline too, unless its kind appears with its first event (open sets, all of a picker).
- A pod that vanished takes its unread rest with it; nothing is ever negative.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from apps.telemetry.domain.gateway import PREFIX
from apps.telemetry.domain.histogram import Histogram
from apps.telemetry.domain.readings import PageReading

__all__ = ["MAX_GAP", "Delta", "carry", "delta", "supplement"]

# Seconds without a scrape after which what happened in between belongs to no window of interest: start anew.
MAX_GAP = 900.0
# Start times are floats that a page prints in different precision from one scrape to the next.
_SAME_START = 1.0


@dataclass(frozen=True, slots=True)
class Delta:
    """What one process did in the `seconds` before its scrape: counts of requests, tokens, observations.

    behind: counters that older pages lacked -> seconds before those `seconds` that their count is from as well.
    """

    seconds: float
    counts: Mapping[str, float] = field(default_factory=dict)
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    behind: Mapping[str, float] = field(default_factory=dict)

    def rate(self, name: str) -> float:
        return self.counts[name] / (self.seconds + self.behind.get(name, 0.0))


def delta(before: PageReading | None, now: PageReading, seconds: float) -> Delta | None:
    """Counts between two readings that lie `seconds` apart; None for a baseline (no, or too old, a reading before)."""
    if before is None or not 0 < seconds <= MAX_GAP:
        return None
    anew = restarted(before, now)
    counts: dict[str, float] = {}
    for name, total in now.counters.items():
        last = 0.0 if anew else _last(before, name)
        if last is not None and (total >= last or name.endswith("_sum")):
            counts[name] = total - last
    histograms: dict[str, Histogram] = {}
    for family, edges in now.cumulative.items():
        grid = {} if anew else _last_grid(before, family)
        # another grid without a restart cannot be compared
        if grid is None or (grid and set(grid) != set(edges)) or _shrank(grid, edges):
            counts.pop(f"{family}_sum", None)
            continue
        histograms[family] = Histogram.from_cumulative(
            {edge: count - grid.get(edge, 0.0) for edge, count in edges.items()}
        )
    behind = {} if anew else {name: before.behind[name] for name in counts if name in before.behind}
    return Delta(seconds, counts, histograms, behind)


def supplement(before: PageReading, now: PageReading, seconds: float) -> tuple[PageReading, Delta] | None:
    """What `now` says beyond `before`, of which it is the very page, read once more and this time with families that
    were left out before: the page with them, and their counts. None where it says nothing more."""
    families = [
        family
        for family in now.cumulative
        if not _comes_late(family) and (family not in before.cumulative or family in before.behind)
    ]
    if not families or restarted(before, now):
        return None
    sums = {name: now.counters[name] for family in families if (name := f"{family}_sum") in now.counters}
    more = PageReading(counters=sums, cumulative={family: now.cumulative[family] for family in families})
    # their time is how long they were left out; that between the two looks at one page is none
    change = delta(before, more, max(seconds, 1e-3))
    assert change is not None
    known = {*families, *sums}
    page = replace(
        before,
        counters={**before.counters, **sums},
        cumulative={**before.cumulative, **more.cumulative},
        behind={name: late for name, late in before.behind.items() if name not in known},
    )
    return page, change


def restarted(before: PageReading, now: PageReading) -> bool:
    """Whether `now` was counted by a younger process than `before`."""
    if before.started is not None and now.started is not None:
        return now.started > before.started + _SAME_START
    if any(total < before.counters.get(name, 0.0) for name, total in now.counters.items() if not _may_fall(name)):
        return True
    return any(_shrank(before.cumulative.get(family, {}), edges) for family, edges in now.cumulative.items())


def carry(before: PageReading | None, now: PageReading, seconds: float) -> PageReading:
    """The reading that the next one is compared with: `now`, and what its page left out of a process that goes on."""
    if before is None or restarted(before, now):
        return now
    lost = {
        name for name, total in now.counters.items() if not _may_fall(name) and total < before.counters.get(name, 0.0)
    }
    lost |= {family for family, edges in now.cumulative.items() if _shrank(before.cumulative.get(family, {}), edges)}
    behind = {
        name: before.behind.get(name, 0.0) + seconds
        for name in (*before.counters, *before.cumulative)
        if name not in now.counters and name not in now.cumulative
    }
    behind = {name: late for name, late in behind.items() if late <= MAX_GAP}
    kept = {name: total for name, total in before.counters.items() if name in behind}
    grids = {family: edges for family, edges in before.cumulative.items() if family in behind}
    return PageReading(
        counters={**kept, **{name: total for name, total in now.counters.items() if name not in lost}},
        cumulative={**grids, **{family: edges for family, edges in now.cumulative.items() if family not in lost}},
        started=now.started if now.started is not None else before.started,
        # a total without a number to go on from has no zero to count from either
        unreadable=frozenset(lost | {name for name in now.unreadable if name not in behind}),
        behind=behind,
    )


def _last(before: PageReading, name: str) -> float | None:
    """The total to count from; None where there is none."""
    if name in before.counters:
        return before.counters[name]
    return 0.0 if _comes_late(name) and name not in before.unreadable else None


def _last_grid(before: PageReading, family: str) -> Mapping[float, float] | None:
    if family in before.cumulative:
        return before.cumulative[family]
    return {} if _comes_late(family) and family not in before.unreadable else None


def _comes_late(name: str) -> bool:
    return ":" in name or name.startswith(PREFIX)


def _may_fall(name: str) -> bool:
    # sums of observations below zero exist in principle, and rounding moves those of tiny ones
    return name.endswith("_sum")


def _shrank(before: Mapping[float, float], now: Mapping[float, float]) -> bool:
    return any(count < before.get(edge, 0.0) for edge, count in now.items())
