"""Asking a cluster which pods an InferencePool selects there, and which other InferencePools select our engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.clusters.kube import Kube
from apps.pools.domain.manifests import POOL_UID, Manifest
from apps.pools.domain.selection import Caught, caught, others_that_catch, sentence
from apps.pools.models import Pool
from apps.pools.observing import owned_resources

__all__ = ["Selected", "selected"]


@dataclass(frozen=True)
class Selected:
    """`rows`: pods that are selected, faults first. `others`: InferencePools that select our engines too. `selector`:
    by which labels; None where the pool has no InferencePool."""

    selector: dict[str, str] | None
    rows: tuple[Caught, ...] = ()
    others: tuple[str, ...] = ()

    @property
    def fault(self) -> str:
        return sentence(self.rows, self.others)

    def to_json(self) -> dict[str, Any]:
        return {
            "selector": self.selector,
            "items": [row.to_json() for row in self.rows],
            "caughtByOthers": list(self.others),
            "fault": self.fault or None,
            "next": None,
        }


def selected(kube: Kube, pool: Pool, objects: Sequence[Manifest] | None = None) -> Selected:
    """What is selected by the pool's InferencePool. `objects`: as rendered; None: as they live. Raises KubeError."""
    kinds = [found for found in owned_resources(kube) if found.kind == "InferencePool"]
    pools = [obj for kind in kinds for obj in kube.list(kind, pool.namespace)]
    if objects is None:
        mine = {POOL_UID: str(pool.uid)}
        wanted = ("InferencePool", "Deployment", "LeaderWorkerSet")
        live = [kind for kind in owned_resources(kube) if kind.kind in wanted]
        objects = [obj for kind in live for obj in kube.list(kind, pool.namespace, labels=mine)]
    own = next((obj for obj in objects if obj["kind"] == "InferencePool"), None)
    if own is None:
        return Selected(None)
    labels = dict(own["spec"]["selector"]["matchLabels"])
    pods = kube.list(kube.resource("Pod"), pool.namespace, labels=labels)
    return Selected(labels, caught(own, pods), others_that_catch(pools, objects, str(pool.uid)))
