"""After an outage of the ticks: the minutes that were missed, from the Prometheus of each cluster that has one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from apps.clusters.domain.spec import PrometheusSpec
from apps.clusters.models import Cluster
from apps.core.locks import advisory
from apps.pools.models import Pool
from apps.telemetry import partitions, prometheus, services
from apps.telemetry.domain.history import KnownPool, Pasts, minutes
from apps.telemetry.domain.promql import query_of
from apps.telemetry.domain.signals import Signals
from apps.telemetry.models import Outage, PoolSummary, Progress, SignalMinute
from apps.telemetry.partitions import MINUTES
from apps.telemetry.rows import fetch
from apps.telemetry.selectors import moment
from apps.telemetry.storing import columns_of, insert

__all__ = ["fill"]

log = logging.getLogger(__name__)

_LOCK = 0x6C616D70_66696C6C
_MINUTE = timedelta(minutes=1)
# minutes of one query, and queries of one run of the task for one cluster
_AT_ONCE = timedelta(minutes=30)
_QUERIES = 24


def fill() -> int:
    """Fill the oldest outages that are still open; how many minutes' rows were stored. Repeating it changes nothing."""
    stored = 0
    with advisory(_LOCK) as held:
        if not held:
            return 0
        for outage in Outage.objects.filter(filled_at=None).order_by("since")[:10]:
            clusters = [cluster for cluster in Cluster.objects.all() if cluster.spec.get("prometheus")]
            problems = []
            for cluster in clusters:
                try:
                    stored += _fill(cluster, outage.since, outage.until)
                except prometheus.PrometheusError as error:
                    problems.append(f"Prometheus of cluster {cluster.name} {error}.")
                    log.warning("back-fill of %s to %s: %s", outage.since, outage.until, problems[-1])
            services.settle_outage(outage, " ".join(problems))
    return stored


def _fill(cluster: Cluster, since: datetime, until: datetime) -> int:
    spec = PrometheusSpec.from_document(cluster.spec["prometheus"])
    pools = [
        KnownPool(pool.uid, pool.namespace, pool.name, tuple(v["name"] for v in pool.spec.get("variants") or []))
        for pool in Pool.objects.filter(cluster_uid=cluster.uid)
    ]
    if not pools:
        return 0
    labels = {"pod_label": spec.labels.pod, "namespace_label": spec.labels.namespace}
    query = query_of({pool.namespace for pool in pools}, **labels, matchers=spec.matchers)
    first = since.replace(second=0, microsecond=0) + _MINUTE
    last = until.replace(second=0, microsecond=0)
    pasts, stored = Pasts(), 0
    # a minute before the first one is what the first is compared with
    start = first - _MINUTE
    for _ in range(_QUERIES):
        if start > last:
            break
        end = min(start + _AT_ONCE, last)
        result = prometheus.ask_range(spec, query, start=start, end=end, step=60.0)
        stored += _store(minutes(result, pools, pasts, **labels), after=first - _MINUTE)
        start = end + _MINUTE
    with transaction.atomic():
        # what was merged without these minutes is merged anew
        progress = Progress.objects.select_for_update().get(id=1)
        for mark in ("tens_until", "hours_until"):
            reached = getattr(progress, mark)
            if reached is not None and reached > since:
                setattr(progress, mark, since.replace(minute=0, second=0, microsecond=0))
        progress.save(update_fields=["tens_until", "hours_until"])
        PoolSummary.objects.filter(pool__in=[pool.uid for pool in pools]).update(hour_until=None)
    return stored


def _store(rows: Mapping[tuple[UUID, str], Sequence[Signals]], *, after: datetime) -> int:
    made = []
    moments = [row.at for found in rows.values() for row in found]
    if not moments:
        return 0
    last = moment(max(moments))
    # what a tick saw stays, packed or not
    known = {
        (pool, variant, row.at)
        for pool, variant, row in fetch(MINUTES.name, [pool for pool, _ in rows], after=after, until=last, want={})
    }
    for (pool, variant), found in rows.items():
        for row in found:
            at = moment(row.at)
            if at <= after or (pool, variant, row.at) in known:
                continue
            partitions.ensure(partitions.MINUTES, at)
            made.append(columns_of(pool, variant, at, _filled(row)))
    insert(SignalMinute, made)
    return len(made)


def _filled(row: Signals) -> Signals:
    """Marked as a minute that no tick saw."""
    return replace(row, sources={**row.sources, "engine": {"kind": "prometheus", "backfilled": True}})
