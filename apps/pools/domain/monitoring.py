"""Rules about a pool for the Prometheus operator, where the cluster has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from apps.pools.domain.manifests import Manifest, PoolIdentity, labels_of, object_meta

__all__ = ["prometheus_rule"]


def prometheus_rule(pool: PoolIdentity, groups: Sequence[Mapping[str, Any]]) -> Manifest:
    """A PrometheusRule of these groups, named as the pool."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": object_meta(pool, pool.name, labels_of(pool, "rules")),
        "spec": {"groups": [dict(group) for group in groups]},
    }
