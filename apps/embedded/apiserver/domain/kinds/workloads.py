"""Deployments, ReplicaSets and StatefulSets."""

from __future__ import annotations

from typing import Any

from apps.embedded.apiserver.domain.strategy import Strategy

Object = dict[str, Any]


class DeploymentStrategy(Strategy):
    has_status = True
    has_generation = True

    def spec_changed(self, new: Object, old: Object) -> bool:
        annotations = new["metadata"].get("annotations", {}) != old["metadata"].get("annotations", {})
        return annotations or super().spec_changed(new, old)

    def set_defaults(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("replicas", 1)


class ReplicaSetStrategy(Strategy):
    has_status = True
    has_generation = True

    def set_defaults(self, obj: Object) -> None:
        obj.setdefault("spec", {}).setdefault("replicas", 1)

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        obj["status"] = {"replicas": 0}
