"""What has a name that a pool is about to take, and is not of this pool.

For pools that are looked at together it is found by one list a kind and namespace, of what carries no pool's label:
that is little where pools live. What carries another pool's is in the informers' cache. So it is of pools whose objects
were read from there; for any other each name is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from apps.clusters import cache
from apps.clusters.errors import NotFound
from apps.clusters.kube import PAGE, Kube, Resource
from apps.pools.domain.manifests import POOL_UID, Manifest
from apps.pools.domain.plan import address_of
from apps.pools.models import Pool

__all__ = ["Strangers", "foreign"]


class Strangers:
    """What was found for the pools of one hand, good as long as what was read for them."""

    def __init__(self, kube: Kube, cluster: UUID) -> None:
        self._kube, self._cluster = kube, cluster
        self._unlabelled: dict[tuple[str, str], dict[str, Manifest] | None] = {}
        self._taken: dict[tuple[str, str, str], UUID] = {}

    def among(self, pool: Pool, manifests: Sequence[Manifest]) -> dict[str, Manifest]:
        """Those that stand in the place of objects that are about to be made, by `Kind/name`. Raises KubeError."""
        found: dict[str, Manifest] = {}
        unclear: list[Manifest] = []
        known: list[Manifest] = []
        for manifest in manifests:
            metadata = manifest["metadata"]
            resource = self._kube.resource_of(manifest)
            held = self._held(resource, metadata["namespace"])
            mine = self._taken.setdefault((resource.key, metadata["namespace"], metadata["name"]), pool.uid) == pool.uid
            if held is None or not mine:
                unclear.append(manifest)
            elif metadata["name"] in held:
                found[address_of(manifest)] = held[metadata["name"]]
            else:
                known.append(manifest)
        names = [(self._kube.resource_of(one).key, one["metadata"]["name"]) for one in known]
        if names:
            found |= {address_of(obj): obj for obj in cache.of_others(self._cluster, pool.uid, pool.namespace, names)}
        for manifest in unclear:
            present = foreign(self._kube, pool, manifest)
            if present is not None:
                found[address_of(manifest)] = present
        return found

    def _held(self, resource: Resource, namespace: str) -> dict[str, Manifest] | None:
        """Objects that carry no pool's label, by name; None where they are too many to be listed for this."""
        key = (resource.key, namespace)
        if key not in self._unlabelled:
            listed = self._kube.list(resource, namespace, without=POOL_UID, most_pages=1)
            by_name = {str(obj["metadata"]["name"]): obj for obj in listed}
            self._unlabelled[key] = by_name if len(listed) < PAGE else None
        return self._unlabelled[key]


def foreign(kube: Kube, pool: Pool, manifest: Manifest) -> Manifest | None:
    """An object that has the manifest's name and is not of this pool, None where there is none. Raises KubeError."""
    metadata = manifest["metadata"]
    try:
        held = kube.get(kube.resource_of(manifest), metadata["name"], metadata["namespace"])
    except NotFound:
        return None
    return held if (held["metadata"].get("labels") or {}).get(POOL_UID) != str(pool.uid) else None
