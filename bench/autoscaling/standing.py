"""How ours stands against each peer: GPU-hours at the same level of attainment, seed by seed, with an interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.autoscaling.frontier import LEVELS, Row, hours_at, ratio_interval

__all__ = ["Standing", "ahead", "nearest", "standings", "surely"]

NO_PEERS = ("static", "foresight")


@dataclass(frozen=True)
class Standing:
    """Ours against one peer at one level: hours of ours per hour of the peer, mean over the seeds where both get there
    and half-width of its 95 % interval (None for a single seed: nothing is known of the scatter). `missing`: seeds
    where the peer never gets there; `lost`: where only ours does not."""

    peer: str
    level: float
    ratio: float
    off: float | None
    seeds: int
    missing: int
    lost: int

    @property
    def ahead(self) -> bool:
        """Cheaper in the mean, and on every seed where the peer gets there ours does too."""
        return not self.lost and (self.seeds == 0 or self.ratio < 1.0)

    @property
    def surely(self) -> bool:
        """Cheaper by more than the scatter over seeds."""
        return not self.lost and (self.seeds == 0 or (self.off is not None and self.ratio + self.off < 1.0))


def standings(rows: Sequence[Row], ours: str, levels: Sequence[float] = LEVELS) -> list[Standing]:
    """Of one scenario, peers in order of appearance, each at all levels."""
    seeds = sorted({row.seed for row in rows if row.policy == ours})
    lines: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for row in rows:
        lines.setdefault((row.seed, row.policy), []).append((row.hours, row.attainment))
    peers = [name for name in dict.fromkeys(row.policy for row in rows) if name not in (ours, *NO_PEERS)]
    found = []
    for peer in peers:
        for level in levels:
            ratios, missing, lost = [], 0, 0
            for seed in seeds:
                own, other = hours_at(lines[seed, ours], level), hours_at(lines.get((seed, peer), ()), level)
                if math.isinf(other):
                    missing += 1
                elif math.isinf(own):
                    lost += 1
                else:
                    ratios.append(own / other)
            mean, off = ratio_interval(ratios) if ratios else (0.0, 0.0)
            scatter = None if len(ratios) < 2 else off
            found.append(Standing(peer, level, mean, scatter, len(ratios), missing, lost))
    return found


def ahead(every: Sequence[Standing]) -> bool:
    """Of every peer at every level, in the mean over seeds."""
    return all(each.ahead for each in every)


def surely(every: Sequence[Standing]) -> bool:
    """Of every peer at every level, by more than the scatter over seeds."""
    return all(each.surely for each in every)


def nearest(every: Sequence[Standing]) -> Mapping[float, Standing]:
    """By level the peer that comes nearest or is ahead by most; levels that no peer reaches are left out."""
    found: dict[float, Standing] = {}
    for each in every:
        if not (each.seeds or each.lost):
            continue
        best = found.get(each.level)
        if best is None or (each.lost, each.ratio) > (best.lost, best.ratio):
            found[each.level] = each
    return dict(sorted(found.items()))
