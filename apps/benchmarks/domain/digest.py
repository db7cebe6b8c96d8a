"""Quantiles of a stream of latencies in bounded memory."""

from __future__ import annotations

import math
from typing import Any

__all__ = ["Digest"]

# buckets whose edges grow by 2 %: a value is told from its bucket's middle within 1 % (as DDSketch, Masson et al. 2019)
_GROWTH = math.log(1.02)
# seconds; what is shorter counts as no time: tokens that arrived together
_LEAST = 1e-5
_NONE = math.floor(math.log(_LEAST) / _GROWTH)
_QUANTILES = (0.5, 0.9, 0.95, 0.99)


class Digest:
    """Values in seconds, 0 and above: count, mean and maximum exactly, quantiles within 1 %."""

    __slots__ = ("_buckets", "count", "most", "total")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.count = 0
        self.total = 0.0
        self.most = 0.0

    def add(self, value: float) -> None:
        """Raises ValueError for what is no length of time."""
        if not 0 <= value < math.inf:
            raise ValueError(f"{value} is no length of time")
        bucket = math.ceil(math.log(value) / _GROWTH) if value > _LEAST else _NONE
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self.count += 1
        self.total += value
        self.most = max(self.most, value)

    def quantile(self, share: float) -> float | None:
        """The value that `share` (0..1) of all values do not exceed; None without values."""
        if not self.count:
            return None
        rank, seen = max(1, math.ceil(share * self.count)), 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen >= rank:
                return min(math.exp((bucket - 0.5) * _GROWTH), self.most) if bucket > _NONE else 0.0
        return self.most

    def to_json(self) -> dict[str, Any] | None:
        """`{count, mean, p50, p90, p95, p99, max}`, seconds; None without values."""
        if not self.count:
            return None
        p50, p90, p95, p99 = (round(self.quantile(share) or 0.0, 6) for share in _QUANTILES)
        mean = round(self.total / self.count, 6)
        return {"count": self.count, "mean": mean, "p50": p50, "p90": p90, "p95": p95, "p99": p99,
                "max": round(self.most, 6)}  # fmt: skip
