"""Pools without a replica, asleep or at zero: who waits at their pickers is asked every second, not every tick.

What is done about it is decided as always (`ticking.run_now`); only the question comes sooner. One query where no such
pool is; a picker that does not answer costs the others nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from uuid import UUID

from django.db import connection

from apps.autoscaling import ticking
from apps.clusters.errors import KubeError
from apps.clusters.models import Cluster
from apps.clusters.selectors import kube_for
from apps.pools.models import Pool
from apps.pools.selectors import effective_replicas, spec_of
from apps.pools.standby import Held, held_requests

__all__ = ["run_watch"]

log = logging.getLogger(__name__)

# a shard's pools without a replica that are asked in one look, and for how long all of them
_MOST = 500
_AT_ONCE = 16
_SECONDS = 3.0


def run_watch(*, shard: int = 0, shards: int = 1) -> int | None:
    """How many pools were decided for; None while a tick of the shard runs."""
    pools = _empty(shard, shards)
    if not pools:
        return 0
    held = {uid: found for uid, found in _ask(pools).items() if found.requests > 0}
    return ticking.run_now(held, shard=shard) if held else 0


def _empty(shard: int, shards: int) -> list[Pool]:
    """Active pools that may have no replica and are to have none."""
    rows = (
        Pool.objects.living()
        .filter(spec__autoscaling__mode="active", spec__autoscaling__idle__in=("standby", "zero"))
        .prefetch_related("targets")
        .order_by("uid")
    )
    found = []
    for pool in rows:
        targets = {target.variant: target for target in pool.targets.all()}
        none = not any(effective_replicas(v, targets.get(v.name)) for v in spec_of(pool).variants)
        if none and pool.cluster_uid is not None and pool.uid.int % shards == shard:
            found.append(pool)
    return found[:_MOST]


def _ask(pools: Sequence[Pool]) -> Mapping[UUID, Held]:
    clusters = Cluster.objects.in_bulk({pool.cluster_uid for pool in pools if pool.cluster_uid is not None})
    answers: dict[UUID, Held] = {}
    executor = ThreadPoolExecutor(min(len(pools), _AT_ONCE), thread_name_prefix="waking")
    try:
        asked = {
            executor.submit(_held, clusters[pool.cluster_uid], pool): pool
            for pool in pools
            if pool.cluster_uid in clusters
        }
        done, _ = wait(asked, timeout=_SECONDS)
        for future in done:
            try:
                found = future.result()
            except KubeError as error:
                log.info("pool %s cannot be asked who waits: %s", asked[future].uid, error)
            except Exception:
                log.exception("asking pool %s who waits", asked[future].uid)
            else:
                if found is not None:
                    answers[asked[future].uid] = found
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
    return answers


def _held(cluster: Cluster, pool: Pool) -> Held | None:
    try:
        return held_requests(kube_for(cluster), pool)
    finally:
        # the thread ends, and its connection with it
        connection.close()
