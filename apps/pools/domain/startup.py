"""How long replicas took to start, as the status keeps it: the last starts of each variant and their p90."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["added", "slowest"]

_KEPT = 20


def added(held: Mapping[str, Any] | None, took: Sequence[float]) -> dict[str, Any]:
    """The record of a variant with more starts (seconds, the newest last)."""
    starts = [*((held or {}).get("starts") or []), *(round(seconds, 1) for seconds in took)][-_KEPT:]
    rank = max(math.ceil(0.9 * len(starts)) - 1, 0)
    return {"p90": sorted(starts)[rank], "starts": starts}


def slowest(records: Mapping[str, Any]) -> float | None:
    """Seconds of the variant that starts slowest; None where no start was measured."""
    return max((float(record["p90"]) for record in records.values()), default=None)
