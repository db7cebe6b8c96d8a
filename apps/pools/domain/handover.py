"""Handing the replicas over: a HorizontalPodAutoscaler or a KEDA ScaledObject that follows what Lamplight decides.

In mode external another scaler is the one writer of replicas. With `autoscaling.handover` Lamplight renders that scaler
and publishes its decision as the Workload Variant Autoscaler of llm-d does: gauge `wva_desired_replicas` with labels
`variant_name` (the Deployment), `namespace` and `accelerator_type`, of which the scaler makes replicas one to one
(AverageValue 1). Whatever keeps the gauge away leaves the replicas as they are.
"""

from __future__ import annotations

from typing import Any

from apps.pools.domain.engines import COMPONENT_ENGINE, deployment_name
from apps.pools.domain.manifests import Inputs, Manifest, PlanRefused, PoolIdentity, labels_of, object_meta
from apps.pools.domain.spec import PoolSpec, Variant

__all__ = ["GAUGE", "handed_over"]

GAUGE = "wva_desired_replicas"
# the decision has been held back already where it had to be: a second window would only be late
_AT_ONCE: dict[str, Any] = {
    way: {
        "stabilizationWindowSeconds": 0,
        "policies": [{"type": "Percent", "value": percent, "periodSeconds": 15}],
    }
    for way, percent in (("scaleUp", 900), ("scaleDown", 100))
}


def handed_over(pool: PoolIdentity, spec: PoolSpec, inputs: Inputs) -> tuple[Manifest, ...]:
    """One scaler for each variant; none where nothing is handed over. Raises PlanRefused."""
    if spec.autoscaling.mode != "external" or spec.autoscaling.handover == "none":
        return ()
    if spec.autoscaling.handover == "hpa":
        return tuple(_hpa(pool, spec, variant) for variant in spec.variants)
    if not inputs.has("ScaledObject", "keda.sh"):
        raise PlanRefused(
            "KedaMissing",
            "autoscaling.handover is keda, and this cluster does not know ScaledObjects: install KEDA there, or hand "
            "over to hpa",
        )
    if not inputs.prometheus:
        raise PlanRefused(
            "PrometheusMissing",
            "autoscaling.handover is keda, which reads Lamplight's decision from a Prometheus: name the one of the "
            "cluster (Cluster spec.prometheus), which has to scrape /metrics/autoscaling of Lamplight",
        )
    return tuple(_scaled_object(pool, spec, variant, inputs.prometheus) for variant in spec.variants)


def _target(spec: PoolSpec) -> dict[str, str]:
    """What kind of object is scaled: a replica of wide-ep is a group of pods."""
    if spec.path == "wide-ep":
        return {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet"}
    return {"apiVersion": "apps/v1", "kind": "Deployment"}


def _hpa(pool: PoolIdentity, spec: PoolSpec, variant: Variant) -> Manifest:
    name = deployment_name(pool.name, variant.name)
    series = {"variant_name": name, "exported_namespace": pool.namespace}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": object_meta(pool, name, labels_of(pool, COMPONENT_ENGINE, variant.name)),
        "spec": {
            "scaleTargetRef": {**_target(spec), "name": name},
            # zero takes a feature gate of the cluster (HPAScaleToZero), and a scaler that wakes
            "minReplicas": max(variant.replicas.min, 1),
            "maxReplicas": max(variant.replicas.max, 1),
            "metrics": [
                {
                    "type": "External",
                    "external": {
                        "metric": {"name": GAUGE, "selector": {"matchLabels": series}},
                        "target": {"type": "AverageValue", "averageValue": "1"},
                    },
                }
            ],
            "behavior": _AT_ONCE,
        },
    }


def _scaled_object(pool: PoolIdentity, spec: PoolSpec, variant: Variant, prometheus: str) -> Manifest:
    name = deployment_name(pool.name, variant.name)
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": object_meta(pool, name, labels_of(pool, COMPONENT_ENGINE, variant.name)),
        "spec": {
            "scaleTargetRef": {**(_target(spec) if spec.path == "wide-ep" else {}), "name": name},
            "minReplicaCount": variant.replicas.min,
            "maxReplicaCount": max(variant.replicas.max, 1),
            "pollingInterval": 10,
            "cooldownPeriod": 30,
            # unknown never lowers capacity
            "fallback": {
                "failureThreshold": 3,
                "replicas": max(variant.replicas.min, 1),
                "behavior": "currentReplicas",
            },
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _AT_ONCE}},
            "triggers": [
                {
                    "type": "prometheus",
                    "metricType": "AverageValue",
                    "metadata": {
                        "serverAddress": prometheus,
                        "query": f'{GAUGE}{{variant_name="{name}",namespace="{pool.namespace}"}}',
                        "threshold": "1",
                        "activationThreshold": "0",
                        "ignoreNullValues": "false",
                    },
                }
            ],
        },
    }
