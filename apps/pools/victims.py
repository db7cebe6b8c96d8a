"""Before replicas are taken away: tell the ReplicaSet which ones, by what their caches are worth.

Without that it takes those that became ready last. The pods that go drain as ever: out of the routing, then vLLM's own.

A ReplicaSet controller hears of pods and of its own size by two watches, in no order. So the most valuable is marked
first (a pod whose mark has not come through counts as 0 and goes before the others), and what is marked has a moment.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from apps.clusters.errors import Conflict, NotFound
from apps.clusters.kube import Kube
from apps.core import clock
from apps.pools.domain.pods import Replica
from apps.pools.domain.victims import DELETION_COST, Candidate, costs
from apps.pools.engine_pages import FAILURES, samples
from apps.pools.models import Pool
from apps.reconcile.services import Fence

__all__ = ["mark"]

MANAGER = "lamplight-victims"
_HITS = "vllm:prefix_cache_hits_total"
_BUSY = ("vllm:num_requests_running", "vllm:num_requests_waiting")
_AT_ONCE = 16
_MOMENT_S = 0.1
"""For the marks to reach whoever picks: the embedded API server gathers news for 20 ms, a real one some 10."""


def mark(kube: Kube, pool: Pool, pods: Sequence[Replica], fence: Fence) -> None:
    """Give the ready pods of a variant their deletion costs. Raises KubeError, LeaseLost."""
    ready = [pod for pod in pods if pod.ready and not pod.terminating and pod.ip]
    if len(ready) < 2:
        return
    with ThreadPoolExecutor(min(len(ready), _AT_ONCE), thread_name_prefix="victims") as threads:
        found = costs(threads.map(_candidate, ready))
    for pod in sorted(ready, key=lambda pod: found[pod.name], reverse=True):
        metadata = {
            "name": pod.name,
            "namespace": pool.namespace,
            "uid": pod.uid,
            "annotations": {DELETION_COST: str(found[pod.name])},
        }
        fence.check()
        try:
            kube.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata}, manager=MANAGER, force=True)
        except (NotFound, Conflict):
            continue  # gone by now
    time.sleep(_MOMENT_S)


def _candidate(pod: Replica) -> Candidate:
    try:
        page = list(samples(pod, (_HITS, *_BUSY)))
    except FAILURES:
        return Candidate(pod.name, None)
    hits = [value for name, _, value in page if name == _HITS]
    busy = sum(value for name, _, value in page if name in _BUSY)
    return Candidate(pod.name, sum(hits) / _age(pod) if hits else None, busy)


def _age(pod: Replica) -> float:
    try:
        born = datetime.fromisoformat(pod.created_at or "")
    except ValueError:
        return 1.0
    return max((clock.now() - born).total_seconds(), 1.0)
