"""Deployments, ReplicaSets, StatefulSets and Jobs."""

from __future__ import annotations

from typing import Any

from apps.embedded.apiserver.domain import checks
from apps.embedded.apiserver.domain.kinds import podspec
from apps.embedded.apiserver.domain.selectors import from_label_selector_object
from apps.embedded.apiserver.domain.status import Cause
from apps.embedded.apiserver.domain.strategy import Strategy

Object = dict[str, Any]


class _Workload(Strategy):
    """Something with spec.replicas, spec.selector and spec.template."""

    has_status = True
    has_generation = True
    name_check = staticmethod(checks.subdomain)
    restart_policies: tuple[str, ...] = ("Always",)
    bounded_counts: tuple[str, ...] = ("readyReplicas", "availableReplicas")
    """Counts in the status that cannot exceed status.replicas."""

    def set_defaults(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        spec.setdefault("replicas", 1)
        podspec.set_defaults(spec.setdefault("template", {}).setdefault("spec", {}))

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        causes = checks.at_least_zero("spec.replicas", spec.get("replicas"))
        causes += checks.at_least_zero("spec.minReadySeconds", spec.get("minReadySeconds"))
        template = spec.get("template", {})
        labels = template.get("metadata", {}).get("labels", {})
        raw = spec.get("selector")
        bad_selector = checks.label_selector("spec.selector", raw)
        if bad_selector:
            return causes + bad_selector + [checks.invalid("spec.selector", raw, "invalid label selector")]
        if not raw:
            causes.append(checks.required("spec.selector"))
        elif not (raw.get("matchLabels") or raw.get("matchExpressions")):
            why = f"empty selector is invalid for {obj.get('kind', 'this kind').lower()}"
            causes.append(checks.invalid("spec.selector", raw, why))
        selector = from_label_selector_object(raw)
        if selector is None or not selector.requirements or not selector.matches(labels):
            why = "`selector` does not match template `labels`"
            causes.append(checks.invalid("spec.template.metadata.labels", labels or None, why))
        causes += checks.labels("spec.template.labels", labels)
        return causes + podspec.validate(template.get("spec", {}), "spec.template.spec", self.restart_policies)

    def validate_update(self, new: Object, old: Object) -> list[Cause]:
        return self.validate(new) + checks.immutable(
            "spec.selector", new["spec"].get("selector"), old["spec"].get("selector")
        )

    def validate_status_update(self, new: Object, old: Object) -> list[Cause]:
        status = new.get("status", {})
        causes: list[Cause] = []
        for field in ("replicas", *self.bounded_counts):
            causes += checks.at_least_zero(f"status.{field}", status.get(field))
        total = status.get("replicas", 0)
        for field in self.bounded_counts:
            if status.get(field, 0) > total:
                why = "cannot be greater than status.replicas"
                causes.append(checks.invalid(f"status.{field}", status.get(field, 0), why))
        return causes

    def warnings(self, obj: Object) -> list[str]:
        return podspec.warnings(obj["spec"].get("template", {}).get("spec", {}), "spec.template.spec")


class DeploymentStrategy(_Workload):
    bounded_counts = ("updatedReplicas", "readyReplicas", "availableReplicas")
    owned_with_status = ("f:metadata", "f:annotations")

    def prepare_status_update(self, new: Object, old: Object) -> None:
        """The controller writes the revision annotation together with the status."""
        annotations = new["metadata"].get("annotations")
        super().prepare_status_update(new, old)
        if annotations is None:
            new["metadata"].pop("annotations", None)
        else:
            new["metadata"]["annotations"] = annotations

    def set_defaults(self, obj: Object) -> None:
        super().set_defaults(obj)
        spec = obj["spec"]
        strategy = spec.setdefault("strategy", {})
        strategy.setdefault("type", "RollingUpdate")
        if strategy["type"] == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxUnavailable", "25%")
            rolling.setdefault("maxSurge", "25%")
        spec.setdefault("revisionHistoryLimit", 10)
        spec.setdefault("progressDeadlineSeconds", 600)

    def spec_changed(self, new: Object, old: Object) -> bool:
        annotations = new["metadata"].get("annotations", {}) != old["metadata"].get("annotations", {})
        return annotations or super().spec_changed(new, old)

    def validate(self, obj: Object) -> list[Cause]:
        causes = super().validate(obj)
        spec = obj["spec"]
        strategy = spec.get("strategy", {})
        kind = strategy.get("type")
        if kind == "Recreate" and "rollingUpdate" in strategy:
            why = "may not be specified when strategy `type` is 'Recreate'"
            causes.append(checks.forbidden("spec.strategy.rollingUpdate", why))
        causes += checks.one_of("spec.strategy.type", kind, ("Recreate", "RollingUpdate"))
        rolling = strategy.get("rollingUpdate", {})
        if kind == "RollingUpdate" and _is_zero(rolling.get("maxUnavailable")) and _is_zero(rolling.get("maxSurge")):
            why = "may not be 0 when `maxSurge` is 0"
            causes.append(checks.invalid("spec.strategy.rollingUpdate.maxUnavailable", rolling["maxUnavailable"], why))
        deadline, ready = spec.get("progressDeadlineSeconds"), spec.get("minReadySeconds", 0)
        if deadline is not None and deadline <= ready:
            why = "must be greater than minReadySeconds"
            causes.append(checks.invalid("spec.progressDeadlineSeconds", deadline, why))
        return causes


def _is_zero(value: int | str | None) -> bool:
    return value in (0, "0%", "0")


class ReplicaSetStrategy(_Workload):
    bounded_counts = ("fullyLabeledReplicas", "readyReplicas", "availableReplicas")
    selectable_fields = ("status.replicas",)

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        obj["status"] = {"replicas": 0}


STATEFULSET_MUTABLE = (
    "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
)  # fmt: skip


class StatefulSetStrategy(_Workload):
    def set_defaults(self, obj: Object) -> None:
        super().set_defaults(obj)
        spec = obj["spec"]
        spec.setdefault("podManagementPolicy", "OrderedReady")
        update = spec.setdefault("updateStrategy", {})
        update.setdefault("type", "RollingUpdate")
        if update["type"] == "RollingUpdate":
            update.setdefault("rollingUpdate", {}).setdefault("partition", 0)
        spec.setdefault("revisionHistoryLimit", 10)
        retention = spec.setdefault("persistentVolumeClaimRetentionPolicy", {})
        retention.setdefault("whenDeleted", "Retain")
        retention.setdefault("whenScaled", "Retain")
        for claim in spec.get("volumeClaimTemplates", ()):
            claim.update({"kind": "PersistentVolumeClaim", "apiVersion": "v1"})
            claim["spec"].setdefault("volumeMode", "Filesystem")
            claim.setdefault("status", {}).setdefault("phase", "Pending")

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        obj["status"] = {"replicas": 0, "availableReplicas": 0}

    def validate_update(self, new: Object, old: Object) -> list[Cause]:
        if not checks.only_changed(new["spec"], old["spec"], STATEFULSET_MUTABLE):
            listed = ", ".join(f"'{name}'" for name in STATEFULSET_MUTABLE[:-1]) + " and 'minReadySeconds'"
            return [
                checks.forbidden("spec", f"updates to statefulset spec for fields other than {listed} are forbidden")
            ]
        return self.validate(new)


class JobStrategy(Strategy):
    has_status = True
    has_generation = True
    default_propagation = "Orphan"
    name_check = staticmethod(checks.subdomain)
    selectable_fields = ("status.successful",)

    def set_defaults(self, obj: Object) -> None:
        spec = obj.setdefault("spec", {})
        if "completions" not in spec and "parallelism" not in spec:
            spec["completions"] = 1
        spec.setdefault("parallelism", 1)
        spec.setdefault("backoffLimit", 6)
        spec.setdefault("completionMode", "NonIndexed")
        spec.setdefault("suspend", False)
        spec.setdefault("podReplacementPolicy", "TerminatingOrFailed")
        spec.setdefault("manualSelector", False)
        podspec.set_defaults(spec.setdefault("template", {}).setdefault("spec", {}))

    def prepare_create(self, obj: Object) -> None:
        super().prepare_create(obj)
        if obj["spec"].get("manualSelector"):
            return
        uid, name = obj["metadata"]["uid"], obj["metadata"].get("name", "")
        labels = {
            "batch.kubernetes.io/controller-uid": uid,
            "batch.kubernetes.io/job-name": name,
            "controller-uid": uid,
            "job-name": name,
        }
        template = obj["spec"]["template"].setdefault("metadata", {})
        template["labels"] = {**template.get("labels", {}), **labels}
        obj["metadata"]["labels"] = {**labels, **obj["metadata"].get("labels", {})}
        obj["spec"]["selector"] = {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}

    def deletion_warnings(self, propagation: str) -> list[str]:
        if propagation:
            return []
        remedy = (
            "set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning"
        )
        return [f"child pods are preserved by default when jobs are deleted; {remedy}"]

    def validate(self, obj: Object) -> list[Cause]:
        spec = obj["spec"]
        causes: list[Cause] = []
        for field in ("parallelism", "completions", "backoffLimit", "activeDeadlineSeconds"):
            causes += checks.at_least_zero(f"spec.{field}", spec.get(field))
        template = spec.get("template", {}).get("spec", {})
        policies: tuple[str, ...] = ("OnFailure", "Never")
        if template.get("restartPolicy") not in policies:
            listed = ", ".join(f'"{policy}"' for policy in policies)
            causes.append(checks.required("spec.template.spec.restartPolicy", f"valid values: {listed}"))
            policies = (template.get("restartPolicy", ""),)
        return causes + podspec.validate(template, "spec.template.spec", policies)

    def validate_update(self, new: Object, old: Object) -> list[Cause]:
        causes = checks.immutable("spec.completions", new["spec"].get("completions"), old["spec"].get("completions"))
        causes += checks.immutable("spec.selector", new["spec"].get("selector"), old["spec"].get("selector"))
        causes += checks.immutable("spec.template", new["spec"].get("template"), old["spec"].get("template"))
        return causes
