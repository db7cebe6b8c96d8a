"""Counts of observations in buckets, added up over replicas, ticks and bucket grids.

A bucket is the half-open interval (low, high] with its own (not cumulative) count. Keeping both edges makes addition
meaningful also between engines whose grids differ (a roll-out that changes `--custom-histogram-buckets`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

__all__ = ["Fraction", "Histogram"]

Bucket = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Fraction:
    """A share of observations, 0..1, known up to the bucket that the threshold falls into: low <= truth <= high."""

    low: float
    high: float

    @property
    def exact(self) -> bool:
        return self.low == self.high


@dataclass(frozen=True, slots=True)
class Histogram:
    """Observations per bucket (seconds for the latency families); empty buckets are left out."""

    counts: Mapping[Bucket, float] = field(default_factory=dict)

    @classmethod
    def from_cumulative(cls, cumulative: Mapping[float, float]) -> Histogram:
        """From Prometheus' form: upper edge (`le`, inf included) -> observations at or below it."""
        counts: dict[Bucket, float] = {}
        low, before = 0.0, 0.0
        for high in sorted(cumulative):
            inside = cumulative[high] - before
            if inside > 0:
                counts[(low if high > 0 else -math.inf, high)] = inside
            low, before = high, cumulative[high]
        return cls(counts)

    @property
    def total(self) -> float:
        return sum(self.counts.values())

    def __add__(self, other: Histogram) -> Histogram:
        return Histogram.sum((self, other))

    def __sub__(self, other: Histogram) -> Histogram:
        """Without the observations of `other`, which are among these."""
        counts = dict(self.counts)
        for bucket, count in other.counts.items():
            left = counts.get(bucket, 0.0) - count
            if left > 0:
                counts[bucket] = left
            else:
                counts.pop(bucket, None)
        return Histogram(counts)

    @classmethod
    def sum(cls, parts: Iterable[Histogram]) -> Histogram:
        counts: dict[Bucket, float] = {}
        for part in parts:
            for bucket, count in part.counts.items():
                counts[bucket] = counts.get(bucket, 0.0) + count
        return cls(counts)

    def quantile(self, q: float) -> float | None:
        """The q-quantile (0 < q <= 1) by Prometheus' rule, None when nothing was observed.

        Linear inside the bucket that holds the rank; the open last bucket answers with its lower edge
        (https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile).
        """
        if not 0 < q <= 1:
            raise ValueError(f"A quantile lies in (0, 1], not {q}.")
        buckets = self._refined()
        if not buckets:
            return None
        rank = q * sum(count for _, _, count in buckets)
        before = 0.0
        for low, high, count in buckets:
            if before + count >= rank:
                return _inside(low, high, (rank - before) / count)
            before += count
        low, high, _ = buckets[-1]  # rounding of the sum left the rank a hair above it
        return _inside(low, high, 1.0)

    def fraction_within(self, threshold: float) -> Fraction | None:
        """Share of observations <= threshold; exact where the threshold is an edge. None when nothing was observed."""
        total = self.total
        if not total:
            return None
        low = sum(count for (_, high), count in self.counts.items() if high <= threshold)
        straddling = sum(count for (lower, high), count in self.counts.items() if lower < threshold < high)
        return Fraction(low / total, (low + straddling) / total)

    def _refined(self) -> list[tuple[float, float, float]]:
        """Disjoint buckets in order; overlapping ones of different grids are split, spread evenly over their width."""
        buckets = sorted((low, high, count) for (low, high), count in self.counts.items() if count > 0)
        if all(left[1] <= right[0] for left, right in pairwise(buckets)):
            return buckets
        edges = sorted({edge for low, high, _ in buckets for edge in (low, high)})
        refined: dict[Bucket, float] = {}
        for low, high, count in buckets:
            for left, right in pairwise(edges):
                if left < low or right > high:
                    continue
                if math.isinf(high - low):
                    # an open bucket has no width to share: it stays in its part next to the finite edge
                    touches = left == low if math.isfinite(low) else right == high
                    share = 1.0 if touches else 0.0
                else:
                    share = (right - left) / (high - low)
                if share:
                    refined[(left, right)] = refined.get((left, right), 0.0) + count * share
        return sorted((low, high, count) for (low, high), count in refined.items())

    def pack(self) -> str:
        """What the signals table stores: `edge edge edge|count count`, n counts between n+1 rising edges.

        Empty buckets fill gaps; buckets that overlap (of different grids) follow in a part of their own behind `;`.
        """
        parts: list[tuple[list[float], list[float]]] = []
        for (low, high), count in sorted(self.counts.items()):
            part = next((part for part in parts if part[0][-1] <= low), None)
            if part is None:
                parts.append(([low, high], [count]))
                continue
            if part[0][-1] < low:
                part[0].append(low)
                part[1].append(0.0)
            part[0].append(high)
            part[1].append(count)
        return ";".join(f"{' '.join(map(_text, edges))}|{' '.join(map(_text, counts))}" for edges, counts in parts)

    def to_json(self) -> list[list[float | None]]:
        """[[low, high, count], ...] with null for an infinite edge: for answers over REST."""
        return [
            [_finite(low), _finite(high), int(count) if float(count).is_integer() else count]
            for (low, high), count in sorted(self.counts.items())
        ]

    @classmethod
    def from_json(cls, stored: str | Iterable[Iterable[float | None]]) -> Histogram:
        """From either form."""
        counts: dict[Bucket, float] = {}
        if isinstance(stored, str):
            for part in stored.split(";") if stored else ():
                edges, _, numbers = part.partition("|")
                for bucket, number in zip(_buckets(edges), numbers.split(" "), strict=True):
                    if number != "0":
                        counts[bucket] = counts.get(bucket, 0.0) + float(number)
            return cls(counts)
        for low, high, count in stored:
            bucket = (-math.inf if low is None else low, math.inf if high is None else high)
            counts[bucket] = counts.get(bucket, 0.0) + (count or 0.0)
        return cls(counts)


@functools.lru_cache(maxsize=20_000)
def _buckets(edges: str) -> tuple[Bucket, ...]:
    """The same few grids stand in millions of rows."""
    return tuple(pairwise(map(float, edges.split(" "))))


@functools.lru_cache(maxsize=20_000)
def _text(number: float) -> str:
    """Edges of the same few grids, and counts that are mostly small: found again, packing takes a third of the time."""
    return str(int(number)) if math.isfinite(number) and float(number).is_integer() else repr(float(number))


def _inside(low: float, high: float, share: float) -> float:
    if math.isinf(high):
        return low
    if math.isinf(low):
        return high
    return low + (high - low) * share


def _finite(edge: float) -> float | None:
    return edge if math.isfinite(edge) else None
