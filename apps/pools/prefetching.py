"""Weights during a reconcile: how their Job stands, and beginning a fetch anew that was given up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.clusters.errors import KubeError
from apps.clusters.kube import Kube
from apps.core import clock
from apps.core.domain.conditions import Condition
from apps.pools.actions import delete_object
from apps.pools.desired import Desired
from apps.pools.domain import weights
from apps.pools.domain.health import Sync
from apps.pools.domain.options.model_cache import COMPONENT_WEIGHTS
from apps.pools.domain.pods import Replica
from apps.pools.domain.weights import RETRY_SECONDS, Weights
from apps.pools.models import Pool
from apps.pools.observing import Observed
from apps.reconcile.services import Fence

__all__ = ["Prefetch", "look"]

LOG_LINES = 40


@dataclass(frozen=True)
class Prefetch:
    """`again`: seconds after which time alone changes something, None for never."""

    weights: Weights
    again: float | None = None

    @property
    def sync(self) -> Sync | None:
        """What the pool says of itself while replicas wait."""
        if not self.weights.holds:
            return None
        said = f"new replicas wait for the weights: {self.weights.message}"
        return Sync("OutOfSync", "WaitsForWeights", said)

    def condition(self, pool: Pool) -> Condition | None:
        """`WeightsReady`, of a pool that keeps its weights or once did."""
        if self.weights.ready is None and pool.condition(weights.CONDITION) is None:
            return None
        return self.weights.condition(pool.generation)


def look(kube: Kube, pool: Pool, desired: Desired, observed: Observed, fence: Fence) -> Prefetch:
    """How the weights stand. A Job that gave up some minutes ago is taken away, so that the next look makes it anew.

    Raises KubeError, LeaseLost.
    """
    wanted = weights.job_of(desired.objects)
    name = wanted["metadata"]["name"] if wanted is not None else ""
    live = observed.object("Job", name) if wanted is not None else None
    pods = [p for p in observed.pods if p.component == COMPONENT_WEIGHTS and p.name.startswith(f"{name}-")]
    known = pool.status.get("weights") or {}
    found = weights.weights_of(wanted, live, pods, _lines(kube, pool, live, pods, known), known)
    if live is None or found.failed_at is None:
        return Prefetch(found)
    left = RETRY_SECONDS - (clock.now() - found.failed_at).total_seconds()
    if left > 0:
        return Prefetch(found, left)
    delete_object(kube, live, fence)
    return Prefetch(found, 1.0)


def _lines(kube: Kube, pool: Pool, live: object, pods: list[Replica], known: Mapping[str, Any]) -> list[str]:
    """The end of the newest pod's log, where it is worth reading: it ended, and what it said is not known yet."""
    ended = [pod for pod in pods if pod.phase in ("Succeeded", "Failed")]
    if live is None or not ended:
        return []
    newest = max(ended, key=lambda pod: pod.created_at or "")
    if known.get("commit") and newest.name.startswith(f"{known.get('job')}-"):
        return []
    try:
        return kube.log_tail(newest.name, pool.namespace, "fetch", lines=LOG_LINES).splitlines()
    except KubeError:
        return []
