"""Pools without a replica, asleep or at zero: who waits at their pickers is asked every second, not every tick.

What is done about it is decided as always (`ticking.run_now`); only the question comes sooner. A pool that is to serve
and sleeps because others have its accelerators is decided for already: its controller is told that somebody waits. One
query where no such pool is; a picker that does not answer costs the others nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from uuid import UUID

from django.db import connection

from apps.autoscaling import ticking
from apps.autoscaling.policies import first_token_within
from apps.clusters.errors import KubeError
from apps.clusters.models import Cluster
from apps.clusters.selectors import kube_for
from apps.core.domain.shards import bounds
from apps.pools.domain.sharing import shares
from apps.pools.domain.spec import PoolSpec
from apps.pools.models import Pool
from apps.pools.selectors import effective_replicas
from apps.pools.services import requests_wait
from apps.pools.standby import Held, held_requests
from apps.slos.selectors import slos_of_pools

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
    held = {uid: found for uid, found in _ask(list(pools)).items() if found.requests > 0}
    turns = [pool for pool, empty in pools.items() if pool.uid in held and not empty]
    slos = slos_of_pools([(pool.team, pool.name) for pool in turns]) if turns else {}
    for pool in turns:
        # it has its target; what it waits for is its turn
        promised = [slo for _, slo in slos.get((pool.team, pool.name), ())]
        requests_wait(pool=pool, within=first_token_within(promised))
    held = {pool.uid: held[pool.uid] for pool, empty in pools.items() if empty and pool.uid in held}
    return ticking.run_now(held, shard=shard) if held else 0


def _empty(shard: int, shards: int) -> dict[Pool, bool]:
    """Active pools that may have no replica: whether they are to have none. Of those that are to have one, those that
    share accelerators and do not have them now."""
    rows = (
        Pool.objects.living()
        .filter(
            spec__autoscaling__mode="active",
            spec__autoscaling__idle__in=("standby", "zero"),
            cluster_uid__isnull=False,
            uid__range=bounds(shard, shards),
        )
        .prefetch_related("targets")
        .order_by("uid")
    )
    found: dict[Pool, bool] = {}
    for pool in rows:
        if len(found) == _MOST:
            break
        targets = {target.variant: target for target in pool.targets.all()}
        spec = PoolSpec.from_stored(pool.spec)
        none = not any(effective_replicas(v, targets.get(v.name)) for v in spec.variants)
        if none or (shares(spec) and not _awake(pool)):
            found[pool] = none
    return found


def _awake(pool: Pool) -> bool:
    said = pool.condition("Standby")
    return said is not None and said.reason == "Awake"


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
