"""Namespaces: made Active with a finalizer, Terminating once deleted until the finalizer is taken away."""

from __future__ import annotations

from typing import Any

from apps.embedded.apiserver.domain import checks
from apps.embedded.apiserver.domain.strategy import Strategy, keep

Object = dict[str, Any]


class NamespaceStrategy(Strategy):
    has_status = True
    name_check = staticmethod(checks.label)
    deletion_has_grace = False
    selectable_fields = ("status.phase",)

    def set_defaults(self, obj: Object) -> None:
        name = obj["metadata"].get("name")
        if name:
            labels = obj["metadata"].setdefault("labels", {})
            labels.setdefault("kubernetes.io/metadata.name", name)

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        obj["status"] = {"phase": "Active"}
        finalizers = obj.setdefault("spec", {}).setdefault("finalizers", [])
        if "kubernetes" not in finalizers:
            finalizers.append("kubernetes")

    def prepare_update(self, new: Object, old: Object) -> None:
        keep(new, old, "spec")
        super().prepare_update(new, old)

    def prepare_status_update(self, new: Object, old: Object) -> None:
        keep(new, old, "spec")

    def held(self, obj: Object) -> bool:
        return super().held(obj) or bool(obj.get("spec", {}).get("finalizers"))

    def prepare_deletion(self, obj: Object) -> None:
        obj.setdefault("status", {})["phase"] = "Terminating"
