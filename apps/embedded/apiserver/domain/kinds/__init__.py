"""The rules of the built-in kinds, one file a family; ``strategy_for`` finds those of one kind."""

from __future__ import annotations

from collections.abc import Mapping

from apps.embedded.apiserver.domain.kinds.namespaces import NamespaceStrategy
from apps.embedded.apiserver.domain.kinds.workloads import DeploymentStrategy, ReplicaSetStrategy
from apps.embedded.apiserver.domain.strategy import Strategy


class _WithStatus(Strategy):
    has_status = True


class _WithGeneration(Strategy):
    has_status = True
    has_generation = True


class _Lease(Strategy):
    create_on_update = True


_STRATEGIES: Mapping[tuple[str, str], Strategy] = {
    ("", "Namespace"): NamespaceStrategy(),
    ("", "Node"): _WithStatus(),
    ("", "Pod"): _WithStatus(),
    ("", "Service"): _WithStatus(),
    ("", "PersistentVolumeClaim"): _WithStatus(),
    ("apps", "Deployment"): DeploymentStrategy(),
    ("apps", "ReplicaSet"): ReplicaSetStrategy(),
    ("apps", "StatefulSet"): _WithGeneration(),
    ("batch", "Job"): _WithGeneration(),
    ("policy", "PodDisruptionBudget"): _WithGeneration(),
    ("coordination.k8s.io", "Lease"): _Lease(),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _WithGeneration(),
}
_PLAIN = Strategy()


def strategy_for(group: str, kind: str) -> Strategy:
    return _STRATEGIES.get((group, kind), _PLAIN)
