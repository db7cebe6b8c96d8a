"""Shards: equal parts of all objects, by uid, for ticks that several workers share."""

from __future__ import annotations

from uuid import UUID

__all__ = ["bounds"]

_ALL = 2**128


def bounds(shard: int, shards: int) -> tuple[UUID, UUID]:
    """The first and the last uid of shard number `shard` (from 0) of `shards`. Uids are random: equal ranges hold about
    equally many objects, and a database finds them by its index. Raises ValueError where there is no such shard."""
    if not 0 <= shard < shards:
        raise ValueError(f"there is no shard {shard} of {shards}: they are counted from 0")
    first, behind = (n * _ALL // shards for n in (shard, shard + 1))
    return UUID(int=first), UUID(int=behind - 1)
