"""The rules of the built-in kinds, one file a family; ``strategy_for`` finds those of one kind."""

from __future__ import annotations

from collections.abc import Mapping

from apps.embedded.apiserver.domain.kinds import others
from apps.embedded.apiserver.domain.kinds.autoscaling import AutoscalerStrategy
from apps.embedded.apiserver.domain.kinds.configuration import ConfigMapStrategy, SecretStrategy
from apps.embedded.apiserver.domain.kinds.definitions import DefinitionStrategy
from apps.embedded.apiserver.domain.kinds.events import EventStrategy
from apps.embedded.apiserver.domain.kinds.namespaces import NamespaceStrategy
from apps.embedded.apiserver.domain.kinds.pods import PodStrategy
from apps.embedded.apiserver.domain.kinds.rbac import BindingStrategy, RoleStrategy
from apps.embedded.apiserver.domain.kinds.services import EndpointSliceStrategy, ServiceStrategy
from apps.embedded.apiserver.domain.kinds.workloads import (
    DeploymentStrategy,
    JobStrategy,
    ReplicaSetStrategy,
    StatefulSetStrategy,
)
from apps.embedded.apiserver.domain.strategy import Strategy

_EVENTS = EventStrategy()
_STRATEGIES: Mapping[tuple[str, str], Strategy] = {
    ("", "ConfigMap"): ConfigMapStrategy(),
    ("", "Event"): _EVENTS,
    ("", "LimitRange"): others.LimitRangeStrategy(),
    ("", "Namespace"): NamespaceStrategy(),
    ("", "Node"): others.NodeStrategy(),
    ("", "Pod"): PodStrategy(),
    ("", "PersistentVolumeClaim"): others.ClaimStrategy(),
    ("", "ResourceQuota"): others.WithStatus(),
    ("", "Secret"): SecretStrategy(),
    ("", "Service"): ServiceStrategy(),
    ("apps", "Deployment"): DeploymentStrategy(),
    ("apps", "ReplicaSet"): ReplicaSetStrategy(),
    ("apps", "StatefulSet"): StatefulSetStrategy(),
    ("autoscaling", "HorizontalPodAutoscaler"): AutoscalerStrategy(),
    ("batch", "Job"): JobStrategy(),
    ("coordination.k8s.io", "Lease"): others.LeaseStrategy(),
    ("discovery.k8s.io", "EndpointSlice"): EndpointSliceStrategy(),
    ("events.k8s.io", "Event"): _EVENTS,
    ("networking.k8s.io", "Ingress"): others.IngressStrategy(),
    ("networking.k8s.io", "NetworkPolicy"): others.NetworkPolicyStrategy(),
    ("policy", "PodDisruptionBudget"): others.BudgetStrategy(),
    ("rbac.authorization.k8s.io", "ClusterRole"): RoleStrategy(cluster=True),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): BindingStrategy("ClusterRole"),
    ("rbac.authorization.k8s.io", "Role"): RoleStrategy(cluster=False),
    ("rbac.authorization.k8s.io", "RoleBinding"): BindingStrategy("Role", "ClusterRole"),
    ("scheduling.k8s.io", "PriorityClass"): others.PriorityClassStrategy(),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): DefinitionStrategy(),
}
_PLAIN = others.PlainStrategy()


def strategy_for(group: str, kind: str) -> Strategy:
    return _STRATEGIES.get((group, kind), _PLAIN)
