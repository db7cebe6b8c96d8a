"""Sharing a worker's threads among shards (clusters), so that one whose API server hangs cannot take them all."""

from __future__ import annotations

from collections.abc import Mapping


def full_shards(running: Mapping[str, int], threads: int) -> frozenset[str]:
    """Shards that may not have another thread now. `running`: threads by shard that work on its keys.

    A shard may hold as many threads as are left free, no more: one shard alone gets half of them, a second one half
    of the rest, and so on, so that the next finds a thread until about log2(threads) of them hang; by then their
    breakers open. This is the dynamic threshold of shared-memory switches with alpha = 1 (Choudhury and Hahne,
    IEEE/ACM Transactions on Networking 6(2), 1998).
    """
    free = threads - sum(running.values())
    return frozenset(shard for shard, held in running.items() if held >= max(1, free))
