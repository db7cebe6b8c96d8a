"""`wva_desired_replicas`: what was decided for pools whose replicas are handed over to an HPA or KEDA.

A decision that is older than a few ticks is left out: the scaler then keeps what it has, as for any silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from apps.autoscaling.models import Decision, PoolState
from apps.core import clock
from apps.pools.domain.engines import deployment_name
from apps.pools.domain.handover import GAUGE
from apps.pools.models import Pool
from apps.pools.selectors import spec_of

__all__ = ["HANDED_OVER", "DesiredReplicas"]

HANDED_OVER = {"spec__autoscaling__mode": "external", "spec__autoscaling__handover__in": ("hpa", "keda")}
_FRESH = timedelta(seconds=60)


class DesiredReplicas(Collector):
    """Asked when the page is."""

    def collect(self) -> Iterator[Metric]:
        gauge = GaugeMetricFamily(
            GAUGE,
            "Replicas that Lamplight decided for a variant whose replicas another scaler writes",
            labels=["variant_name", "namespace", "accelerator_type"],
        )
        pools = {pool.uid: pool for pool in Pool.objects.living().filter(**HANDED_OVER)}
        states = PoolState.objects.filter(pool__in=list(pools), at__gte=clock.now() - _FRESH)
        newest = {state.decision: state.pool for state in states if state.decision is not None}
        for row in Decision.objects.filter(id__in=list(newest)).only("id", "targets"):
            pool = pools[newest[row.id]]
            accelerators = {variant.name: variant.accelerator for variant in spec_of(pool).variants}
            for target in row.targets:
                name = target["variant"]
                labels = [deployment_name(pool.name, name), pool.namespace, accelerators.get(name, "")]
                gauge.add_metric(labels, target["replicas"])
        yield gauge

    def describe(self) -> list[Metric]:
        return []
