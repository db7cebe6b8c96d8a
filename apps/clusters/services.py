"""Writes of the clusters room."""

from __future__ import annotations

from apps.clusters import cache
from apps.clusters.informers.owned import owned
from apps.reconcile import services as reconcile

# how soon the objects of a cluster are looked at while nobody watches it
LOOK_SECONDS = 10.0


def fall_back() -> int:
    """Bring forward the keys of clusters whose watches are not in sync: no event will. Returns how many."""
    entry = owned()
    if entry is None:
        return 0
    return sum(
        reconcile.bring_forward(kind=entry.kind, shard=str(cluster), within=LOOK_SECONDS)
        for cluster in sorted(cache.unwatched(entry.kind))
    )
