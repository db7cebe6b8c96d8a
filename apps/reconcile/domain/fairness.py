"""Sharing a worker's threads among shards (clusters), so that one whose API server hangs cannot take them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """`most`: keys that may be taken at once. `spare`: of a shard that is worked on now; `each`: of any other."""

    most: int
    each: int
    spare: Mapping[str, int]


def share(running: Mapping[str, int], threads: int, asking: int) -> Share:
    """What `asking` idle threads may take now. `running`: threads by shard that work on its keys.

    A shard may hold as many threads as are left free, no more: one shard alone gets half of them, a second one half
    of the rest, and so on, so that the next finds a thread until about log2(threads) of them hang; by then their
    breakers open. This is the dynamic threshold of shared-memory switches with alpha = 1 (Choudhury and Hahne,
    IEEE/ACM Transactions on Networking 6(2), 1998). Of several keys taken at once the last one is within it too,
    whosever the others are: so at most half of the free threads take some together.
    """
    free = threads - sum(running.values())
    most = min(asking, max(1, free // 2))
    threshold = max(1, free - most + 1)
    return Share(most, threshold, {shard: max(0, threshold - held) for shard, held in running.items()})
