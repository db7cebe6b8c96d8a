"""Asking a cluster whether pools can live there: a handful of calls, and one for each right unless all are given."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connection

from apps.clusters import cache, selectors
from apps.clusters.domain import preflight
from apps.clusters.domain.inventory import totals
from apps.clusters.domain.preflight import Check, Missing, Right
from apps.clusters.errors import Forbidden
from apps.clusters.informers.owned import owned
from apps.clusters.kube import Kube
from apps.clusters.models import Cluster

# namespaces that rights are asked for one by one; more would be hundreds of calls
MOST_NAMESPACES = 5


def run(cluster: Cluster, *, rights: Check | None = None) -> list[Check]:
    """All checks, in the order of their weight; `rights`: as known already, they are not asked for again.

    Raises KubeError when the cluster does not answer at all.
    """
    kube = selectors.kube_for(cluster)
    version = kube.version()
    present = kube.resources(fresh=True)
    try:
        found = [total.to_json() for total in totals(selectors.inventory(cluster))]
    except Forbidden:
        found = None
    return [
        preflight.check_version(version),
        preflight.check_kinds(present),
        rights or check_rights(kube, cluster),
        preflight.check_accelerators(found),
        check_watches(cluster),
    ]


def check_rights(kube: Kube, cluster: Cluster) -> Check:
    """Which of the rights that Lamplight uses are missing. Raises KubeError."""
    spec = selectors.spec_of(cluster)
    try:
        if kube.may("*", "*", "*"):
            return preflight.check_rights([], 1)
        entry, present = owned(), kube.resources()
        kinds = [present[kind] for kind in (entry.resources if entry else ()) if kind in present]
        beside = [(k.kind, k.group, k.plural) for k in present.values()]
        asked = preflight.rights([(k.kind, k.group, k.plural) for k in kinds], spec.read_only, beside)
        places: Sequence[str] = spec.namespaces[:MOST_NAMESPACES] or ("",)
        wanted = [(right, place) for right in asked for place in _where(right, places)]
        missing = [Missing(right, place) for right, place in wanted if not _granted(kube, right, place)]
    except Forbidden:
        return Check("rights", "unknown", "the cluster does not say which rights these credentials have")
    return preflight.check_rights(missing, len(wanted), cluster.name)


def _where(right: Right, places: Sequence[str]) -> Sequence[str]:
    return ("",) if right.everywhere else places


def _granted(kube: Kube, right: Right, namespace: str) -> bool:
    return kube.may(right.verb, right.group, right.resource, sub=right.sub, namespace=namespace)


def check_watches(cluster: Cluster) -> Check:
    """Whether the informers keep up with the cluster, by the database's clock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), count(*) FILTER (WHERE synced AND confirmed_at > clock_timestamp()"
            " - %s * interval '1 second'), array_remove(array_agg(NULLIF(error, '')), NULL)"
            " FROM clusters_watch WHERE cluster = %s",
            [cache.STALE_SECONDS, cluster.uid],
        )
        every, synced, errors = cursor.fetchone()
    return preflight.check_watches(synced, every, sorted(errors or []))
